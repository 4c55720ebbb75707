"""Schedules of the simulation's kind in real time: workers, faults and commands drawn from a seed, judged from outside.

What is seen from outside is what a handler is given and what the lease table says. Faults happen when a drawn part of
the records was handled, not after a pause, so that a slow machine plays the same schedule.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.errors import Throttled, TimedOut, Unavailable
from services.kernel.core.retry import Retry
from services.kernel.streams.group import ConsumerGroup
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.lease import Lease
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.operator import Operator
from services.kernel.streams.processor import per_record
from services.kernel.streams.producer import Producer
from services.kernel.streams.records import Record, Shard, Stored
from services.kernel.streams.rejected import RejectedSink

SETTINGS = GroupSettings(
    lease_time_s=1.0,
    poll_interval_s=0.1,
    checkpoint_interval_s=0.1,
    shard_sync_interval_s=0.5,
    drain_timeout_s=2.0,
)
KEYS = 12
DEADLINE_S = 30.0


class Faulty:
    """An adapter whose calls are refused, or whose answers are lost once the effect has happened."""

    def __init__(self, adapter: Any, rng: random.Random) -> None:
        self.lose = self.throttle = 0.0
        self.away_until_s = 0.0
        self._adapter = adapter
        self._rng = rng

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._adapter, name)
        if name == "scan":
            return method

        async def call(*arguments: Any, **named: Any) -> Any:
            if time.monotonic() < self.away_until_s:
                raise Unavailable("cut off")
            if self._rng.random() < self.throttle:
                raise Throttled("slow down")
            answer = await method(*arguments, **named)
            if self._rng.random() < self.lose:
                raise TimedOut("the answer was lost")
            return answer

        return call


class Judge:
    """What was put, what was handled, and what must never be seen."""

    def __init__(self) -> None:
        self.handled: Counter[int] = Counter()
        self.wanted: dict[int, int] = {}  # how often each record has to have been handled at the end
        self.by_shard: dict[str, list[tuple[int, int]]] = defaultdict(list)  # sequence numbers and records
        self.shards: dict[str, Shard] = {}
        self.broken: list[str] = []
        self._seen: dict[str, Lease] = {}
        self._may_go_back: Counter[str] = Counter()

    def effect(self, record: Record) -> None:
        """A record is handled: after its predecessor, and after all of its shard's parents."""
        number = int(record.data)
        if number >= KEYS and not self.handled[number - KEYS]:
            self.broken.append(f"{number} was handled before {number - KEYS} of the same key")
        for parent in self.shards[record.shard_id].parents if record.shard_id in self.shards else ():
            self._all_handled(parent, f"{record.shard_id} was read")
        self.handled[number] += 1

    def rewound(self) -> None:
        """A rewind begins: every shard may go back once, for it."""
        self._may_go_back.update(self.shards.keys())

    def look(self, leases: dict[str, Lease]) -> None:
        """The lease table as it was just read."""
        for shard_id, lease in leases.items():
            before = self._seen.get(shard_id, lease)
            if lease.ended:
                self._all_handled(shard_id, f"{shard_id} was ended")
            elif lease.place is not None:
                self._all_handled(shard_id, f"{shard_id} was checkpointed at {lease.place}", lease.place[0])
            if before.ended > lease.ended or (before.place or (0, 0)) > (lease.place or (2**200, 0)):
                self._may_go_back[shard_id] -= 1
                if self._may_go_back[shard_id] < 0:
                    self.broken.append(f"{shard_id} went back from {before.checkpoint} to {lease.checkpoint}")
        self._seen = leases

    def _all_handled(self, shard_id: str, what: str, upto: int = 2**200) -> None:
        missing = [n for number, n in self.by_shard[shard_id] if number <= upto and not self.handled[n]]
        if missing:
            self.broken.append(f"{what} while {missing} of {shard_id} were open")

    @property
    def all_handled(self) -> bool:
        """Whether every record was handled, and again where a rewind asked for it."""
        return all(self.handled[number] >= times for number, times in self.wanted.items())

    def at_tips(self, leases: dict[str, Lease]) -> bool:
        """Whether every closed shard is ended and every other checkpointed behind its last record."""
        for shard_id, shard in self.shards.items():
            if shard_id not in leases:
                return False
            lease, records = leases[shard_id], self.by_shard[shard_id]
            if shard.closed:
                if not lease.ended:
                    return False
            elif records and lease.place != (records[-1][0], 0):
                return False
        return True


class Worker:
    """One process of the group, as far as a task can be one."""

    def __init__(self, play: Play) -> None:
        self.kinesis = Faulty(play.kinesis, play.rng)
        self.dynamodb = Faulty(play.dynamodb, play.rng)
        self.stopping = asyncio.Event()
        self.group = ConsumerGroup(
            "suite",
            play.stream,
            self.kinesis,  # type: ignore[arg-type]
            LeaseTable(self.dynamodb, play.leases.table),  # type: ignore[arg-type]
            per_record(play.handle, concurrency=8),
            RejectedSink(play.producer, "suite"),
            SETTINGS,
            GroupMetrics(),
            rng=play.rng,
        )
        self.task = asyncio.create_task(self.group.run(self.stopping))


class Play:
    """One schedule on its way.

    Args:
        kinesis, dynamodb: the real engines, with the stream and the lease table made.
    """

    def __init__(
        self, seed: int, kinesis: Kinesis, dynamodb: DynamoDB, stream: str, leases: LeaseTable
    ) -> None:
        self.rng = random.Random(seed)
        self.kinesis = kinesis
        self.dynamodb = dynamodb
        self.stream = stream
        self.leases = leases
        self.producer = Producer(kinesis, stream)
        self.judge = Judge()
        self._sink_away_until_s = 0.0
        self._put_at_ms: list[tuple[int, int]] = []
        self._faults: dict[str, Callable[[Worker], Awaitable[None]]] = {
            "split": self._split,
            "merge": self._merge,
            "killed": self._kill,
            "drained": self._drain,
            "rewound": self._rewind,
            "asked to hand back": self._ask_back,
            "lost answers": self._lose_answers,
            "throttled": self._throttle,
            "cut off from Kinesis": self._cut_kinesis,
            "cut off from DynamoDB": self._cut_dynamodb,
            "sink away": self._sink_away,
        }
        self.kinds = self.rng.sample(sorted(self._faults), 5)
        self.workers: list[Worker] = []

    async def play(self) -> None:
        """Put and strike, step by step; then wait for quiet, and judge the end."""
        await self._list()
        self.workers = [Worker(self) for _ in range(self.rng.randint(2, 4))]
        watching = asyncio.create_task(self._watch())
        try:
            for kind in self.kinds:
                await self._put(self.rng.randint(40, 60))
                await self._until_handled(self.rng.uniform(0.3, 1.0))
                await self._faults[kind](self.rng.choice(self.workers))
            await self._quiet()
        finally:
            watching.cancel()
            for worker in self.workers:
                worker.task.cancel()
            await asyncio.gather(watching, *(w.task for w in self.workers), return_exceptions=True)

    async def _quiet(self) -> None:
        for worker in self.workers:
            worker.kinesis.lose = worker.dynamodb.lose = 0.0
            worker.kinesis.throttle = worker.dynamodb.throttle = 0.0
        await self._until(lambda: self.judge.all_handled, "every record is handled")
        await self._until_leases(self.judge.at_tips, "every checkpoint is at its shard's tip")
        await self._until_leases(self._balanced, "the leases are balanced within one")
        for worker in self.workers:
            worker.stopping.set()
        await self._until(lambda: all(w.task.done() for w in self.workers), "every worker drains")
        for worker in self.workers:
            worker.task.result()
        assert {lease.owner for lease in (await self.leases.read()).values()} == {None}

    def _balanced(self, leases: dict[str, Lease]) -> bool:
        held = Counter(lease.owner for lease in leases.values() if not lease.ended)
        counts = [held.pop(worker.group.worker_id, 0) for worker in self.workers]
        return not held and max(counts) - min(counts) <= 1

    async def handle(self, record: Record) -> None:
        """The sink of every worker."""
        await asyncio.sleep(self.rng.uniform(0.0, 0.01))
        if time.monotonic() < self._sink_away_until_s:
            raise Unavailable("the sink is away")
        self.judge.effect(record)

    async def _watch(self) -> None:
        while True:
            self.judge.look(await self.leases.read())
            await asyncio.sleep(0.05)

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            assert not self.judge.broken, self.judge.broken
            for worker in self.workers:
                if worker.task.done() and not worker.stopping.is_set():
                    worker.task.result()
            assert time.monotonic() < deadline_s, f"not within {DEADLINE_S:g} s: {what}"
            await asyncio.sleep(0.02)
        assert not self.judge.broken, self.judge.broken

    async def _until_handled(self, part: float) -> None:
        wanted = part * len(self.judge.wanted)
        await self._until(lambda: len(self.judge.handled) >= wanted, f"{wanted:.0f} records are handled")

    async def _until_leases(self, condition: Callable[[dict[str, Lease]], bool], what: str) -> None:
        met = asyncio.Event()

        async def look() -> None:
            while not condition(await self.leases.read()):
                await asyncio.sleep(0.05)
            met.set()

        looking = asyncio.create_task(look())
        try:
            await self._until(lambda: met.is_set() or looking.done(), what)
            await looking
        finally:
            looking.cancel()

    async def _put(self, count: int) -> None:
        """Put records; a key's numbers rise by the number of keys."""
        first = len(self.judge.wanted)
        self._put_at_ms.append((int(time.time() * 1000), first))
        numbers = range(first, first + count)
        self.judge.wanted.update(dict.fromkeys(numbers, 1))
        puts = await self.kinesis.put_records(
            self.stream, [(f"{n}".encode(), f"key-{n % KEYS}") for n in numbers]
        )
        for number, put in zip(numbers, puts, strict=True):
            assert isinstance(put, Stored)
            self.judge.by_shard[put.shard_id].append((put.sequence_number, number))

    async def _list(self) -> None:
        while await self.kinesis.stream_status(self.stream) != "ACTIVE":
            await asyncio.sleep(0.02)
        self.judge.shards = {shard.shard_id: shard for shard in await self.kinesis.list_shards(self.stream)}

    def _open(self) -> list[Shard]:
        return sorted(
            (s for s in self.judge.shards.values() if not s.closed), key=lambda s: int(s.starting_hash_key)
        )

    # the faults ------------------------------------------------------------------------

    async def _split(self, _worker: Worker) -> None:
        shard = self.rng.choice(self._open())
        middle = (int(shard.starting_hash_key) + int(shard.ending_hash_key)) // 2
        await self.kinesis.split_shard(self.stream, shard.shard_id, str(middle))
        await self._list()

    async def _merge(self, worker: Worker) -> None:
        if len(self._open()) < 2:
            await self._split(worker)
        at = self.rng.randrange(len(self._open()) - 1)
        left, right = self._open()[at : at + 2]
        await self.kinesis.merge_shards(self.stream, left.shard_id, right.shard_id)
        await self._list()

    async def _kill(self, worker: Worker) -> None:
        worker.task.cancel()  # no drain, no release: as dead as a coroutine can be
        await asyncio.gather(worker.task, return_exceptions=True)
        self._replace(worker)

    async def _drain(self, worker: Worker) -> None:
        worker.stopping.set()
        await self._until(worker.task.done, "a worker drains")
        worker.task.result()
        self._replace(worker)

    def _replace(self, worker: Worker) -> None:
        self.workers[self.workers.index(worker)] = Worker(self)

    async def _rewind(self, _worker: Worker) -> None:
        at_ms, first = self.rng.choice(self._put_at_ms)
        before = self.judge.handled.copy()
        self.judge.rewound()
        answers = await self._operator().rewind_to_time(self.kinesis, self.stream, at_ms)
        assert {answer.outcome for answer in answers} <= {"done", "kept"}
        for answer in answers:
            if answer.outcome == "done":  # a shard that was kept had open records before that time
                for _, number in self.judge.by_shard[answer.shard_id]:
                    if number >= first:
                        self.judge.wanted[number] = before[number] + 1

    async def _ask_back(self, _worker: Worker) -> None:
        owned = [lease for lease in (await self.leases.read()).values() if lease.owner is not None]
        if owned:
            [answer] = await self._operator().release([self.rng.choice(owned)])
            assert answer.outcome == "done"

    def _operator(self) -> Operator:
        return Operator(self.leases, SETTINGS.lease_time_s, time.monotonic, Retry())

    async def _lose_answers(self, worker: Worker) -> None:
        worker.kinesis.lose = worker.dynamodb.lose = 0.2

    async def _throttle(self, worker: Worker) -> None:
        worker.kinesis.throttle = worker.dynamodb.throttle = 0.3

    async def _cut_kinesis(self, worker: Worker) -> None:
        worker.kinesis.away_until_s = time.monotonic() + 2 * SETTINGS.lease_time_s

    async def _cut_dynamodb(self, worker: Worker) -> None:
        worker.dynamodb.away_until_s = time.monotonic() + 2 * SETTINGS.lease_time_s

    async def _sink_away(self, _worker: Worker) -> None:
        self._sink_away_until_s = time.monotonic() + SETTINGS.lease_time_s
