"""Our load: the Spark job over landing objects in the engine that stands in for S3 and Glue, then the warehouse's."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from deploy.local import environment, job, line_tables, spark, warehouse
from deploy.local.job import Ran
from services.kernel.adapters.s3 import S3
from services.kernel.core.names import bucket_name, database_name
from tests.engines import Engines

PUTS_AT_ONCE = 8


class Ours:
    """One namespace of lake and warehouse.

    Args:
        landing: the folder whose files are the landing's objects, by their keys.
    """

    def __init__(self, engines: Engines, namespace: str, landing: Path) -> None:
        self._engines = engines
        self._namespace = namespace
        self._landing = landing

    async def put(self, files: Sequence[Path]) -> None:
        """Put files into the landing, in a bucket that is made where there is none."""
        bucket, turns = bucket_name(self._namespace), asyncio.Semaphore(PUTS_AT_ONCE)
        async with S3.open(self._engines.aws, environment.REGION) as s3:
            await s3.create_bucket(bucket)

            async def one(file: Path) -> None:
                async with turns:
                    await s3.put(
                        bucket, str(file.relative_to(self._landing)), await asyncio.to_thread(file.read_bytes)
                    )

            await asyncio.gather(*map(one, files))

    async def load(self, name: str) -> Ran:
        """Run the load to its end; its result has `lines` and `revenue`, as DuckDB reads the facts.

        Raises:
            RuntimeError: it failed; its last words are in the message.
        """
        ran = await self._run(name, warehouse.LOAD)
        lines, revenue = await self._read()
        return replace(ran, result={"lines": lines, "revenue": str(revenue)})

    async def copy(self, name: str) -> Ran:
        """Run the warehouse's load to its end.

        Raises:
            RuntimeError: it failed; its last words are in the message.
        """
        return await self._run(name, warehouse.COPY)

    async def _run(self, name: str, which: str) -> Ran:
        urls = {"aws": self._engines.aws, "postgresql": self._engines.postgresql}
        with tempfile.TemporaryDirectory() as folder:
            settings = {
                **environment.job(self._engines.run_id, self._namespace, urls),
                **spark.environment(Path(folder)),
            }
            ran = await job.run(name, warehouse.commands(maintain=False)[which], settings, lambda _: None)
        if ran.code:
            raise RuntimeError(f"{name} ended with {ran.code}:\n" + "\n".join(ran.told))
        return ran

    async def _read(self) -> tuple[int, Decimal]:
        location = await line_tables.metadata_location(
            self._engines.aws, database_name(self._namespace), "fact_order_lines"
        )
        with (
            tempfile.TemporaryDirectory() as folder,
            line_tables.connect(self._engines.aws, Path(folder)) as connection,
        ):
            found = connection.execute("SELECT count(*), sum(amount) FROM iceberg_scan(?)", [location])
            ((lines, revenue),) = found.fetchall()
        return lines, revenue
