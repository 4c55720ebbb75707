"""The job as a process on the real engines: what it tells, what it rejects, what it keeps over an upgrade.

One job serves the tests of this file in order, for it takes half a minute to start; each sends orders of its own time.
"""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator

import pytest

from contracts import codec
from deploy.local import flink_package, processes
from deploy.local.engines import engine, flink_parts
from tests.alarm_path import AlarmPath, alarm_path, now_ms, order_at, read_stream, steady_baseline
from tests.component.order_path import until
from tests.engines import Engines

RULES = {"gap_s": "5", "resolve_s": "5", "grace_s": "1"}
MEBIBYTE = 2**20


@pytest.fixture(scope="module")
async def path(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AlarmPath]:
    folder = tmp_path_factory.mktemp("job")
    async with alarm_path(engines, "t-alarm", folder) as made:
        await made.start(RULES)
        yield made


async def send(path: AlarmPath, orders: list[codec.Order], key: str = "shop/one") -> None:
    """Put orders into one and the same shard."""
    for order in orders:
        await path.orders.put(codec.encode(order), key)


async def test_a_surge_in_one_shard_fires_while_the_others_are_idle(path: AlarmPath) -> None:
    start_ms = now_ms() - 90_000  # not so long ago that the stream counts as read from behind
    await send(path, [order_at(f"surge-{at}", start_ms + at * 100) for at in range(10)])

    async def fired() -> list[dict[str, object]]:
        return [one for one in await path.told() if one["state"] == "firing"]

    first = (await until(fired, "the incident fires"))[0]
    assert (first["rule"], first["key"], first["direction"]) == ("threshold", "total", "surge")
    assert (first["observed"], first["expected"], first["baseline_version"]) == (10, None, None)
    assert first["window_start"] < first["window_end"] <= first["detected_at"]
    await send(path, [order_at("after", now_ms())])

    async def resolved() -> bool:
        return any(
            one["state"] == "resolved" and one["incident_id"] == first["incident_id"]
            for one in await path.told()
        )

    # On a machine so busy that the surge was read late the stream counts as read from behind, for another half minute.
    await until(resolved, "the incident is over", 75)


async def test_what_cannot_be_decoded_goes_to_rejected_with_its_bytes(path: AlarmPath) -> None:
    junk, large = b"\xff\xfe\x00 junk", b"[" + b"\xc3\xa9" * 300_000 + b"]"
    broken = codec.encode(order_at("broken", now_ms())).replace(b'"GBP"', b'"pounds"')
    for data in (junk, broken, large):
        await path.orders.put(data, "shop/bad")

    async def three() -> bool:
        return len(await path.orders.rejected()) == 3

    await until(three, "three dead letters")
    letters = {bytes(letter["data"]): letter for letter in await path.orders.rejected()}
    assert letters.keys() == {junk, broken, large}
    assert [letters[data]["reason"] for data in (junk, broken, large)] == [
        "invalid_json",
        "contract_violation",
        "invalid_json",
    ]
    assert [detail["pointer"] for detail in letters[broken]["details"]] == ["/currency"]
    assert letters[large]["chunks"] == 2
    for letter in letters.values():
        assert (letter["service"], letter["stream"]) == (
            "order_rate_alarm",
            f"{path.orders.namespace}-orders",
        )
        assert (letter["shard_id"], letter["sequence_number"], letter["file"]) == (None, None, None)
    for record in await read_stream(path.orders, "rejected"):
        assert record.partition_key in {letter["rejected_id"] for letter in letters.values()}
    assert await path.figure("records_rejected") == 3


async def test_metrics_show_the_detectors_own_figures(path: AlarmPath) -> None:
    assert await path.figure("orders_counted") == 11
    assert (await path.figure("heartbeats") or 0) >= 1
    assert (await path.figure("records_told") or 0) >= 2
    assert await path.figure("baselines_loaded") == 0


async def test_it_listens_on_loopback_only_and_stays_within_its_memory(path: AlarmPath) -> None:
    assert path.job is not None
    for pid in processes.tree(path.job.pid):
        assert all(one.startswith("127.0.0.1:") for one in processes.listening_addresses(pid)), pid
        usage = processes.usage(pid)
        assert usage is not None
        assert usage.rss_bytes < 700 * MEBIBYTE


async def test_a_snapshot_an_upgrade_and_a_surge_that_began_before_it(path: AlarmPath) -> None:
    """Half of the surge is in the state alone. The upgraded job is the package that the service gets, unpacked, and has
    an operator more: it reads baselines."""
    start_ms = now_ms()
    await send(path, [order_at(f"half-{at}", start_ms + at * 100) for at in range(5)])

    async def counted() -> bool:
        return await path.figure("orders_counted") == 16

    await until(counted, "half of the surge is counted")
    told = len(await path.told())
    assert path.job is not None
    path.job.terminate()
    assert await path.job.wait() == 0
    assert list((path.folder / "flink" / "savepoints").glob("*/_metadata"))

    connector = flink_parts.connectors(engine.ENGINES)[0]
    with zipfile.ZipFile(flink_package.write(path.folder / "job.zip", connector=connector)) as package:
        package.extractall(path.folder / "package")
    settings = {
        "CADABRA_BASELINES_FOLDER": str(path.baselines),
        "CADABRA_FLINK_PROGRAM": str(path.folder / "package" / "main.py"),
    }
    await path.start(RULES, settings)
    await send(path, [order_at(f"half-{at}", start_ms + at * 100) for at in range(3, 10)])

    async def fired() -> list[dict[str, object]]:
        return (await path.told())[told:]

    assert (await until(fired, "the second half fires"))[0]["observed"] == 10


async def test_a_baseline_is_taken_up_without_a_restart(path: AlarmPath) -> None:
    a_baseline = steady_baseline("test-1")
    part = path.baselines / ".b1.part"
    part.write_bytes(a_baseline.save())
    part.replace(path.baselines / "b1.json")
    (path.baselines / "b2.json").write_text("no baseline\n")

    async def loaded() -> bool:
        return (await path.figure("baselines_loaded"), await path.figure("baselines_refused")) == (1, 1)

    await until(loaded, "one baseline loaded, one refused", 30)

    async def told() -> bool:
        return any(one["baseline_version"] == a_baseline.version for one in await path.heartbeats())

    await until(told, "the sign of life names it")
