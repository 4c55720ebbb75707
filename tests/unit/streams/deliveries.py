"""Deliveries that remember what became of them, for the tests of what handles records."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.kernel.core.errors import InvalidRecord, Retryable
from services.kernel.streams.processor import Delivery, Processor
from services.kernel.streams.records import Record

TIMEOUT_S = 5


class Given:
    """A delivery that remembers what became of it."""

    def __init__(
        self, key: str, number: int, told: list[str], data: bytes = b"x", alone: bool = False
    ) -> None:
        self.record = Record("s", number, key, data, 0)
        self.alone = alone
        self._told = told

    def acknowledge(self) -> None:
        self._told.append(f"done {self.record.sequence_number}")

    async def reject(self, error: InvalidRecord) -> None:
        await asyncio.sleep(0)
        self._told.append(f"rejected {self.record.sequence_number} {error.reason}")

    def survived(self) -> None:
        raise AssertionError("nobody here says so before the end")

    def waiting(self, error: Retryable) -> None:
        self._told.append(f"waiting {self.record.sequence_number} {type(error).__name__}")

    def fail(self, error: BaseException) -> None:
        self._told.append(f"failed {self.record.sequence_number} {type(error).__name__}")


def deliveries(told: list[str], *keys: str, first: int = 1) -> Sequence[Delivery]:
    return [Given(key, number, told) for number, key in enumerate(keys, first)]


async def drained(processor: Processor) -> None:
    await asyncio.wait_for(processor.drain(), TIMEOUT_S)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
