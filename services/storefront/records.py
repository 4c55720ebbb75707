"""Reads the table `recommendations`: the pointer, and records of one version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from contracts import codec
from contracts.codec import ContractViolation
from contracts.recommendations import Recommendations
from services.kernel.adapters.dynamodb import Item
from services.kernel.core import logs
from services.kernel.core.retry import Retry
from services.storefront import pointer
from services.storefront.guard import Guard
from services.storefront.memory import Memory
from services.storefront.metrics import StorefrontMetrics
from services.storefront.pointer import Pointer

EVERYWHERE = "everywhere"

_decode = codec.decoder("recommendations", 1)
log = logs.get("records")


class Table(Protocol):
    """What recommendations need of DynamoDB."""

    async def get_item(self, table: str, key: Mapping[str, Any], consistent: bool = True) -> Item | None: ...


class RecordReader:
    """Reads records, each call bounded by the guard; every method raises Retryable where the table is away.

    Args:
        table: physical name of `recommendations`.
        retry: for calls that are throttled or fail; its budget is below the guard's time.
    """

    def __init__(
        self,
        dynamodb: Table,
        table: str,
        guard: Guard,
        memory: Memory,
        metrics: StorefrontMetrics,
        retry: Retry,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._guard = guard
        self._memory = memory
        self._metrics = metrics
        self._retry = retry

    async def pointer(self) -> Pointer | None:
        """Which version the table says is in service, strongly consistent; None where none ever was."""
        return pointer.pointer(await self._item(pointer.SUBJECT, pointer.SUBJECT, "pointer", consistent=True))

    async def everywhere(self, version: str) -> Recommendations:
        """Everybody's list of a version; empty where it has none."""
        found = await self._record(version, EVERYWHERE)
        if found is None:
            return Recommendations(subject=EVERYWHERE, description=None, country=None, lists=[])
        return found[0]

    async def personal(self, version: str, subject: str) -> Recommendations | None:
        """One customer's record, never from memory; None where the version has none."""
        found = await self._record(version, subject)
        return None if found is None else found[0]

    async def shared(self, version: str, subject: str) -> Recommendations | None:
        """A product's or a country's record, from memory if it is there; None where the version has none."""
        kept = self._memory.record(version, subject)
        if kept is not None:
            return kept
        found = await self._record(version, subject)
        if found is None:
            return None
        self._memory.keep(version, *found)
        return found[0]

    async def _record(self, version: str, subject: str) -> tuple[Recommendations, int] | None:
        # Half the price, and enough: a version is flipped to after all of it is written. Where nothing is found
        # it may still be on its way to the copy that was asked.
        item = await self._item(subject, version, "record", consistent=False)
        if item is None:
            item = await self._item(subject, version, "record", consistent=True)
        if item is None:
            return None
        body: bytes = item.get("body", {}).get("B", b"")
        try:
            record = _decode(body)
        except ContractViolation as error:
            self._unreadable(version, error.reason)
            return None
        if record.subject != subject:
            self._unreadable(version, "another subject's")
            return None
        return record, len(body)

    def _unreadable(self, version: str, reason: str) -> None:
        self._metrics.unreadable_records.inc()
        log.error("unreadable record", version=version, reason=reason)

    async def _item(self, subject: str, version: str, what: str, *, consistent: bool) -> Item | None:
        key = {"subject": {"S": subject}, "version": {"S": version}}

        async def once() -> Item | None:
            self._metrics.reads.labels(what=what).inc()
            return await self._dynamodb.get_item(self._table, key, consistent=consistent)

        return await self._guard.call(lambda: self._retry.call(once))
