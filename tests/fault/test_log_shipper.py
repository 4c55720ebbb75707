"""kill -9 of the shipper in a loop while a web server writes and rotates: every line written has one identity."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

from tests.component.shipper_path import shipper_path
from tests.conftest import StartService
from tests.engines import Engines
from tests.fault.waiting import until
from tests.processes import ROOT, ServiceProcess

KILLS = 5
LINES = 4_000


async def test_kill_9_in_a_loop_while_logs_rotate_loses_and_doubles_nothing(
    engines: Engines, namespace: str, start_service: StartService, tmp_path: Path
) -> None:
    rng = random.Random(6)
    async with shipper_path(engines, namespace, start_service, tmp_path) as path:
        writer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.fault.log_writer", str(path.logs), str(LINES)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            for _ in range(KILLS):
                service = await path.start()
                least = rng.randrange(1, 400)

                async def some_are_read(service: ServiceProcess = service, least: int = least) -> bool:
                    read = (await service.metrics()).get("cadabra_log_shipper_lines_read_total", 0)
                    return read >= least or writer.returncode is not None

                await until(some_are_read, 20, f"{least} lines are read", poll_s=0.01)
                service.kill9()
            output, _ = await writer.communicate()
        finally:
            if writer.returncode is None:
                writer.kill()
        told = json.loads(output)
        assert writer.returncode == 0
        assert told["renamed"] >= 3
        assert told["copied"] >= 3
        service = await path.start()

        async def all_arrived() -> bool:
            return len(await path.numbers()) == LINES

        await until(all_arrived, 30, "every line is in the stream", poll_s=0.2)
        numbers = await path.numbers()
        assert set(numbers) == set(range(LINES))
        assert set(numbers.values()) == {1}
        metrics = await service.metrics()
        assert metrics["cadabra_log_shipper_lost_bytes_total"] == 0
        service.terminate()
        assert await service.wait() == 0
