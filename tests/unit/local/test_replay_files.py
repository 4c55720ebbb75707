"""Order files grow by appends that end anywhere; the ledger claims exactly the lines that are whole on the disk."""

from __future__ import annotations

import asyncio
import lzma
import random
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import replay_files, retail
from deploy.local.ledger import Ledger

MORE_THAN_A_WEEK = 40_000  # lines


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> list[retail.RetailLine]:
    """Read from the end of the file alone; rows count from there."""
    path = tmp_path_factory.mktemp("week") / "end.csv.xz"
    path.write_bytes(
        lzma.compress(retail.HEADER + b"".join(deque(retail.texts(), MORE_THAN_A_WEEK)), preset=0)
    )
    index = retail.spans(path)
    begin = retail.last_week_begins(index)
    assert begin == "2011-12-02T12:50:00.000Z"
    assert sum(span.first_time >= begin for span in index.values()) == 782
    return [line for line in retail.lines(path) if index[line.invoice_no].first_time >= begin]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.jsonl", "run") as held:
        yield held


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_files, "PAUSE_S", 0.0)


def test_the_last_week_fills_files_and_cuts_invoices_between_them(week: list[retail.RetailLine]) -> None:
    files = replay_files.plan(week)
    assert sum(len(file.lines) for file in files) == 21_760
    assert len({file.name for file in files}) == len(files) == 8
    assert [file.name for file in files] == sorted(file.name for file in files)
    assert len(replay_files.cut_invoices(files)) >= 1


async def test_the_ledger_names_each_line_by_row_and_offset(
    tmp_path: Path, week: list[retail.RetailLine], ledger: Ledger
) -> None:
    files = replay_files.plan(week)
    await replay_files.write(files, tmp_path / "files", "shop-files", ledger, rng=random.Random(1))
    rows = []
    for file in files:
        content = (tmp_path / "files" / file.name).read_bytes()
        assert content == b"".join(line.text for line in file.lines)
        for line, durable in zip(file.lines, ledger.files[file.name], strict=True):
            assert durable.row == line.row
            assert content.startswith(line.text, durable.offset)
            rows.append(line.row)
    assert rows == [line.row for line in week]
    assert set(ledger.file_sources.values()) == {"shop-files"}


@pytest.mark.parametrize("seed", range(3))
async def test_a_write_that_was_stopped_anywhere_is_gone_on_with(
    tmp_path: Path, week: list[retail.RetailLine], ledger: Ledger, seed: int
) -> None:
    files = replay_files.plan(week[:2000], lines_per_file=700)
    rng, appends = random.Random(seed), 0
    stop_after = rng.randrange(1, 4)

    async def until_stopped(_: str) -> None:
        nonlocal appends
        appends += 1
        if appends > stop_after:
            raise asyncio.CancelledError

    folder = tmp_path / "files"
    with pytest.raises(asyncio.CancelledError):
        await replay_files.write(files, folder, "s", ledger, until_stopped, random.Random(seed))
    for name, durable in ledger.files.items():
        whole_lines = (folder / name).read_bytes().count(b"\n")
        assert len(durable) == whole_lines

    await replay_files.write(files, folder, "s", ledger, rng=random.Random(seed + 100))
    assert [line.row for held in ledger.files.values() for line in held] == [line.row for line in week[:2000]]
    assert b"".join((folder / file.name).read_bytes() for file in files) == b"".join(
        line.text for line in week[:2000]
    )


async def test_appends_end_inside_lines(
    tmp_path: Path, week: list[retail.RetailLine], ledger: Ledger
) -> None:
    (file,) = replay_files.plan(week[:3000])
    path, inside = tmp_path / "files" / file.name, 0

    async def look(_: str) -> None:
        nonlocal inside
        if path.exists():
            inside += not path.read_bytes().endswith(b"\n")

    await replay_files.write([file], path.parent, "s", ledger, look, random.Random(7))
    assert inside > 0
