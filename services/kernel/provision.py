"""Makes the streams, tables, topics and the bucket that the contracts ask for, and every consumer's lease table.

Safe to repeat and to run from several processes at once: what exists stays as it is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from contracts import catalog as contracts_catalog
from contracts.catalog import Catalog
from contracts.model import Index, KeyAttribute
from services.kernel.adapters.dynamodb import DynamoDB, IndexKeys, Key
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.adapters.s3 import S3
from services.kernel.adapters.sns import Sns
from services.kernel.core import lifecycle, logs
from services.kernel.core.errors import CadabraError, Misconfigured, Refused, TimedOut, Unavailable
from services.kernel.core.names import bucket_name, lease_table, physical_name
from services.kernel.core.retry import Retry
from services.kernel.core.settings import S3Settings, ServiceSettings, SnsSettings, load

# KCL's key, so that its tools read our leases.
# Source: https://docs.aws.amazon.com/streams/latest/dev/shared-throughput-kcl-consumers.html
LEASE_KEY = Key("leaseKey")
_POLL = Retry(base_s=0.05, cap_s=0.5)
_CONCURRENCY = 4

log = logs.get("provision")


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings, SnsSettings, S3Settings):
    """What the command is told by its environment."""


@dataclass
class Provisioned:
    """What the namespace holds now, by physical name; `created` is what this run added to streams and tables."""

    streams: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    buckets: list[str] = field(default_factory=list)


def lease_tables(catalog: Catalog, namespace: str) -> list[str]:
    """The lease tables of all services and jobs that consume a stream; an operator needs none."""
    consumers = {name for stream in catalog.streams.values() for name in stream.consumers}
    return [lease_table(namespace, name) for name in sorted(consumers - {contracts_catalog.OPERATOR})]


async def provision(
    kinesis: Kinesis,
    dynamodb: DynamoDB,
    namespace: str,
    catalog: Catalog,
    shards: int | None = None,
    timeout_s: float = 120.0,
    sns: Sns | None = None,
    s3: S3 | None = None,
) -> Provisioned:
    """Create what is missing and wait until all of it is ACTIVE.

    Args:
        shards: of each new stream; by default what its contract says for one machine. A stream that exists keeps
            the shards it has.
        timeout_s: for each stream, table, topic or bucket.
        sns: makes the topics too; without it there are none.
        s3: makes the lake's bucket too; without it there is none.

    Raises:
        TimedOut, Throttled, Unavailable: not done in time; running it again goes on where it stopped.
    """
    found = Provisioned()
    slots = asyncio.Semaphore(_CONCURRENCY)

    async def stream(name: str, count: int, retention_hours: int) -> None:
        async with slots:
            if await _stream(kinesis, name, count, retention_hours, timeout_s):
                found.created.append(name)
        found.streams.append(name)

    async def table(name: str, hash_key: Key, range_key: Key | None, indexes: Sequence[IndexKeys]) -> None:
        async with slots:
            if await _table(dynamodb, name, hash_key, range_key, indexes, timeout_s):
                found.created.append(name)
        found.tables.append(name)

    async def topic(sns: Sns, name: str) -> None:
        await Retry(budget_s=timeout_s).call(lambda: sns.create_topic(name))
        found.topics.append(name)

    async def bucket(s3: S3, name: str) -> None:
        await Retry(budget_s=timeout_s).call(lambda: s3.create_bucket(name))
        found.buckets.append(name)

    work = [
        stream(physical_name(namespace, one.name), shards or one.shards_local, one.retention_hours)
        for one in catalog.streams.values()
    ]
    for one in catalog.tables.values():
        indexes = [_index(index) for index in one.indexes]
        work.append(table(physical_name(namespace, one.name), _key(one.hash), _range(one.range), indexes))
    work += [table(name, LEASE_KEY, None, ()) for name in lease_tables(catalog, namespace)]
    if sns is not None:
        work += [topic(sns, physical_name(namespace, name)) for name in catalog.topics]
    if s3 is not None and catalog.landings:
        work.append(bucket(s3, bucket_name(namespace)))
    await _all(work)
    for names in (found.streams, found.tables, found.created, found.topics):
        names.sort()
    return found


async def remove(
    kinesis: Kinesis, dynamodb: DynamoDB, namespace: str, catalog: Catalog, timeout_s: float = 120.0
) -> None:
    """Delete every stream and table that `provision` makes, with what they hold, and wait until they are gone."""
    streams = [physical_name(namespace, name) for name in catalog.streams]
    tables = [physical_name(namespace, name) for name in catalog.tables] + lease_tables(catalog, namespace)

    async def no_stream(name: str) -> None:
        await Retry(budget_s=timeout_s).call(lambda: kinesis.delete_stream(name))
        await _until(lambda: kinesis.stream_status(name), None, name, timeout_s)

    async def no_table(name: str) -> None:
        await Retry(budget_s=timeout_s).call(lambda: dynamodb.delete_table(name))
        await _until(lambda: dynamodb.table_status(name), None, name, timeout_s)

    await _all([*(no_stream(name) for name in streams), *(no_table(name) for name in tables)])


async def _stream(kinesis: Kinesis, name: str, shards: int, retention_hours: int, timeout_s: float) -> bool:
    retry = Retry(budget_s=timeout_s)
    created = await retry.call(lambda: kinesis.create_stream(name, shards))
    await _until(lambda: kinesis.stream_status(name), "ACTIVE", name, timeout_s)

    async def keep_long_enough() -> None:
        try:
            await kinesis.update_retention(name, retention_hours)
        except Refused:
            # Another process set it between our look and our call: settled, or to be looked at again.
            if await kinesis.retention_hours(name) != retention_hours:
                raise

    await retry.call(keep_long_enough)
    return created


async def _table(
    dynamodb: DynamoDB,
    name: str,
    hash_key: Key,
    range_key: Key | None,
    indexes: Sequence[IndexKeys],
    timeout_s: float,
) -> bool:
    created = await Retry(budget_s=timeout_s).call(
        lambda: dynamodb.create_table(name, hash_key, range_key, indexes)
    )
    await _until(lambda: dynamodb.table_status(name), "ACTIVE", name, timeout_s)
    return created


async def _until(
    status: Callable[[], Awaitable[str | None]], wanted: str | None, name: str, timeout_s: float
) -> None:
    deadline = time.monotonic() + timeout_s
    attempt = 0
    while True:
        try:
            seen = await status()
        except Unavailable:
            seen = "unreachable"
        if seen == wanted:
            return
        if time.monotonic() > deadline:
            raise TimedOut(f"{name} is {seen}, not {wanted}, after {timeout_s:g} s")
        await _POLL.pause(attempt)
        attempt += 1


async def _all(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do all, and raise the first failure by itself: a caller knows our errors, not groups of them."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed


def _key(attribute: KeyAttribute) -> Key:
    return Key(attribute.name, attribute.type)


def _range(attribute: KeyAttribute | None) -> Key | None:
    return None if attribute is None else _key(attribute)


def _index(index: Index) -> IndexKeys:
    return IndexKeys(index.name, _key(index.hash), _range(index.range), index.projection)


async def _run(settings: Settings, shards: int | None) -> Provisioned:
    async with (
        Kinesis.open(settings.kinesis_endpoint, settings.region, data_plane=settings.data_plane) as kinesis,
        DynamoDB.open(
            settings.dynamodb_endpoint, settings.region, data_plane=settings.data_plane
        ) as dynamodb,
        Sns.open(settings.sns_endpoint, settings.region) as sns,
        S3.open(settings.s3_endpoint, settings.region) as s3,
    ):
        catalog = contracts_catalog.load()
        return await provision(kinesis, dynamodb, settings.namespace, catalog, shards, sns=sns, s3=s3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Provision the namespace that the environment names; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m services.kernel.provision", description=__doc__)
    parser.add_argument("--namespace", help="instead of CADABRA_NAMESPACE")
    parser.add_argument("--shards", type=int, help="of each new stream, instead of what its contract says")
    parser.add_argument("--json", action="store_true", help="print what there is as one JSON object")
    options = parser.parse_args(arguments)
    logs.setup("provision", stream=sys.stderr)
    try:
        settings = load(Settings)
        if options.namespace:
            settings = replace(settings, namespace=options.namespace)
        found = asyncio.run(_run(settings, options.shards))
    except CadabraError as error:
        log.error("not_provisioned", kind=type(error).__name__, problems=str(error).splitlines())
        misconfigured = isinstance(error, Misconfigured)
        return lifecycle.EXIT_MISCONFIGURED if misconfigured else lifecycle.EXIT_UNAVAILABLE
    if options.json:
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
    else:
        lines = [
            f"{name}{' (new)' if name in found.created else ''}"
            for name in found.streams + found.tables + found.topics + found.buckets
        ]
        sys.stdout.write("\n".join(lines) + "\n")
    return lifecycle.EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
