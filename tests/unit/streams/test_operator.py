"""An operator's rewind while the stream changes under it."""

from __future__ import annotations

import asyncio

from services.kernel.adapters.dynamodb import Key
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.retry import Retry
from services.kernel.streams.lease import SHARD_END, Lease, to_item
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.operator import Operator
from services.kernel.streams.records import Shard
from tests.memory.dynamodb import MemoryDynamoDB

TABLE = "leases"
TO_MS = 1_000


class Answering(LeaseTable):
    """A lease table in which each request is answered at once, and one lease appears after the first look."""

    def __init__(self, dynamodb: MemoryDynamoDB, late: Lease) -> None:
        super().__init__(dynamodb, TABLE)
        self.asked: list[str] = []
        self._late: Lease | None = late

    async def read(self) -> dict[str, Lease]:
        found = await super().read()
        if self._late is not None:
            late, self._late = self._late, None
            await self.create(late)
        return found

    async def ask_rewind(self, shard_id: str, rewind_to: str) -> None:
        self.asked.append(shard_id)


class Listing(Kinesis):
    """Lists the shards that the stream has at each moment: a child comes after the first look."""

    def __init__(self) -> None:
        self._shards = iter([[Shard("a", closed=True)], [Shard("a", closed=True), Shard("b", ("a",))]])
        self._now: list[Shard] = []

    async def list_shards(self, stream: str) -> list[Shard]:
        self._now = next(self._shards, self._now)
        return self._now


async def test_a_shard_that_came_and_ended_meanwhile_is_rewound_too() -> None:
    dynamodb = MemoryDynamoDB()
    await dynamodb.create_table(TABLE, Key("leaseKey"))
    await dynamodb.put_item(TABLE, to_item(Lease("a", checkpoint=SHARD_END)))
    table = Answering(dynamodb, Lease("b", checkpoint=SHARD_END, parents=("a",)))
    operator = Operator(table, 1.0, asyncio.get_running_loop().time, Retry())
    answers = await operator.rewind_to_time(Listing(), "s", TO_MS)
    assert table.asked == ["a", "b"], "a child that is left out would be read again before its parent"
    assert {answer.shard_id for answer in answers} == {"a", "b"}


async def test_what_the_stream_has_forgotten_stays_at_its_end() -> None:
    dynamodb = MemoryDynamoDB()
    await dynamodb.create_table(TABLE, Key("leaseKey"))
    for shard_id in ("a", "gone"):
        await dynamodb.put_item(TABLE, to_item(Lease(shard_id, checkpoint=SHARD_END)))
    table = Answering(dynamodb, Lease("b", checkpoint=SHARD_END, parents=("a",)))
    operator = Operator(table, 1.0, asyncio.get_running_loop().time, Retry())
    await operator.rewind_to_time(Listing(), "s", TO_MS)
    assert table.asked == ["a", "b"]
