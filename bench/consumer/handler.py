"""The handler that every worker of the bench gives its consumer: note the record's number, or stall.

Standard library only, since the peers run it in an environment of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Sequence

from bench.consumer.ledger import ENTRY

NUMBER_BYTES = 12
"""Each record begins with its number in so many decimal digits."""


def data_of(number: int, size_bytes: int) -> bytes:
    """The record of a number, padded to its size."""
    return b"%012d" % number + b"." * (size_bytes - NUMBER_BYTES)


class LedgerHandler:
    """Writes one entry a record, past every buffer of the process, so that a kill loses none.

    Args:
        path: the worker's ledger.
        stall_s: from the first record on nothing is handled for so long, as by a sink that is away.
    """

    def __init__(self, path: str, stall_s: float = 0.0) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._stall_s = stall_s
        self._until_s: float | None = None

    async def handle(self, data: bytes | str) -> None:
        """Handle one record; returns when its entry is written."""
        if self._stall_s:
            await self._stall()
        os.write(self._file, ENTRY.pack(time.monotonic(), int(data[:NUMBER_BYTES])))

    async def _stall(self) -> None:
        now_s = time.monotonic()
        if self._until_s is None:
            self._until_s = now_s + self._stall_s
        if now_s < self._until_s:
            await asyncio.sleep(self._until_s - now_s)


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What a worker is told; the same for all."""
    parser = argparse.ArgumentParser()
    for name in ("kinesis", "dynamodb", "stream", "application", "ledger"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--stall-s", type=float, default=0.0)
    parser.add_argument("--lease-time-s", type=float, required=True)
    return parser.parse_args(arguments)


def say_ready() -> None:
    """Tell the bench that records may come."""
    print("ready", flush=True)
