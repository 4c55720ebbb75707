"""Which engine answers: by the settings, Athena, or DuckDB in this process. The one place that knows both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.console.settings import Settings
from services.kernel.core.names import bucket_name, database_name
from services.kernel.core.questions import QuestionEngine


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[QuestionEngine]:
    """Open the engine for the length of a `with`; the lake need not be there for it."""
    database = database_name(settings.namespace)
    if settings.question_engine == "athena":
        from services.kernel.adapters.athena import Athena

        async with Athena.open(
            settings.athena_endpoint, settings.region, database, settings.athena_workgroup
        ) as athena:
            yield athena
        return
    # Where Athena answers, DuckDB need not be loaded.
    from services.kernel.adapters.duckdb import Bounds, DuckDB, Place

    place = Place(
        database=database,
        warehouse=f"s3://{bucket_name(settings.namespace)}/warehouse/",
        region=settings.region,
        glue_endpoint=settings.glue_endpoint,
        s3_endpoint=settings.s3_endpoint,
    )
    async with DuckDB.open(place, Bounds(memory_mb=settings.duckdb_memory_mb)) as embedded:
        yield embedded
