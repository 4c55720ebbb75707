"""Who delivers: one worker at a time, by a lease in the outbox's table, with the phones' ledger in the same item.

Every claim of a message is one transaction with this item, conditional on its fence: a worker that lost the lease
without knowing can claim nothing any more. It is held by beating; another worker takes it once the beat stood still
for the lease time, by that worker's own clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from services.alarm_notifier.ledger import Ledger
from services.kernel.adapters.dynamodb import ConditionFailed, DynamoDB, Item
from services.kernel.adapters.transaction import Update
from services.kernel.core import logs

BEATS_PER_LEASE_TIME = 4
_KEY: Item = {"incident_id": {"S": "delivery"}, "message_id": {"S": "delivery"}}
_NAMES = {"#owner": "owner"}
_OURS = "#owner = :owner AND fence = :fence"
_ledger = msgspec.json.Decoder(Ledger)

log = logs.get("delivery_lease")


class DeliveryLease:
    """The right to deliver.

    Args:
        table: physical name of the outbox's table.
        owner: unique for ever.
        empty: a ledger of nothing, with the cap and the digest's pace that are in force.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        dynamodb: DynamoDB,
        table: str,
        owner: str,
        lease_s: float,
        empty: Ledger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lock = asyncio.Lock()
        """Held around every write of the item, so that a beat and a claim of ours do not conflict."""
        self.fence = 0
        self.ledger = empty
        self._dynamodb = dynamodb
        self._table = table
        self._owner = owner
        self._lease_s = lease_s
        self._clock = clock
        self.doubted = False
        """Whether a write of the item may have happened or not."""
        self._ours = False
        self._beaten_at_s = 0.0
        self._seen: tuple[int, int] | None = None
        self._seen_at_s = 0.0

    @property
    def held(self) -> bool:
        """Whether we deliver."""
        return self._ours and self._clock() - self._beaten_at_s < self._lease_s

    async def keep(self) -> bool:
        """Beat, or look whether the lease can be had; call it four times in a lease time.

        Returns:
            Whether it has just become ours.
        """
        async with self.lock:
            if self.held:
                await self._beat()
                return False
            self._ours = False
            taken = await self._look()
            self.doubted = False
            return taken

    def doubt(self) -> None:
        """Say that a write of the item may have happened or not: what it holds is read before the next one."""
        self._ours = False
        self.doubted = True

    def write(self, ledger: Ledger) -> Update:
        """The part of a claim's transaction that holds only while the lease is ours."""
        values = {**self._own_values(), ":ledger": {"S": msgspec.json.encode(ledger).decode()}}
        return Update(self._table, _KEY, "SET ledger = :ledger", _OURS, _NAMES, values)

    async def release(self) -> None:
        """Let another worker deliver at once."""
        async with self.lock:
            if not self._ours:
                return
            self._ours = False
            await self._update("SET #owner = :none", _OURS, {**self._own_values(), ":none": {"S": ""}})

    async def _beat(self) -> None:
        asked_at_s = self._clock()
        try:
            await self._update("SET beat = beat + :one", _OURS, {**self._own_values(), ":one": {"N": "1"}})
        except ConditionFailed:
            log.warning("delivery_lease_lost", fence=self.fence)
            self._ours = False
            return
        self._beaten_at_s = asked_at_s

    async def _look(self) -> bool:
        asked_at_s = self._clock()
        item = await self._dynamodb.get_item(self._table, _KEY)
        if item is None:
            return await self._begin(asked_at_s)
        if item["owner"]["S"] == self._owner:
            # The answer to our own write was lost, or we doubted one.
            return self._adopt(item, asked_at_s)
        seen = (int(item["fence"]["N"]), int(item["beat"]["N"]))
        if seen != self._seen:
            self._seen, self._seen_at_s = seen, asked_at_s
        stood_still = asked_at_s - self._seen_at_s >= self._lease_s
        return await self._take(seen, asked_at_s) if stood_still or not item["owner"]["S"] else False

    async def _begin(self, asked_at_s: float) -> bool:
        item = {
            **_KEY,
            "owner": {"S": self._owner},
            "fence": {"N": "1"},
            "beat": {"N": "1"},
            "ledger": {"S": msgspec.json.encode(self.ledger).decode()},
        }
        try:
            await self._dynamodb.put_item(self._table, item, condition="attribute_not_exists(fence)")
        except ConditionFailed:
            return False
        return self._adopt(item, asked_at_s)

    async def _take(self, seen: tuple[int, int], asked_at_s: float) -> bool:
        values = {
            ":owner": {"S": self._owner},
            ":fence": {"N": str(seen[0])},
            ":beat": {"N": str(seen[1])},
            ":one": {"N": "1"},
        }
        update = "SET #owner = :owner, fence = fence + :one, beat = beat + :one"
        try:
            item = await self._update(update, "fence = :fence AND beat = :beat", values)
        except ConditionFailed:
            return False
        return self._adopt(item or {}, asked_at_s)

    def _adopt(self, item: Item, asked_at_s: float) -> bool:
        fence = int(item["fence"]["N"])
        new = fence != self.fence
        kept = _ledger.decode(item["ledger"]["S"])
        self.ledger = replace(kept, cap=self.ledger.cap, digest_every_ms=self.ledger.digest_every_ms)
        self.fence, self._ours, self._beaten_at_s = fence, True, asked_at_s
        if new:
            log.info("delivery_lease_taken", fence=fence)
        return new

    async def _update(self, update: str, condition: str, values: dict[str, Any]) -> Item | None:
        return await self._dynamodb.update_item(
            self._table, _KEY, update, condition=condition, names=_NAMES, values=values
        )

    def _own_values(self) -> dict[str, Any]:
        return {":owner": {"S": self._owner}, ":fence": {"N": str(self.fence)}}
