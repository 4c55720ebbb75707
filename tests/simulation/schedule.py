"""One random schedule: workers, shards, records and faults drawn from a seed, run to quiet, judged throughout."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.retry import Retry
from services.kernel.streams.assignment import most_leases
from services.kernel.streams.lease import Lease, from_item
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.operator import Operator
from tests.simulation.virtual_loop import VirtualLoop, run
from tests.simulation.worker import SETTINGS, STATES, Worker
from tests.simulation.world import Broken, SimClient, Trouble, World

MIN_RECORDS = 200
LOAD_S = 12.0
QUIET_TIMEOUT_S = 240.0
# A reading may be this late: one look, one poll and their calls on a bad day.
LAG_TOLERANCE_S = 4.0
# A shard that changes hands is told by neither owner until the new one has looked.
TWO_LOOKS_S = 2.5


@dataclass
class Result:
    """What one schedule showed.

    Args:
        cells: how often a fault met a worker in a state.
        records, repeats: records put, and effects beyond the first of each.
    """

    seed: int
    records: int = 0
    repeats: int = 0
    virtual_s: float = 0.0
    steps: int = 0
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)


def play(seed: int) -> Result:
    """Run one schedule.

    Raises:
        Broken: a promise did not hold; the same seed shows it again.
    """
    result = Result(seed)

    async def main(loop: VirtualLoop) -> None:
        await Schedule(loop, random.Random(seed), result).play()
        result.virtual_s = loop.time()
        result.steps = loop.steps

    run(main)
    return result


class Schedule:
    """The course of one simulation."""

    def __init__(self, loop: VirtualLoop, rng: random.Random, result: Result) -> None:
        self._loop = loop
        self._rng = rng
        self._result = result
        self._world = World(loop, rng, rng.randint(1, 5))
        self._healed_at_s = 0.0
        self._under_told_since_s = 0.0
        self._records = MIN_RECORDS + rng.randint(0, 40)
        self._commands: list[asyncio.Task[None]] = []
        count = rng.choice((1, 2, 2, 3, 3, 4, 5, 8))
        # Some of the workers may be a canary's; one at least is of the stable variant.
        canaries = rng.randrange(count) if rng.random() < 0.3 else 0
        share = rng.choice((0.1, 0.25, 0.5))
        self._workers = [
            Worker(self._world, n, rng, share if n >= count - canaries else 1.0) for n in range(count)
        ]
        self._faults: dict[str, Callable[[Worker], None]] = {
            "split": self._split,
            "merge": self._merge,
            "scale": self._scale,
            "iterators expire": self._expire,
            "throttled reads": self._throttle_kinesis,
            "throttled table": self._throttle_dynamodb,
            "lost answers": self._lose_answers,
            "delay": self._delay,
            "cut off from Kinesis": self._cut_kinesis,
            "cut off from DynamoDB": self._cut_dynamodb,
            "frozen past its lease": self._freeze,
            "wall clock jumps": self._jump_clock,
            "sink away": self._sink_away,
            "killed": self._kill,
            "drained": self._drain,
            "rewound": self._rewind,
            "asked to hand back": self._ask_back,
        }

    async def play(self) -> None:
        """Put the records while faults happen, heal everything, wait for quiet, judge the end."""
        kinds = self._rng.sample(sorted(self._faults), self._rng.randint(3, 6))
        times = sorted((self._rng.uniform(0.05, LOAD_S), kind) for kind in kinds for _ in range(2))
        puts = [(LOAD_S * n / self._records, "") for n in range(self._records)]
        for at_s, kind in sorted(times + puts):
            if at_s > self._loop.time():
                await asyncio.sleep(at_s - self._loop.time())
            if kind:
                self._strike(kind)
            else:
                self._world.put(self._rng.randrange(24))
            self._check_workers()
        await self._heal()
        await self._until(self._nobody_frozen, "every worker runs")
        await self._until(self._commands_done, "every operator's command ends")
        await self._until(lambda: self._world.all_handled, "every record is handled")
        await self._until(self._checkpointed, "every checkpoint is at its shard's tip")
        await self._until(self._balanced, "the leases are balanced within one, by variant")
        await self._stop()
        self._result.records = self._world.total
        self._result.repeats = sum(self._world.handled.values()) - self._world.total

    def _strike(self, kind: str) -> None:
        worker = self._rng.choice(self._workers)
        if worker.alive:
            self._result.cells[kind, worker.state] += 1
            self._faults[kind](worker)

    async def _heal(self) -> None:
        self._healed_at_s = self._loop.time()
        for worker in self._workers:
            worker.trouble.throttle_kinesis = worker.trouble.throttle_dynamodb = 0.0
            worker.trouble.lose_answers = 0.0
            if not worker.alive:
                worker.start()

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline_s = self._loop.time() + QUIET_TIMEOUT_S
        while not condition():
            self._check_workers()
            self._check_lag()
            for worker in self._workers:
                if not worker.alive:
                    worker.start()
            if self._loop.time() > deadline_s:
                raise Broken(f"not within {QUIET_TIMEOUT_S:g} s: {what}")
            await asyncio.sleep(0.5)

    def _check_workers(self) -> None:
        if self._world.verdict is not None:
            raise Broken(self._world.verdict)
        for worker in self._workers:
            if worker.task.done() and not worker.life.dead and (error := worker.task.exception()):
                raise Broken(f"worker {worker.number} ended: {error!r}") from error

    def _check_lag(self) -> None:
        """The fleet's largest lag is not under what is really open, once somebody had time to look."""
        if self._world.wall_jump_s < 0 or not all(self._has_looked(worker) for worker in self._workers):
            self._under_told_since_s = self._loop.time()
            return
        looking = self._workers
        told_s = max(worker.metrics.lag.value for worker in looking)
        true_s = self._world.oldest_open_s()
        if true_s - told_s <= LAG_TOLERANCE_S:
            self._under_told_since_s = self._loop.time()
        elif self._loop.time() - self._under_told_since_s > TWO_LOOKS_S:
            raise Broken(f"lag is {true_s:.1f} s and the fleet says {told_s:.1f} s")

    def _has_looked(self, worker: Worker) -> bool:
        """Whether the worker has been able to see the whole group for a lease time."""
        trouble = worker.trouble
        hindered_until_s = max(
            worker.life.frozen_until_s,
            trouble.no_dynamodb_until_s,
            trouble.no_kinesis_until_s,
            trouble.slow_until_s,
            self._healed_at_s,
            worker.ready_at_s or 0.0,
        )
        return worker.alive and worker.ready and hindered_until_s + SETTINGS.lease_time_s < self._loop.time()

    def _commands_done(self) -> bool:
        for command in self._commands:
            if command.done() and not command.cancelled() and (error := command.exception()):
                raise Broken(f"an operator's command failed: {error!r}") from error
        return all(command.done() for command in self._commands)

    def _nobody_frozen(self) -> bool:
        return all(worker.life.frozen_until_s <= self._loop.time() for worker in self._workers)

    def _leases(self) -> dict[str, Lease]:
        found = (from_item(row) for row in self._world.rows.values())
        return {lease.shard_id: lease for lease in found if lease is not None}

    def _checkpointed(self) -> bool:
        leases = self._leases()
        for name, shard in self._world.shards.items():
            if name not in leases:
                return False
            if shard.shard.closed and not leases[name].ended:
                return False
            if not shard.shard.closed and shard.numbers and leases[name].checkpoint != str(shard.numbers[-1]):
                return False
        return True

    def _balanced(self) -> bool:
        open_leases = [lease for lease in self._leases().values() if not lease.ended]
        held = Counter(lease.owner for lease in open_leases)
        by_share: dict[float, list[int]] = {}
        for worker in self._workers:
            share = worker.settings.lease_share
            by_share.setdefault(share, []).append(held.pop(worker.group.worker_id, 0))
        return not held and all(
            max(counts) - min(counts) <= 1
            and (share == 1 or sum(counts) == most_leases(len(open_leases), share))
            for share, counts in by_share.items()
        )

    async def _stop(self) -> None:
        for worker in self._workers:
            # Who is cut off from the table cannot release, and says so by letting its lease expire.
            worker.trouble.no_dynamodb_until_s = worker.trouble.no_kinesis_until_s = 0.0
            worker.stopping.set()
        deadline_s = self._loop.time() + QUIET_TIMEOUT_S
        while not all(worker.task.done() for worker in self._workers):
            if self._loop.time() > deadline_s:
                raise Broken("a worker that was asked to stop did not")
            await asyncio.sleep(0.2)
        self._check_workers()
        owners = {lease.owner for lease in self._leases().values() if not lease.ended}
        if owners - {None}:
            raise Broken(f"drained workers still hold leases: {owners}")

    # the faults ------------------------------------------------------------------------

    def _now(self) -> float:
        return self._loop.time()

    def _split(self, _worker: Worker) -> None:
        self._world.split()

    def _merge(self, _worker: Worker) -> None:
        self._world.merge()

    def _scale(self, _worker: Worker) -> None:
        for _ in range(2):
            self._world.split()
        self._world.merge()

    def _expire(self, _worker: Worker) -> None:
        self._world.epoch += 1

    def _throttle_kinesis(self, worker: Worker) -> None:
        worker.trouble.throttle_kinesis = 0.5

    def _throttle_dynamodb(self, worker: Worker) -> None:
        worker.trouble.throttle_dynamodb = 0.4

    def _lose_answers(self, worker: Worker) -> None:
        worker.trouble.lose_answers = 0.3

    def _delay(self, worker: Worker) -> None:
        worker.trouble.slow_until_s = self._now() + self._rng.uniform(1, 8)

    def _cut_kinesis(self, worker: Worker) -> None:
        worker.trouble.no_kinesis_until_s = self._now() + self._rng.uniform(1, 10)

    def _cut_dynamodb(self, worker: Worker) -> None:
        worker.trouble.no_dynamodb_until_s = self._now() + self._rng.uniform(1, 10)

    def _freeze(self, worker: Worker) -> None:
        worker.life.frozen_until_s = self._now() + SETTINGS.lease_time_s * self._rng.uniform(1.2, 3)

    def _jump_clock(self, _worker: Worker) -> None:
        self._world.wall_jump_s += self._rng.uniform(-3600, 3600)

    def _sink_away(self, worker: Worker) -> None:
        worker.sink_away_until_s = self._now() + self._rng.uniform(1, 10)

    def _kill(self, worker: Worker) -> None:
        worker.kill()
        if self._rng.random() < 0.5:
            worker.start()

    def _drain(self, worker: Worker) -> None:
        worker.stopping.set()

    def _rewind(self, _worker: Worker) -> None:
        at_ms = int(self._rng.uniform(0, self._now()) * 1000)
        shard = self._rng.choice(list(self._world.shards.values()))

        async def rewind() -> None:
            operator, client = self._operator()
            if self._rng.random() < 0.5:
                await operator.rewind_to_time(cast(Kinesis, client), "sim", at_ms)
            elif shard.numbers:
                numbers = {shard.shard.shard_id: self._rng.choice(shard.numbers)}
                with contextlib.suppress(ValueError):  # it was not read that far
                    await operator.rewind_to_sequences(numbers)

        self._operate(rewind())

    def _ask_back(self, _worker: Worker) -> None:
        owned = [lease for lease in self._leases().values() if lease.owner is not None and not lease.ended]

        async def release() -> None:
            if owned:
                await self._operator()[0].release([self._rng.choice(owned)])

        self._operate(release())

    def _operator(self) -> tuple[Operator, SimClient]:
        client = SimClient(self._world, Trouble(lose_answers=self._rng.choice((0.0, 0.3))), self._rng)
        table = LeaseTable(cast(DynamoDB, client), "leases")
        return Operator(table, SETTINGS.lease_time_s, self._loop.time, Retry(rng=self._rng)), client

    def _operate(self, command: Coroutine[Any, Any, None]) -> None:
        """Run an operator's command; some are interrupted half way, which has to be harmless."""
        task = self._loop.create_task(command)
        self._commands.append(task)
        if self._rng.random() < 0.3:
            self._loop.call_later(self._rng.uniform(0.0, 1.0), task.cancel)


def empty_cells(cells: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs of fault and state that no schedule showed."""
    kinds = sorted({kind for kind, _ in cells})
    return [(kind, state) for kind in kinds for state in STATES if not cells[kind, state]]
