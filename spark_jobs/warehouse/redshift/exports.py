"""Exports as they lie in S3: only those with a document count."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from services.kernel.adapters.s3 import S3
from services.kernel.core.retry import Retry
from spark_jobs.warehouse import export, runs
from spark_jobs.warehouse.export import Export, Unreadable
from spark_jobs.warehouse.redshift.plan import DataAtFault

T = TypeVar("T")
_MAX_DOCUMENT_BYTES = 1024 * 1024
_PATIENCE_S = 10.0
_KEY = re.compile(r"[A-Za-z0-9/_.=-]+")
"""What a prefix may be made of, for it stands in SQL."""


async def patient(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a read of S3 for a while."""
    return await Retry(budget_s=_PATIENCE_S).call(call)


async def behind(s3: S3, bucket: str, loaded: str | None) -> list[Export]:
    """Every export behind a run, in order.

    Args:
        loaded: the run; None for all.

    Raises:
        DataAtFault: a document cannot be read.
    """
    # `~` comes after every character of a key: the run's own files are not listed.
    after = None if loaded is None else f"{export.prefix(loaded)}~"

    async def keys() -> list[str]:
        return [one.key async for one in s3.list(bucket, export.PREFIX, after)]

    return [await read(s3, bucket, run) for run in export.documented(await patient(keys))]


async def read(s3: S3, bucket: str, run: str) -> Export:
    """One export's document.

    Raises:
        DataAtFault: there is none, or it cannot be read.
    """
    key = export.document_key(run)
    text = await patient(lambda: s3.get(bucket, key, max_bytes=_MAX_DOCUMENT_BYTES))
    if text is None:
        raise DataAtFault(f"{key} is gone", key=key)
    try:
        found = export.parse(text)
        published = datetime.fromisoformat(found.published_at).astimezone(UTC)
    except (Unreadable, ValueError) as error:
        raise DataAtFault(f"{key}: {error}", key=key) from error
    ours = export.prefix(run)
    prefixes = [one.prefix for one in found.tables.values()]
    if found.run != run or not runs.is_name(run):
        raise DataAtFault(f"{key}: the document of {found.run!r} at {run!r}", key=key)
    if not all(one.startswith(ours) and one.endswith("/") and _KEY.fullmatch(one) for one in prefixes):
        raise DataAtFault(f"{key}: a table's files lie outside the export", key=key)
    return Export(run, published.isoformat(), found.tables, found.after)
