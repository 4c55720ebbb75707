"""log_shipper as a process on the real engine: its README's promises, told by what the stream holds."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from services.kernel.tail.state_file import SLOTS
from tests import processes
from tests.component.order_path import until
from tests.component.shipper_path import ShipperPath, line, shipper_path
from tests.conftest import StartService
from tests.engines import Engines, local_environment
from tests.fault import faults
from tests.fault.proxy import FaultProxy
from tests.processes import ROOT, ServiceProcess


@pytest.fixture
async def path(
    engines: Engines, namespace: str, start_service: StartService, tmp_path: Path
) -> AsyncIterator[ShipperPath]:
    async with shipper_path(engines, namespace, start_service, tmp_path) as made:
        yield made


def all_there(path: ShipperPath, numbers: set[int]) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return set(await path.numbers()) >= numbers

    return condition


async def sample(service: ServiceProcess, name: str) -> float:
    return (await service.metrics()).get(f"cadabra_log_shipper_{name}", 0.0)


def reaches(service: ServiceProcess, name: str, least: float) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return await sample(service, name) >= least

    return condition


async def test_a_live_log_is_shipped_through_rename_and_copytruncate(path: ShipperPath) -> None:
    service = await path.start()
    path.write("access.log", 0, 100)
    await until(all_there(path, set(range(100))), "the first lines")
    (path.logs / "access.log").rename(path.logs / "access.log.1")
    path.write("access.log.1", 100, 150)
    path.write("access.log", 150, 300)
    await until(all_there(path, set(range(300))), "both files")
    shutil.copy(path.logs / "access.log", path.logs / "access.log.copy")
    os.truncate(path.logs / "access.log", 0)
    path.write("access.log", 300, 310)
    await until(all_there(path, set(range(310))), "the truncated file")
    await until(reaches(service, 'files{state="finished"}', 2), "both old ones are finished")
    numbers = await path.numbers()
    assert set(numbers.values()) == {1}
    entries = await path.entries()
    assert {entry["log"]["file"]["path"] for entry in entries} == {str(path.logs / "access.log")}
    assert {entry["host"]["name"] for entry in entries} == {"web-1"}
    assert len({entry["generation"] for entry in entries}) == 3
    metrics = await service.metrics()
    told = {name.removeprefix("cadabra_log_shipper_"): value for name, value in metrics.items()}
    assert told["lines_read_total"] == told["lines_shipped_total"] == 310
    assert told['rotations_total{kind="renamed"}'] == told['rotations_total{kind="copied"}'] == 1
    assert told["lag_bytes"] == told["lost_bytes_total"] == told["lost_possible_total"] == 0


async def test_a_drain_ends_with_nothing_open_and_the_next_start_repeats_nothing(path: ShipperPath) -> None:
    service = await path.start()
    path.write("access.log", 0, 8_000)
    await until(reaches(service, "lines_read_total", 1), "it reads")
    service.terminate()
    assert await service.wait() == 0
    drained = len(await path.numbers())
    again = await path.start()
    await until(all_there(path, set(range(8_000))), "the rest")
    assert await sample(again, "lines_read_total") == 8_000 - drained
    assert any(one["event"] == "following" for one in service.log_lines())
    assert not any(one["event"] == "following" for one in again.log_lines())
    assert set((await path.numbers()).values()) == {1}


async def test_while_kinesis_is_away_reading_stops_and_goes_on_by_itself(
    path: ShipperPath, engines: Engines
) -> None:
    async with FaultProxy(engines.kinesis, seed=1) as proxy:
        service = await path.start(CADABRA_KINESIS_ENDPOINT=proxy.url, CADABRA_MAX_OPEN_BYTES="1048576")
        rule = proxy.add(faults.Outage(), "PutRecords")
        path.write("access.log", 0, 12_000)
        await until(reaches(service, "open_bytes", 1_048_576), "the bound is reached")
        read = 0.0
        for number in (12_000, 12_001):
            path.write("access.log", number, number + 1)
            lag = (path.logs / "access.log").stat().st_size
            await until(reaches(service, "lag_bytes", lag), "it looks on")
            before, read = read, await sample(service, "lines_read_total")
        assert read == before < 8_000
        assert await sample(service, "open_bytes") < 1_048_576 + 8 * 262_144
        assert await sample(service, "oldest_unread_s") > 0
        rule.lift()
        await until(all_there(path, set(range(12_002))), "everything arrives")
    assert service.running


async def test_a_second_shipper_waits_not_ready(path: ShipperPath, engines: Engines, tmp_path: Path) -> None:
    first = await path.start()
    environment = {
        **local_environment(engines),
        **path.settings(),
        "CADABRA_NAMESPACE": path.namespace,
        "CADABRA_RUN_ID": engines.run_id,
    }
    second = processes.launch("services.log_shipper", tmp_path, environment)
    try:

        async def says_so() -> bool:
            return any(one["event"] == "waiting_for_lock" for one in second.log_lines())

        await until(says_so, "it says what it waits for")
        ready = second.log_file.with_suffix(".ready")
        assert not ready.exists()
        path.write("access.log", 0, 10)
        await until(all_there(path, set(range(10))), "the first one ships")
        first.kill9()

        async def is_ready() -> bool:
            return ready.exists()

        await until(is_ready, "the second takes over")
        path.write("access.log", 10, 20)
        await until(all_there(path, set(range(20))), "the second one ships")
        assert set((await path.numbers()).values()) == {1}
    finally:
        second.kill9()


async def test_what_is_missing_is_said_before_ready(path: ShipperPath) -> None:
    with pytest.raises(RuntimeError, match=r"exit code 78\)[\s\S]*CADABRA_STATE_FOLDER"):
        await path.start(CADABRA_STATE_FOLDER="/nowhere")
    with pytest.raises(RuntimeError, match=r"exit code 78\)[\s\S]*CADABRA_LOG_GLOBS"):
        await path.start(CADABRA_LOG_GLOBS="access.log")
    with pytest.raises(RuntimeError, match=r"exit code 69\)[\s\S]*access-logs"):
        await path.start(CADABRA_NAMESPACE="none")
    for slot in SLOTS:
        (path.root / "state" / slot).write_bytes(b"half a fi")
    with pytest.raises(RuntimeError, match=r"exit code 78\)[\s\S]*no whole copy"):
        await path.start()


async def test_a_stream_that_is_deleted_ends_it_loudly(path: ShipperPath) -> None:
    service = await path.start()
    await path.remove_stream()
    path.write("access.log", 0, 10)
    assert await service.wait() == 69
    assert any(one["event"] == "unavailable" and path.stream in one["reason"] for one in service.log_lines())
    await path.make_stream(1)
    await path.start()
    await until(all_there(path, set(range(10))), "nothing is lost")


async def test_the_parse_command_needs_no_settings(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(line(7))
    told = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.log_shipper", "parse", str(tmp_path / "access.log")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(told.stdout)["url"]["path"] == "/7"
