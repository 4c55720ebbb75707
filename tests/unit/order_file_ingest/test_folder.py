"""The worker over a folder: parts, positions, bad lines, changed files, restarts, two workers."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from services.order_file_ingest.known_files import EXEMPT, PAUSED, REFUSED
from services.order_file_ingest.resume import resume
from tests.unit.order_file_ingest.harness import SOURCE, Bench, expected_ids, order_line, until


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A folder with a worker's surroundings."""
    return Bench(tmp_path)


def append(path: Path, data: bytes) -> None:
    """What a writer does."""
    with path.open("ab") as file:
        file.write(data)


async def test_consecutive_lines_of_one_invoice_and_time_are_one_part(bench: Bench) -> None:
    lines = [order_line(1, 0), order_line(1, 1), order_line(1, 2, minute=27), order_line(2), order_line(1, 3)]
    (bench.folder / "a.csv").write_bytes(b"".join(lines))
    async with bench.running():
        await bench.until_read("a.csv")
    assert [(one.order_id, len(one.lines)) for one in bench.stream.orders] == [
        ("1", 2),
        ("1", 1),
        ("2", 1),
        ("1", 1),
    ]
    assert bench.stream.keys == ["shop/1", "shop/1", "shop/2", "shop/1"]
    assert set(bench.stream.lines) == expected_ids(bench.folder)


async def test_a_large_invoice_is_cut_and_is_whole(bench: Bench) -> None:
    lines = [order_line(1, n, description="D" * 300) for n in range(3000)]
    (bench.folder / "a.csv").write_bytes(b"".join(lines))
    async with bench.running():
        await bench.until_read("a.csv")
    assert len(bench.stream.orders) > 4
    assert set(bench.stream.lines) == expected_ids(bench.folder)


async def test_the_last_part_waits_for_the_idle_time_and_a_half_line_for_its_end(bench: Bench) -> None:
    path = bench.folder / "a.csv"
    path.write_bytes(order_line(1)[:20])
    async with bench.running():
        await until(lambda: bench.metric("files", state="unfinished") == 1)
        assert bench.offset("a.csv") == 0
        append(path, order_line(1)[20:])
        await bench.until_read("a.csv")
        append(path, order_line(1, 1) + order_line(2)[:5])
        await until(lambda: len(bench.stream.orders) == 2)
        append(path, order_line(2)[5:])
        await bench.until_read("a.csv")
        await until(lambda: bench.metric("files", state="done") == 1)
    assert set(bench.stream.lines) == expected_ids(bench.folder)
    assert all(entry.owner is None for entry in bench.positions.entries.values())


async def test_bad_lines_are_rejected_with_place_and_bytes_and_do_not_cut_an_order(bench: Bench) -> None:
    bad = [b"not a row\n", b"1,S,\xff,1,2010-12-01 08:26:00,1,,France\n", b"x" * 5000 + b"\n"]
    content = order_line(1) + bad[0] + order_line(1, 1) + bad[1] + bad[2] + b"\n" + order_line(1, 2)
    (bench.folder / "a.csv").write_bytes(content)
    async with bench.running():
        await bench.until_read("a.csv")
    assert [len(one.lines) for one in bench.stream.orders] == [3]
    letters = sorted(bench.rejects.letters, key=lambda letter: int(letter["offset"]))
    assert [one["reason"] for one in letters] == ["csv_malformed", "invalid_encoding", "line_too_long"]
    assert [one["offset"] for one in letters] == [content.index(one) for one in bad]
    assert [one["data"] for one in letters] == [bad[0][:-1], bad[1][:-1], bad[2][:4096]]
    assert {(one["file"], one["source"]) for one in letters} == {("a.csv", SOURCE)}


async def test_the_position_passes_a_bad_line_only_once_it_is_durable(bench: Bench) -> None:
    bench.rejects.away = True
    (bench.folder / "a.csv").write_bytes(order_line(1) + b"bad\n" + order_line(2))
    async with bench.running():
        await until(lambda: len(bench.stream.orders) == 2)
        await until(lambda: bench.offset("a.csv") == len(order_line(1)))
        bench.rejects.away = False
        await bench.until_read("a.csv")


async def test_a_stream_that_is_away_stops_reading_and_loses_nothing(bench: Bench) -> None:
    bench.stream.away, bench.open_bytes = True, 20_000
    (bench.folder / "a.csv").write_bytes(b"".join(order_line(n) for n in range(2000)))
    async with bench.running():
        await until(lambda: bench.metric("put_retries_total", error="Unavailable") > 20)
        assert bench.offset("a.csv") == 0
        assert bench.metric("open_bytes") < 20_000 + 1_000  # the bound, and the record that passed it
        bench.stream.away = False
        await bench.until_read("a.csv")
    assert set(bench.stream.lines) == expected_ids(bench.folder)
    assert bench.metric("open_bytes") == 0


async def test_a_stop_while_the_stream_is_away_keeps_the_position(bench: Bench) -> None:
    (bench.folder / "a.csv").write_bytes(order_line(1) + order_line(2))
    bench.stream.away = True
    async with bench.running():
        await until(lambda: bench.metric("put_retries_total", error="Unavailable") > 2)
    assert bench.offset("a.csv") == 0
    bench.stream.away = False
    async with bench.running("two"):
        await bench.until_read("a.csv")
    assert set(bench.stream.lines) == expected_ids(bench.folder)


async def test_a_copy_under_the_same_name_changes_nothing(bench: Bench) -> None:
    path, content = bench.folder / "a.csv", b"".join(order_line(n) for n in range(200))
    path.write_bytes(content)
    async with bench.running():
        await bench.until_read("a.csv")
        sent = len(bench.stream.orders)
        path.write_bytes(b"")
        await until(lambda: bench.metric("files", state="waiting") == 1)
        append(path, content[:1000])
        append(path, content[1000:])
        await until(lambda: bench.metric("files", state="done") == 1)
        path.unlink()
        await until(lambda: bench.metric("files", state="done") == 0)
        path.write_bytes(content + order_line(999))
        await bench.until_read("a.csv")
    assert len(bench.stream.orders) == sent + 1
    assert bench.rejects.letters == []


@pytest.mark.parametrize("held", [True, False])
async def test_other_bytes_under_the_same_name_are_refused_once_until_the_old_ones_are_back(
    bench: Bench, held: bool
) -> None:
    bench.hold_s = 60.0 if held else 0.1
    path, content = bench.folder / "a.csv", order_line(1) + order_line(2)
    path.write_bytes(content)
    async with bench.running():
        await bench.until_read("a.csv")
        path.write_bytes(order_line(3) + order_line(4) + order_line(5))
        await until(lambda: bench.metric("files", state="refused") == 1)
        append(path, order_line(6))
        await asyncio.sleep(0.2)
    async with bench.running("two"):
        await until(lambda: bench.metric("files", state="refused") == 1)
        assert bench.state("a.csv") == REFUSED
        (letter,) = bench.rejects.letters
        assert (letter["reason"], letter["file"], letter["offset"]) == ("file_changed", "a.csv", len(content))
        assert letter["data"].startswith(order_line(3))
        path.write_bytes(content + order_line(7))
        await bench.until_read("a.csv")
    assert {one.order_id for one in bench.stream.orders} == {"1", "2", "7"}
    assert len(bench.rejects.letters) == 1


async def test_a_file_that_stays_shorter_is_refused(bench: Bench) -> None:
    path = bench.folder / "a.csv"
    path.write_bytes(order_line(1) + order_line(2))
    async with bench.running():
        await bench.until_read("a.csv")
        path.write_bytes(order_line(3))
        await until(lambda: bench.metric("files", state="refused") == 1)
    assert [one["reason"] for one in bench.rejects.letters] == ["file_changed"]


async def test_too_many_bad_lines_pause_one_file_and_resume_lets_it_go_on(bench: Bench) -> None:
    (bench.folder / "bad.csv").write_bytes(b"".join(b"bad\n" + order_line(n) for n in range(500)))
    (bench.folder / "good.csv").write_bytes(b"".join(order_line(n) for n in range(500)))
    async with bench.running():
        await bench.until_read("good.csv")
        await until(lambda: bench.metric("files", state="paused") == 1)
        assert bench.state("bad.csv") == PAUSED
        assert len(bench.rejects.letters) == 100
        assert bench.metric("file_errors_total", kind="paused") == 1
        assert (await resume(bench.positions, SOURCE, "bad.csv", whole=False)).startswith("resumed")
        await until(lambda: len(bench.rejects.letters) == 200)
        await until(lambda: bench.state("bad.csv") == PAUSED)
        assert (await resume(bench.positions, SOURCE, "bad.csv", whole=True)).startswith("resumed")
        await bench.until_read("bad.csv")
        assert bench.state("bad.csv") == EXEMPT
    assert len(bench.rejects.letters) == 500
    assert (await resume(bench.positions, SOURCE, "good.csv", whole=True)).startswith("not paused")
    assert (await resume(bench.positions, SOURCE, "none.csv", whole=True)).startswith("unknown")


async def test_an_unreadable_file_stops_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:

    real_open = os.open

    def refuse(path: object, *arguments: int) -> int:
        if str(path).endswith("secret.csv"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("services.kernel.tail.files.os.open", refuse)
    for name in ("secret.csv", "z.csv"):
        (bench.folder / name).write_bytes(order_line(name[0]))
    async with bench.running():
        await bench.until_read("z.csv")
        await until(lambda: bench.metric("files", state="unreadable") == 1)
    assert bench.metric("file_errors_total", kind="unreadable") >= 1


async def test_more_files_than_places_are_all_read(bench: Bench) -> None:
    bench.max_files, bench.hold_s = 2, 60.0
    names = [f"{n:02d}.csv" for n in range(9)]
    for name in names:
        (bench.folder / name).write_bytes(order_line(name[:2]))
    async with bench.running():
        await bench.until_read(*names)


async def test_two_workers_share_a_folder_and_the_dead_ones_files_are_taken_over(bench: Bench) -> None:
    bench.hold_s = 60.0
    names = [f"{n}.csv" for n in range(4)]
    for name in names:
        (bench.folder / name).write_bytes(order_line(1))
    async with bench.running("one") as one:
        await bench.until_read(*names)
        one.cancel()  # dies without a word, every lease held
        await asyncio.wait({one})
        for name in names:
            append(bench.folder / name, order_line(2))
        assert {entry.owner for entry in bench.positions.entries.values()} == {"one"}
        async with bench.running("two"):
            await until(lambda: bench.metric("files", state="elsewhere") == 4)
            await bench.until_read(*names)
    assert set(bench.stream.lines) == expected_ids(bench.folder)


@pytest.mark.parametrize("seed", range(6))
async def test_restarts_and_deaths_anywhere_give_the_same_lines(bench: Bench, seed: int) -> None:
    rng = random.Random(seed)
    bench.lease_time_s, bench.idle_s = 0.3, 0.02
    bench.open_bytes = rng.choice([2_000, 1024 * 1024])
    writes = [
        (f"{rng.randrange(3)}.csv", order_line(rng.randrange(4), n, minute=rng.randrange(2)))
        for n in range(300)
    ]
    for turn in range(6):
        task = asyncio.create_task(bench.worker(f"w{turn}").run(stopping := asyncio.Event()))
        for name, data in writes[turn * 50 : turn * 50 + 50]:
            cut = rng.randrange(len(data))
            append(bench.folder / name, data[:cut])
            if rng.random() < 0.1:
                await asyncio.sleep(rng.choice([0, 0.01, 0.05]))
            append(bench.folder / name, data[cut:])
        bench.stream.away = rng.random() < 0.3
        if rng.random() < 0.5:
            stopping.set()
        else:
            await asyncio.sleep(rng.choice([0, 0.02]))
            task.cancel()
        await asyncio.wait({task})
    bench.stream.away = False
    names = [path.name for path in bench.folder.glob("*.csv")]
    async with bench.running("last"):
        await bench.until_read(*names)
    assert set(bench.stream.lines) == expected_ids(bench.folder)
    assert bench.rejects.letters == []
