"""Inserts of many records at once, several in one call: whatever waits while calls are under way goes with the next.

Nothing waits for company. With a free call an insert leaves in the loop's next turn, together with what else is ready
by then; a lone one goes as a conditional PutItem. Only while all calls are under way do inserts gather, so calls grow
with the load and an idle writer is as quick as one call an item.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.dynamodb_writer import items
from services.dynamodb_writer.metrics import WriterMetrics
from services.kernel.adapters.dynamodb import ConditionFailed, Item
from services.kernel.core import logs
from services.kernel.core.errors import (
    CadabraError,
    InvalidRecord,
    Misconfigured,
    Refused,
    Throttled,
    Unavailable,
)

MAX_BYTES_PER_CALL = 1024 * 1024
"""Of items in one call, unless one alone has more; a request of AWS may have 16 MB."""

FEWEST_CALLS = 4
"""Calls that may be under way however few records are at work: so a slow one does not hold up the next insert."""

_ABSENT = "attribute_not_exists(order_id)"

log = logs.get("order_store")


class InsertTable(Protocol):
    """What inserts need of DynamoDB."""

    async def put_item(
        self,
        table: str,
        item: Mapping[str, Any],
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
        return_old_on_failure: bool = False,
    ) -> None: ...

    async def insert_batch(
        self, table: str, items: Sequence[Mapping[str, Any]]
    ) -> Sequence[CadabraError | None]: ...

    async def get_item(self, table: str, key: Mapping[str, Any], consistent: bool = True) -> Item | None: ...


@dataclass(slots=True, eq=False)
class _Waiting:
    """One insert and who waits for its outcome."""

    item: Item
    done: asyncio.Future[None]
    key: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.key = (self.item["order_id"]["S"], self.item["part"]["S"])

    def settle(self, failure: BaseException | None) -> None:
        """Tell the outcome to who waits, unless nobody does any more."""
        if self.done.done():
            return
        if failure is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(failure)


class Inserts:
    """Stores items where none has their key.

    Args:
        table: physical name.
        per_call: items in one call at most; with 1 every item is a PutItem.
        at_once: inserts that may wait together; as many calls as they fill may be under way, at least FEWEST_CALLS.
    """

    def __init__(
        self, dynamodb: InsertTable, table: str, per_call: int, at_once: int, metrics: WriterMetrics
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._per_call = per_call
        self._most_calls = max(FEWEST_CALLS, -(-at_once // per_call))
        self._metrics = metrics
        self._waiting: deque[_Waiting] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._planned = False

    async def insert(self, item: Item) -> Item | None:
        """Store an item; returns once it is durable or found in the way.

        A caller that is cancelled withdraws an insert that has not left yet; one that has may still have its effect.

        Returns:
            None once it is stored, else what stands in its place.

        Raises:
            Retryable: the store is away or throttles; whether the item was stored may be unknown.
            InvalidRecord: DynamoDB cannot hold it.
        """
        started = time.perf_counter()
        waiting = _Waiting(item, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._plan()
        try:
            await waiting.done
        except ConditionFailed as failed:
            return failed.item or await self._in_the_way(item)
        except Throttled:
            self._metrics.throttled.inc()
            raise
        finally:
            self._metrics.put_s.observe(time.perf_counter() - started)
        return None

    async def _in_the_way(self, item: Item) -> Item:
        """What a batch was refused for: its answer does not show it."""
        found = await self._dynamodb.get_item(
            self._table, {"order_id": item["order_id"], "part": item["part"]}
        )
        if found is None:
            raise Unavailable("an item that was in the way is gone: the insert may be tried again")
        return found

    def _plan(self) -> None:
        if self._waiting and not self._planned and len(self._calls) < self._most_calls:
            self._planned = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._planned = False
        while len(self._calls) < self._most_calls and (batch := self._next_batch()):
            call = asyncio.create_task(self._call(batch))
            self._calls.add(call)
            call.add_done_callback(self._ended)

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._plan()

    def _next_batch(self) -> list[_Waiting]:
        """What goes with the next call: first come, first served, and each key once, as the service asks."""
        batch: list[_Waiting] = []
        keys: set[tuple[str, str]] = set()
        room_bytes = MAX_BYTES_PER_CALL
        while self._waiting and len(batch) < self._per_call:
            first = self._waiting[0]
            room_bytes -= items.size_bytes(first.item)
            if batch and (room_bytes < 0 or first.key in keys):
                break
            self._waiting.popleft()
            if not first.done.done():
                keys.add(first.key)
                batch.append(first)
        return batch

    async def _call(self, batch: list[_Waiting]) -> None:
        try:
            failures: Sequence[BaseException | None] = await self._outcomes(batch)
        except Exception as error:  # noqa: BLE001 - who waits gets it, and names it
            failures = [error] * len(batch)
        for waiting, failure in zip(batch, failures, strict=True):
            waiting.settle(failure)

    async def _outcomes(self, batch: list[_Waiting]) -> Sequence[BaseException | None]:
        self._metrics.insert_calls.inc()
        if len(batch) == 1:
            await self._put(batch[0].item)
            return [None]
        try:
            outcomes = await self._dynamodb.insert_batch(self._table, [waiting.item for waiting in batch])
        except (Refused, InvalidRecord):
            return await self._one_by_one(batch)
        except Misconfigured as error:
            outcomes = [error]
        if any(isinstance(outcome, Misconfigured) for outcome in outcomes):
            # An older role may put and not insert. That is no fault of a record, and none should pay for it.
            log.error("no_batches", needs="dynamodb:PartiQLInsert")
            self._per_call = 1
            return await self._one_by_one(batch)
        return outcomes

    async def _one_by_one(self, batch: list[_Waiting]) -> Sequence[BaseException | None]:
        """Put each alone, for a batch that was refused as a whole: each gets what it deserves.

        One that was stored all the same meets itself, as after a lost answer.
        """
        alone = (self._put(waiting.item) for waiting in batch)
        return await asyncio.gather(*alone, return_exceptions=True)

    async def _put(self, item: Item) -> None:
        await self._dynamodb.put_item(self._table, item, condition=_ABSENT, return_old_on_failure=True)
