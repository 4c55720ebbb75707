"""The alarm job, killed in the middle of surges: what it tells in the end is what it would have told undisturbed."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts import codec
from contracts.order import partition_key
from tests.alarm_path import AlarmPath, alarm_path, finals, now_ms, order_at, undisturbed
from tests.component.order_path import until
from tests.engines import Engines

RULES = {"gap_s": "20", "resolve_s": "10", "grace_s": "1", "behind_s": "86400"}


@pytest.fixture
async def path(engines: Engines, namespace: str, tmp_path: Path) -> AsyncIterator[AlarmPath]:
    async with alarm_path(engines, namespace, tmp_path / "job") as made:
        yield made


async def send(path: AlarmPath, orders: list[codec.Order]) -> None:
    for order in orders:
        await path.orders.put(codec.encode(order), partition_key(order.source, order.order_id))


def surge(name: str, start_ms: int, orders: int = 16) -> list[codec.Order]:
    """Orders of 4 s, in an order of arrival that is not that of their times."""
    made = [order_at(f"{name}-{at}", start_ms + at * 250) for at in range(orders)]
    random.Random(name).shuffle(made)
    return made


async def test_killed_twice_in_a_surge_it_ends_in_the_same_incidents(path: AlarmPath) -> None:
    start_ms = now_ms() - 120_000
    first, second = surge("first", start_ms - 120_000), surge("second", start_ms - 60_000)
    third, lone = surge("third", start_ms), [order_at(f"lone-{at}", start_ms - at * 7000) for at in range(9)]
    later = order_at(
        "later", start_ms + 100_000
    )  # by which the stream's time passes what ends the last surge
    await path.start(RULES)

    async def counted(orders: int) -> bool:
        return (await path.figure("orders_counted") or 0) >= orders

    await send(path, first[:11] + lone[:3])
    await until(lambda: counted(14), "the first surge is being counted")
    await kill(path)
    await send(path, first[11:] + first[:4])
    await path.start(RULES)
    await send(path, second[:11] + lone[3:6])
    await until(lambda: counted(11), "the second surge is being counted")
    await kill(path)
    await send(path, second[11:] + lone[6:] + third + [later])
    await path.start(RULES)

    everything = first + lone + second + third + [later]
    expected = finals(undisturbed(everything, RULES, now_ms() + 60_000))
    assert len(expected) == 3

    async def the_same() -> bool:
        return finals(await path.told()) == expected

    await until(the_same, "the incidents of an undisturbed run", 60)


async def kill(path: AlarmPath) -> None:
    """kill -9 of all of it; it has a checkpoint by then to begin from."""

    async def snapshot() -> bool:
        return any((path.folder / "flink" / "checkpoints").glob("*/chk-*/_metadata"))

    await until(snapshot, "a first checkpoint")
    assert path.job is not None
    path.job.kill9_tree()
