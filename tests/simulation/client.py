"""Both engines as one worker reaches them: late, throttled, cut off, without an answer, answers lost."""

from __future__ import annotations

import random
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from services.kernel.adapters.dynamodb import ConditionFailed, DynamoDB
from services.kernel.adapters.kinesis import ExpiredIterator
from services.kernel.core.errors import MissingResource, Throttled, TimedOut, Unavailable
from services.kernel.streams.lease import Lease
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.records import Fetch, Position, Shard
from tests.simulation.table import require, updated
from tests.simulation.world import World

ITERATOR_LIFE_S = 300.0
FETCH_LIMIT = 40
SLOW_FACTOR = 20.0
TORN_SHARE = 0.2  # of scans that see one half of the table later than the other


@dataclass(slots=True)
class Trouble:
    """What goes wrong for one worker's calls at present; each is a probability or a time until which it holds.

    Args:
        no_kinesis_until_s, no_dynamodb_until_s: every call fails at once.
        silent_kinesis_until_s, silent_dynamodb_until_s: no call is answered before.
    """

    throttle_kinesis: float = 0.0
    throttle_dynamodb: float = 0.0
    lose_answers: float = 0.0
    no_kinesis_until_s: float = 0.0
    no_dynamodb_until_s: float = 0.0
    silent_kinesis_until_s: float = 0.0
    silent_dynamodb_until_s: float = 0.0
    slow_until_s: float = 0.0

    def heal(self) -> None:
        """End what has no end of its own."""
        self.throttle_kinesis = self.throttle_dynamodb = self.lose_answers = 0.0

    @property
    def until_s(self) -> float:
        """When the last thing ends that has an end."""
        return max(self.table_until_s, self.no_kinesis_until_s, self.silent_kinesis_until_s)

    @property
    def table_until_s(self) -> float:
        """When the last thing ends that hinders a look at the lease table."""
        return max(self.no_dynamodb_until_s, self.silent_dynamodb_until_s, self.slow_until_s)


class SimLeaseTable(LeaseTable):
    """The product's lease table, which reads leases as the judge has them: parsing rows again would cost a tenth."""

    def __init__(self, client: SimClient) -> None:
        super().__init__(cast(DynamoDB, client), "leases")
        self._client = client

    async def read(self) -> dict[str, Lease]:
        """Read all leases, by shard id."""
        return await self._client.leases()


class Iterator(NamedTuple):
    """What an iterator of Kinesis stands for."""

    shard_id: str
    at: int
    good_until_s: float
    epoch: int


class SimClient:
    """Has the methods of both adapters that the group and its operator call.

    Args:
        by: the id of the worker whose calls these are; one that holds no lease for an operator.

    Attributes:
        looked_at_s: when the lease table was last read.
    """

    def __init__(self, world: World, trouble: Trouble, rng: random.Random, by: str) -> None:
        self.looked_at_s = 0.0
        self._world = world
        self._trouble = trouble
        self._rng = rng
        self._by = by
        self._began_at_s = world.loop.time()

    async def _call(self, away_until_s: float, silent_until_s: float, throttle: float) -> None:
        """One call on its way: it takes its time and may fail."""
        loop, rng = self._world.loop, self._rng
        now_s = loop.time()
        if now_s < silent_until_s:
            await loop.after(silent_until_s - now_s)
            raise TimedOut("no answer")
        delay_s = 0.002 + 0.028 * rng.random()
        await loop.after(delay_s * SLOW_FACTOR if now_s < self._trouble.slow_until_s else delay_s)
        if now_s < away_until_s:
            raise Unavailable("cut off")
        if throttle and rng.random() < throttle:
            raise Throttled("slow down")

    def _kinesis(self) -> Coroutine[Any, Any, None]:
        trouble = self._trouble
        return self._call(
            trouble.no_kinesis_until_s, trouble.silent_kinesis_until_s, trouble.throttle_kinesis
        )

    def _dynamodb(self) -> Coroutine[Any, Any, None]:
        trouble = self._trouble
        return self._call(
            trouble.no_dynamodb_until_s, trouble.silent_dynamodb_until_s, trouble.throttle_dynamodb
        )

    def _answer(self) -> None:
        if self._trouble.lose_answers and self._rng.random() < self._trouble.lose_answers:
            raise TimedOut("the answer was lost")

    # Kinesis ---------------------------------------------------------------------------

    async def list_shards(self, _stream: str) -> list[Shard]:
        await self._kinesis()
        shards = [s.shard for s in self._world.stream.shards.values()]
        self._rng.shuffle(shards)
        return shards

    async def shard_iterator(self, _stream: str, shard_id: str, position: Position) -> str:
        await self._kinesis()
        shard = self._world.stream.shards.get(shard_id)
        if shard is None:
            raise MissingResource(shard_id)
        return self._iterator(shard_id, shard.index(position))

    def _iterator(self, shard_id: str, index: int) -> str:
        """To the group an iterator is a word without a meaning."""
        good_until_s = self._world.loop.time() + ITERATOR_LIFE_S
        return cast(str, Iterator(shard_id, index, good_until_s, self._world.epoch))

    async def get_records(self, iterator: str, limit: int, stream: str = "", shard_id: str = "") -> Fetch:
        await self._kinesis()
        name, start, good_until_s, epoch = cast(Iterator, iterator)
        now_s = self._world.loop.time()
        if now_s > good_until_s or epoch != self._world.epoch:
            raise ExpiredIterator(name)
        shard = self._world.stream.shards[name]
        records = shard.records[start : start + min(limit, FETCH_LIMIT)]
        end = start + len(records)
        if end < len(shard.records):
            behind_ms = max(1, int(now_s * 1000) - shard.records[end].arrived_at_ms)
            return Fetch(records, self._iterator(name, end), behind_ms)
        if shard.shard.closed:
            return Fetch(records, None, 0, list(shard.children))
        return Fetch(records, self._iterator(name, end), 0)

    # DynamoDB --------------------------------------------------------------------------

    async def leases(self) -> dict[str, Lease]:
        """Scan the table; a scan is not one moment, so that some see one half of the rows later than the other."""
        await self._dynamodb()
        leases = self._world.judge.leases
        found = leases.copy()
        if self._rng.random() < TORN_SHARE:
            await self._dynamodb()
            for name in self._rng.sample(list(leases), len(leases) // 2):
                found[name] = leases[name]
        self.looked_at_s = self._world.loop.time()
        return found

    async def put_item(self, _table: str, item: dict[str, Any], condition: str | None = None) -> None:
        await self._dynamodb()
        assert condition == "attribute_not_exists(leaseKey)"
        key = item["leaseKey"]["S"]
        if key in self._world.rows:
            raise ConditionFailed(key)
        self._world.judge.made(item)
        self._world.rows[key] = item
        self._answer()

    async def delete_item(
        self, _table: str, key: dict[str, Any], condition: str, values: dict[str, Any]
    ) -> None:
        await self._dynamodb()
        name = key["leaseKey"]["S"]
        require(condition, self._world.rows.get(name), values)
        self._world.judge.removed(name)
        del self._world.rows[name]
        self._answer()

    async def update_item(
        self,
        _table: str,
        key: dict[str, Any],
        update: str,
        condition: str,
        names: dict[str, str] | None = None,
        values: dict[str, Any] | None = None,
        return_old_on_failure: bool = False,
    ) -> None:
        await self._dynamodb()
        name = key["leaseKey"]["S"]
        old = require(condition, self._world.rows.get(name), values or {}, return_old_on_failure)
        new = updated(old, update, names or {}, values or {})
        self._world.judge.written(new, self._by, self._began_at_s)
        self._world.rows[name] = new
        self._answer()
