"""What goes wrong in a schedule: each kind of fault, and the commands of operators in the middle of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, cast

from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.retry import Retry
from services.kernel.streams.operator import Operator
from tests.simulation.client import SimClient, SimLeaseTable, Trouble
from tests.simulation.fleet import Fleet
from tests.simulation.judge import Broken
from tests.simulation.worker import SETTINGS, STATES, Worker
from tests.simulation.world import World


class Faults:
    """Strikes workers and the world; counts which fault met a worker in which state."""

    def __init__(self, world: World, fleet: Fleet, rng: random.Random) -> None:
        self.cells: Counter[tuple[str, str]] = Counter()
        self._world = world
        self._fleet = fleet
        self._rng = rng
        self._commands: list[asyncio.Task[None]] = []

    def draw(self) -> list[str]:
        """Three to six kinds, each to strike twice."""
        return self._rng.sample(sorted(KINDS), self._rng.randint(3, 6)) * 2

    def strike(self, kind: str) -> None:
        """Let one fault happen to one of the workers that are alive."""
        alive = [worker for worker in self._fleet.workers if worker.alive]
        worker = self._rng.choice(alive or self._fleet.workers)
        if not alive:
            worker.start()
        self.cells[kind, worker.state] += 1
        KINDS[kind](self, worker)

    @property
    def commands_done(self) -> bool:
        """Whether every operator's command has ended.

        Raises:
            Broken: one failed.
        """
        for command in self._commands:
            if command.done() and not command.cancelled() and (error := command.exception()):
                raise Broken(f"an operator's command failed: {error!r}") from error
        return all(command.done() for command in self._commands)

    # the stream ------------------------------------------------------------------------

    def _split(self, _worker: Worker) -> None:
        self._world.stream.split()

    def _merge(self, _worker: Worker) -> None:
        self._world.stream.merge()

    def _scale(self, _worker: Worker) -> None:
        for _ in range(2):
            self._world.stream.split()
        self._world.stream.merge()

    def _expire(self, _worker: Worker) -> None:
        self._world.epoch += 1

    # a worker's calls ------------------------------------------------------------------

    def _throttle_kinesis(self, worker: Worker) -> None:
        worker.trouble.throttle_kinesis = 0.5

    def _throttle_dynamodb(self, worker: Worker) -> None:
        worker.trouble.throttle_dynamodb = 0.4

    def _lose_answers(self, worker: Worker) -> None:
        worker.trouble.lose_answers = 0.3

    def _delay(self, worker: Worker) -> None:
        worker.trouble.slow_until_s = self._longer(worker.trouble.slow_until_s, 1, 5)

    def _cut_kinesis(self, worker: Worker) -> None:
        worker.trouble.no_kinesis_until_s = self._longer(worker.trouble.no_kinesis_until_s, 1, 5)

    def _cut_dynamodb(self, worker: Worker) -> None:
        worker.trouble.no_dynamodb_until_s = self._longer(worker.trouble.no_dynamodb_until_s, 1, 5)

    def _silence_kinesis(self, worker: Worker) -> None:
        worker.trouble.silent_kinesis_until_s = self._longer(worker.trouble.silent_kinesis_until_s, 1, 5)

    def _silence_dynamodb(self, worker: Worker) -> None:
        worker.trouble.silent_dynamodb_until_s = self._longer(worker.trouble.silent_dynamodb_until_s, 1, 5)

    def _longer(self, until_s: float, shortest_s: float, longest_s: float) -> float:
        """From now on for a while, and never shorter than before: a call that hangs already goes on to hang."""
        return max(until_s, self._world.loop.time() + self._rng.uniform(shortest_s, longest_s))

    # a worker itself -------------------------------------------------------------------

    def _freeze(self, worker: Worker) -> None:
        lease_s = SETTINGS.lease_time_s
        worker.life.frozen_until_s = self._longer(worker.life.frozen_until_s, 1.2 * lease_s, 2 * lease_s)

    def _jump_clock(self, _worker: Worker) -> None:
        self._world.wall_jump_s += self._rng.uniform(-3600, 3600)

    def _sink_away(self, worker: Worker) -> None:
        worker.sink_away_until_s = self._longer(worker.sink_away_until_s, 1, 5)

    def _kill(self, worker: Worker) -> None:
        worker.kill()
        if self._rng.random() < 0.5:
            worker.start()

    def _drain(self, worker: Worker) -> None:
        worker.stopping.set()

    # operators -------------------------------------------------------------------------

    def _rewind(self, _worker: Worker) -> None:
        # To any moment, or to one just before, where some shard may still be behind.
        back = self._rng.random() ** self._rng.choice((1, 3))
        at_ms = int(self._world.loop.time() * (1 - back) * 1000)
        shard = self._rng.choice(list(self._world.stream.shards.values()))

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
        leases = self._world.judge.leases.values()
        owned = [lease for lease in leases if lease.owner is not None and not lease.ended]

        async def release() -> None:
            if owned:
                await self._operator()[0].release([self._rng.choice(owned)])

        self._operate(release())

    def _operator(self) -> tuple[Operator, SimClient]:
        trouble = Trouble(lose_answers=self._rng.choice((0.0, 0.3)))
        client = SimClient(self._world, trouble, self._rng, by="an operator")
        table = SimLeaseTable(client)
        return Operator(table, SETTINGS.lease_time_s, self._world.loop.time, Retry(rng=self._rng)), client

    def _operate(self, command: Coroutine[Any, Any, None]) -> None:
        """Run an operator's command; some are interrupted half way, which has to be harmless."""
        task = self._world.loop.create_task(command)
        self._commands.append(task)
        if self._rng.random() < 0.3:
            self._world.loop.call_later(self._rng.uniform(0.0, 1.0), task.cancel)


KINDS: dict[str, Callable[[Faults, Worker], None]] = {
    "split": Faults._split,
    "merge": Faults._merge,
    "scale": Faults._scale,
    "iterators expire": Faults._expire,
    "throttled reads": Faults._throttle_kinesis,
    "throttled table": Faults._throttle_dynamodb,
    "lost answers": Faults._lose_answers,
    "delay": Faults._delay,
    "cut off from Kinesis": Faults._cut_kinesis,
    "cut off from DynamoDB": Faults._cut_dynamodb,
    "Kinesis hangs": Faults._silence_kinesis,
    "DynamoDB hangs": Faults._silence_dynamodb,
    "frozen past its lease": Faults._freeze,
    "wall clock jumps": Faults._jump_clock,
    "sink away": Faults._sink_away,
    "killed": Faults._kill,
    "drained": Faults._drain,
    "rewound": Faults._rewind,
    "asked to hand back": Faults._ask_back,
}


def empty_cells(cells: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs of fault and state that no schedule showed."""
    return [(kind, state) for kind in sorted(KINDS) for state in STATES if not cells[kind, state]]
