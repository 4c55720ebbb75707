"""One record on its way through a processor, and what comes of it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from services.kernel.core.errors import InvalidRecord, Retryable
from services.kernel.streams.records import Record


class Receiver(Protocol):
    """Who is told what became of a record: the reader of its shard."""

    def acknowledge(self, record: Record) -> None:
        """Its effect is durable."""

    async def reject(self, record: Record, error: InvalidRecord) -> None:
        """It can never be handled; returns once it is kept as a dead letter."""

    def waiting(self, error: Retryable, marked: bool) -> None:
        """It waits for its sink; `marked` when it is read with care."""

    def fail(self, record: Record, error: BaseException) -> None:
        """Its handler raised what nobody foresaw."""


class Tracked:
    """A delivery that tells its shard's reader."""

    __slots__ = ("_receiver", "done", "record")

    def __init__(self, record: Record, receiver: Receiver) -> None:
        self.record = record
        self._receiver = receiver
        self.done: asyncio.Future[None] | None = None  # set while reading with care

    @property
    def alone(self) -> bool:
        """Whether its shard is read with care, so that nothing else comes before this is done or known as harmless."""
        return self.done is not None and not self.done.done()

    def survived(self) -> None:
        """Let who reads with care go on; the record stays open until it is acknowledged."""
        self._finish()

    def acknowledge(self) -> None:
        """See Receiver."""
        self._receiver.acknowledge(self.record)
        self._finish()

    async def reject(self, error: InvalidRecord) -> None:
        """See Receiver."""
        await self._receiver.reject(self.record, error)
        self._finish()

    def waiting(self, error: Retryable) -> None:
        """See Receiver."""
        self._receiver.waiting(error, marked=self.alone)

    def fail(self, error: BaseException) -> None:
        """See Receiver."""
        self._receiver.fail(self.record, error)

    def _finish(self) -> None:
        if self.done is not None and not self.done.done():
            self.done.set_result(None)
