"""The last week as order files: they grow in appends that end anywhere, and invoices go on in the next one."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from deploy.local.ledger import FileLine, Ledger
from deploy.local.retail import RetailLine

LINES_PER_FILE = 3000
FLUSH_BYTES = (4 * 1024, 96 * 1024)
"""The smallest and the largest append."""
PAUSE_S = 0.02
"""Between two appends at full speed, so that a reader sees files that are half written."""

Wait = Callable[[str], Awaitable[None]]


class PlannedFile(NamedTuple):
    """One order file before it is written: its name and its lines, the same in every run."""

    name: str
    lines: Sequence[RetailLine]


def plan(lines: Sequence[RetailLine], lines_per_file: int = LINES_PER_FILE) -> list[PlannedFile]:
    """Divides lines over files without looking at invoices, as a shop that rotates its log by size does.

    Args:
        lines: in the order in which the shop wrote them.
        lines_per_file: at least 1.
    """
    files = []
    for number, start in enumerate(range(0, len(lines), lines_per_file), 1):
        held = lines[start : start + lines_per_file]
        files.append(PlannedFile(f"orders-{held[0].ordered_at[:10]}-{number:03}.csv", held))
    return files


def cut_invoices(files: Sequence[PlannedFile]) -> list[str]:
    """The invoices whose lines are in more than one file."""
    homes: dict[str, set[str]] = {}
    for file in files:
        for line in file.lines:
            homes.setdefault(line.invoice_no, set()).add(file.name)
    return [invoice_no for invoice_no, names in homes.items() if len(names) > 1]


async def write(
    files: Sequence[PlannedFile],
    folder: Path,
    source: str,
    ledger: Ledger,
    wait_until: Wait | None = None,
    rng: random.Random | None = None,
) -> None:
    """Writes files one after another and tells the ledger of each line once it is synced to the disk.

    A file that a stopped run left is gone on with at its last byte.

    Args:
        source: the sender that the file ingest reads this folder for.
        wait_until: called before each append with the event time of its first line; None is full speed.
    """
    sizes = rng or random.Random()
    for file in files:
        await _write_one(file, folder / file.name, source, ledger, wait_until, sizes)


async def _write_one(
    file: PlannedFile, path: Path, source: str, ledger: Ledger, wait_until: Wait | None, sizes: random.Random
) -> None:
    content = b"".join(line.text for line in file.lines)
    lines = _placed(file)
    known = len(ledger.files.get(file.name, ()))
    size_bytes = await asyncio.to_thread(_size, path)
    while True:
        durable = [placed for placed, end in lines[known:] if end <= size_bytes]
        ledger.file_lines(file.name, source, durable)
        known += len(durable)
        if size_bytes >= len(content):
            return
        end = min(len(content), size_bytes + sizes.randint(*FLUSH_BYTES))
        if wait_until is None:
            await asyncio.sleep(PAUSE_S)
        else:
            await wait_until(file.lines[min(known, len(lines) - 1)].ordered_at)
        await asyncio.to_thread(_append, path, content[size_bytes:end])
        size_bytes = end


def _size(path: Path) -> int:
    """How much a stopped run left; makes the folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.stat().st_size if path.exists() else 0


def _placed(file: PlannedFile) -> list[tuple[FileLine, int]]:
    """Every line's place in the raw input and in the file, with the offset of its end."""

    def each() -> Iterator[tuple[FileLine, int]]:
        offset = 0
        for line in file.lines:
            end = offset + len(line.text)
            yield FileLine(line.row, offset), end
            offset = end

    return list(each())


def _append(path: Path, block: bytes) -> None:
    """Appends and syncs the file, and its folder too, where its name may be new."""
    with path.open("ab") as file:
        file.write(block)
        file.flush()
        os.fsync(file.fileno())
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
