"""The order store: insert a part once, keep its smallest sequence number, name what contradicts it.

Every write is conditional and moves the table only towards one end state, so it may come late, twice, or from
a worker that lost its lease without knowing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from contracts.codec import Order
from contracts.order_union import Conflict, union
from services.dynamodb_writer import items
from services.dynamodb_writer.inserts import Inserts, InsertTable
from services.dynamodb_writer.metrics import WriterMetrics
from services.kernel.adapters.dynamodb import MAX_INSERTS_PER_BATCH, ConditionFailed, Item, Page
from services.kernel.core import logs
from services.kernel.core.errors import Detail, Throttled
from services.kernel.streams.records import Record

MAX_DETAILS = 100
"""As many faults as the contract `rejected/1` carries."""

_SAME_BUT_LATER = "event_id = :event_id AND sequence_number > :sequence_number"

log = logs.get("order_store")


class Table(InsertTable, Protocol):
    """What the order store needs of DynamoDB."""

    async def query(
        self,
        table: str,
        key_condition: str,
        values: Mapping[str, Any],
        names: Mapping[str, str] | None = None,
        index: str | None = None,
        forward: bool = True,
        limit: int | None = None,
        start_key: Mapping[str, Any] | None = None,
        consistent: bool = False,
    ) -> Page: ...


class Rejects(Protocol):
    """Where a conflicting part goes; returns once it is durable there."""

    async def put(
        self,
        reason: str,
        message: str,
        data: bytes,
        *,
        details: Sequence[Detail] = (),
        stream: str | None = None,
        shard_id: str | None = None,
        sequence_number: int | None = None,
        source: str | None = None,
        trace: str | None = None,
    ) -> Any: ...


class OrderStore:
    """Writes parts of orders; `write` is the handler of the consumer group.

    Args:
        table: physical name of `order_history`.
        stream: physical name of the stream that the records come from, for dead letters.
        concurrency: calls of `write` at once that are to be expected.
        inserts_per_call: inserts that one call carries at most.
    """

    def __init__(
        self,
        dynamodb: Table,
        table: str,
        rejects: Rejects,
        stream: str,
        metrics: WriterMetrics,
        concurrency: int = 32,
        inserts_per_call: int = MAX_INSERTS_PER_BATCH,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._inserts = Inserts(dynamodb, table, inserts_per_call, concurrency, metrics)
        self._rejects = rejects
        self._stream = stream
        self._metrics = metrics

    async def write(self, record: Record) -> None:
        """Make one record durable: its part stored, and every conflict it is in put into `rejected`.

        Only a part that was the first of its order cannot be in conflict. Any other one, a repeat too, is
        compared with the stored ones: whoever died between storing and rejecting left that to its successor.

        Raises:
            InvalidRecord: the record breaks its contract or cannot be held; nothing was stored.
            Retryable: the store is away or throttles; repeating the whole is harmless.
        """
        order = items.decode(record.data)
        if not await self._store(items.item(record, order)):
            await self._reject_conflicts(order)
        self._metrics.stream_to_store_s.observe(max(0.0, time.time() - record.arrived_at_ms / 1000))

    async def _store(self, item: Item) -> bool:
        """Insert the part, or lower the sequence number of its twin; True when it is its order's first."""
        stored = await self._inserts.insert(item)
        if stored is None:
            self._metrics.inserted_first.inc()
            return True
        if stored["event_id"] != item["event_id"]:
            item = items.as_further_part(item)
            stored = await self._inserts.insert(item)
        if stored is None:
            self._metrics.inserted_further.inc()
        else:
            self._metrics.repeated.inc()
            await self._lower(item, stored)
        return False

    async def _lower(self, item: Item, stored: Item) -> None:
        """Replace the same event, stored under a later sequence number, by this earlier record of it."""
        if item["sequence_number"]["S"] >= stored["sequence_number"]["S"]:
            return
        values = {":event_id": item["event_id"], ":sequence_number": item["sequence_number"]}
        try:
            await self._replace(item, _SAME_BUT_LATER, values)
        except ConditionFailed:
            return  # another worker was there with a smaller number still
        self._metrics.lowered.inc()

    async def _replace(self, item: Item, condition: str, values: Item) -> None:
        started = time.perf_counter()
        try:
            await self._dynamodb.put_item(self._table, item, condition=condition, values=values)
        except Throttled:
            self._metrics.throttled.inc()
            raise
        finally:
            self._metrics.put_s.observe(time.perf_counter() - started)

    async def _reject_conflicts(self, order: Order) -> None:
        """Put every part that loses a line to this one, and this one if it loses, into `rejected`."""
        stored = {item["event_id"]["S"]: item for item in await self._parts(order)}
        parts = [(items.sequence_number(item), items.decode(items.body(item))) for item in stored.values()]
        losers: dict[str, list[Conflict]] = {}
        for conflict in union(parts).conflicts:
            if order.event_id in (conflict.winner.event_id, conflict.loser.event_id):
                losers.setdefault(conflict.loser.event_id, []).append(conflict)
        for event_id, conflicts in losers.items():
            await self._reject(stored[event_id], conflicts)

    async def _parts(self, order: Order) -> list[Item]:
        found: list[Item] = []
        start_key: Item | None = None
        values = {":order_id": {"S": order.order_id}, ":part": {"S": items.first_key(order.source)}}
        while True:
            page = await self._dynamodb.query(
                self._table,
                "order_id = :order_id AND begins_with(part, :part)",
                values,
                start_key=start_key,
                consistent=True,
            )
            found += page.items
            start_key = page.last_key
            if start_key is None:
                return found

    async def _reject(self, item: Item, conflicts: Sequence[Conflict]) -> None:
        details = [
            Detail(
                f"/lines/{conflict.loser.index}",
                "conflict: this line is stored with other content under sequence number "
                f"{conflict.winner.sequence_number}",
            )
            for conflict in conflicts[:MAX_DETAILS]
        ]
        await self._rejects.put(
            "conflicting_duplicate",
            f"{len(conflicts)} lines are already stored with other content; the first content stays",
            items.body(item),
            details=details,
            stream=self._stream,
            shard_id=item["shard_id"]["S"],
            sequence_number=items.sequence_number(item),
            source=item["source"]["S"],
        )
        self._metrics.conflicts.inc()
        log.warning(
            "conflicting_duplicate", lines=len(conflicts), sequence_number=items.sequence_number(item)
        )
