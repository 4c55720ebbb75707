"""kill -9 of lake_writer again and again under load: the union of its objects has every line, and nothing else."""

from __future__ import annotations

import asyncio
import random
from functools import partial

import pytest

from contracts import codec
from services.kernel.streams.lease_table import LeaseTable
from tests.component.lake_path import LakePath, lake_path
from tests.conftest import StartService
from tests.engines import Engines
from tests.fault import faults
from tests.fault.proxy import FaultProxy
from tests.fault.waiting import until
from tests.orders import a_line, one_part

SEEDS = [1, 2]
KILLS = 3
ORDERS = 150
FAST = {
    "CADABRA_POLL_INTERVAL_S": "0.1",
    "CADABRA_LEASE_TIME_S": "2",
    "CADABRA_CHECKPOINT_INTERVAL_S": "0.1",
    "CADABRA_OBJECT_MAX_AGE_S": "0.3",
}


@pytest.mark.parametrize("seed", SEEDS)
async def test_kill_9_again_and_again_loses_no_line_and_makes_none_up(
    engines: Engines, aws_endpoint: str, namespace: str, start_service: StartService, seed: int
) -> None:
    rng = random.Random(seed)
    parts = [
        one_part(f"o{at}", [a_line(str(line)) for line in range(rng.randint(1, 40))]) for at in range(ORDERS)
    ]
    async with lake_path(engines, aws_endpoint, namespace) as path, FaultProxy(aws_endpoint, seed) as proxy:
        # Every put takes a while, and some answers are lost: a kill meets objects on their way.
        proxy.add(faults.Delay(20, 200))
        proxy.add(faults.CutAfter(), probability=0.1)
        settings = {**FAST, "CADABRA_S3_ENDPOINT": proxy.url}
        leases = LeaseTable(path.dynamodb, f"{namespace}-leases-lake_writer")
        sender = Sender(path, parts)
        sending = asyncio.create_task(sender.run())
        met = gone = 0
        for kill in range(KILLS):
            writer = await start_service("lake_writer", **settings)
            sent = ORDERS * (kill + rng.uniform(0.0, 0.8)) / KILLS
            await until(partial(sender.has_sent, sent), 30, f"{sent:.0f} orders are sent", 0.01)
            # Two deaths without progress would be a poisonous record's, and be read one by one.
            await until(partial(_progress, leases), 30, "each shard went on since the last death", 0.02)
            await until(lambda gone=gone: under_way(proxy) > gone, 30, "a put is on its way", 0.001)  # type: ignore[misc]
            met += 1
            gone = under_way(proxy)
            writer.kill9()
        await sending
        writer = await start_service("lake_writer", **settings)
        wanted = {(part.source, part.order_id, line.line_id) for part in parts for line in part.lines}

        async def all_there() -> bool:
            return wanted <= (await path.lines()).keys()

        await until(all_there, 30, "every line is in the landing", 0.2)
        found = await path.lines()
        assert found.keys() == wanted
        again = found.total() - len(wanted)
        print(
            f"seed {seed}: {len(wanted)} lines, {again} again, {len(await path.keys())} objects, {met} kills met a put"
        )
        assert met == KILLS
        for table in (await path.tables()).values():
            lines = list(
                zip(*(table.column(name).to_pylist() for name in ("order_id", "line_id")), strict=True)
            )
            assert len(set(lines)) == len(lines), "one object holds a line once"
        writer.terminate()
        assert await writer.wait() == 0


async def _progress(leases: LeaseTable) -> bool:
    found = (await leases.read()).values()
    return all(lease.checkpoint.isdigit() and lease.deaths == 0 for lease in found)


def under_way(proxy: FaultProxy) -> int:
    """Calls that came and have no answer; those of a process that was killed never get one."""
    return proxy.calls.total() - proxy.answered


class Sender:
    """Sends orders one after another, and knows how many the stream has."""

    def __init__(self, path: LakePath, parts: list[codec.Order]) -> None:
        self.sent = 0
        self._path = path
        self._parts = parts

    def has_sent(self, count: float) -> bool:
        """Whether the stream has so many."""
        return self.sent >= count

    async def run(self) -> None:
        for part in self._parts:
            await self._path.send([part])
            self.sent += 1
            await asyncio.sleep(0.05)  # a pace, not a wait: the kills come in between
