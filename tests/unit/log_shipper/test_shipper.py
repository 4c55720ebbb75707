"""The shipper: what is read is shipped and acknowledged, and nothing is read that could not be held."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from services.kernel.core.errors import MissingResource, Unavailable
from services.kernel.streams.aggregation import deaggregate
from services.kernel.streams.records import Record
from services.kernel.tail.followed_files import FollowedFiles
from services.kernel.tail.limits import TailLimits
from services.kernel.tail.state_file import StateFile
from services.log_shipper.entry import LineEncoder
from services.log_shipper.log_format import compile_format
from services.log_shipper.metrics import ShipperMetrics
from services.log_shipper.packing import MAX_AGGREGATE_BYTES, packed
from services.log_shipper.shipper import MAX_OPEN_CHUNKS, Pace, Shipper

CREATED = "2026-03-01T12:00:01.000Z"


def members(key: str, data: bytes) -> list[dict[str, object]]:
    records = deaggregate(Record("shard", 1, key, data, 0))
    assert {record.partition_key for record in records} == {key}
    return [json.loads(record.data) for record in records]


class Stream:
    """A stream that takes what it is given once it is open."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.asked = 0
        self.error: Callable[[], BaseException | None] = lambda: None
        self.entries: list[dict[str, object]] = []

    async def put(self, partition_key: str, data: bytes, *, wait: bool = False) -> object:
        assert wait
        self.asked += 1
        await self.open.wait()
        error = self.error()
        if error is not None:
            raise error
        self.entries += members(partition_key, data)
        return None


class Stand:
    """A shipper on a folder of logs."""

    def __init__(self, root: Path, *, open_bytes: int = 1 << 20, drain_s: float = 5.0) -> None:
        self.log = root / "access.log"
        self.state = root / "state"
        self.state.mkdir(exist_ok=True)
        self.stream = Stream()
        self.metrics = ShipperMetrics()
        limits = TailLimits((f"{root}/*.log",), save_interval_s=0.0)
        self.files = FollowedFiles(limits, StateFile(self.state))
        self.files.load()
        encoder = LineEncoder(compile_format("combined"), "web-1")
        pace = Pace(poll_interval_s=0.01, open_bytes=open_bytes, drain_s=drain_s)
        self.stopping = asyncio.Event()
        self.shipper = Shipper(
            self.files,
            encoder,
            self.stream,
            self.metrics,
            pace,
            clock=time.monotonic,
            now=lambda: CREATED,
        )

    def write(self, first: int, last: int) -> None:
        with self.log.open("a") as file:
            for n in range(first, last):
                file.write(f'192.0.2.1 - - [01/Mar/2026:12:00:00 +0000] "GET /{n} HTTP/1.1" 200 5 "-" "x"\n')

    def shipped(self) -> list[int]:
        """The numbers of the lines that the stream has, in order of their offsets."""
        ordered = sorted(self.stream.entries, key=lambda one: one["log"]["offset"])  # type: ignore[index]
        return [int(str(one["url"]["path"])[1:]) for one in ordered]  # type: ignore[index]

    def sample(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(f"cadabra_log_shipper_{name}") or 0.0

    async def until(self, condition: Callable[[], bool], task: asyncio.Task[None]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline
            if task.done():
                await task
            await asyncio.sleep(0.005)


async def test_lines_arrive_and_the_position_passes_them(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.write(0, 5000)
    run = asyncio.create_task(stand.shipper.run(stand.stopping))
    await stand.until(lambda: len(stand.stream.entries) == 5000, run)
    stand.stopping.set()
    await run
    assert stand.shipped() == list(range(5000))
    (stored,) = StateFile(stand.state).load()
    assert stored.place.offset == stand.log.stat().st_size
    assert stand.sample("lines_shipped_total") == stand.sample("lines_read_total") == 5000
    assert stand.sample("lag_bytes") == 0
    assert stand.sample("open_bytes") == 0


async def test_while_the_stream_is_away_a_bounded_amount_is_read_and_nothing_is_lost(tmp_path: Path) -> None:
    stand = Stand(tmp_path, open_bytes=400_000)
    stand.write(0, 30_000)
    stand.stream.open.clear()
    run = asyncio.create_task(stand.shipper.run(stand.stopping))
    await stand.until(lambda: stand.sample("open_bytes") >= 400_000, run)
    read = 0.0
    for number in (30_000, 30_001):  # it looks on, and reads nothing
        stand.write(number, number + 1)
        await stand.until(lambda: stand.sample("lag_bytes") == stand.log.stat().st_size, run)
        before, read = read, stand.sample("lines_read_total")
    assert read == before < 8000
    assert stand.sample("oldest_unread_s") > 0
    stand.stream.open.set()
    await stand.until(lambda: len(stand.stream.entries) == 30_002, run)
    stand.stopping.set()
    await run
    assert stand.shipped() == list(range(30_002))


async def test_a_stream_that_fails_is_asked_again(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    failures = [Unavailable("away")] * 3
    stand.stream.error = lambda: failures.pop() if failures else None
    stand.write(0, 10)
    run = asyncio.create_task(stand.shipper.run(stand.stopping))
    await stand.until(lambda: len(stand.stream.entries) == 10, run)
    stand.stopping.set()
    await run
    assert stand.sample("put_retries_total") == 0  # by error alone
    assert (
        stand.metrics.registry.get_sample_value(
            "cadabra_log_shipper_put_retries_total", {"error": "Unavailable"}
        )
        == 3
    )


async def test_a_put_that_can_never_succeed_ends_it_and_the_lines_come_again(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.stream.error = lambda: MissingResource("stream")
    stand.write(0, 10)
    with pytest.raises(MissingResource):
        await stand.shipper.run(stand.stopping)
    again = Stand(tmp_path)
    run = asyncio.create_task(again.shipper.run(again.stopping))
    await again.until(lambda: len(again.stream.entries) == 10, run)
    again.stopping.set()
    await run
    assert again.shipped() == list(range(10))


async def test_a_drain_waits_no_longer_than_it_may(tmp_path: Path) -> None:
    stand = Stand(tmp_path, drain_s=0.05)
    stand.stream.open.clear()
    stand.write(0, 10)
    run = asyncio.create_task(stand.shipper.run(stand.stopping))
    await stand.until(lambda: stand.stream.asked > 0, run)
    stand.stopping.set()
    await run
    assert stand.stream.entries == []
    (stored,) = StateFile(stand.state).load()
    assert stored.place.offset == 0


async def test_lines_that_cannot_be_read_are_shipped_and_counted(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.log.write_bytes(b"no log line\n" + b"\xff\x00" * 40_000 + b"\n")
    run = asyncio.create_task(stand.shipper.run(stand.stopping))
    await stand.until(lambda: len(stand.stream.entries) == 2, run)
    stand.stopping.set()
    await run
    assert [one["error"]["type"] for one in stand.stream.entries] == ["no_match", "line_too_long"]  # type: ignore[index]
    unparsed = [
        stand.metrics.registry.get_sample_value(
            "cadabra_log_shipper_lines_unparsed_total", {"reason": reason}
        )
        for reason in ("no_match", "line_too_long")
    ]
    assert unparsed == [1, 1]


def test_an_aggregate_is_of_one_block_and_within_its_bound() -> None:
    offsets = [n * 1000 for n in range(200)] + [199_500]
    records = [b'{"n":%d,"x":"%s"}' % (n, b"x" * 6000) for n in range(200)] + [
        b'{"n":200,"x":"%s"}' % (b"y" * 300_000)
    ]
    seen: list[object] = []
    for key, data, count in packed("g" * 32, offsets, records):
        found = members(key, data)
        assert len(found) == count
        assert len(data) <= MAX_AGGREGATE_BYTES or count == 1
        numbers = [int(str(one["n"])) for one in found]
        assert {f"{'g' * 32}/{offsets[n] // 65_536}" for n in numbers} == {key}
        seen += numbers
    assert seen == list(range(201))


def test_the_bounds_that_the_readme_tells_of() -> None:
    assert (MAX_OPEN_CHUNKS, MAX_AGGREGATE_BYTES) == (256, 262_144)
