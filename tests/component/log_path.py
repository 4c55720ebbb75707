"""The log path's ends for tests: put entries into the stream as the shipper does, look at documents and letters."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from contracts import catalog
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.adapters.opensearch import OpenSearch
from services.kernel.core.errors import Retryable
from services.kernel.core.names import lease_table
from services.kernel.provision import provision, remove
from services.kernel.streams.aggregation import Member, aggregate
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.records import Stored
from services.kernel.streams.rejected_reader import read_all
from tests.engines import Engines

SHARDS = 2
PACKED = 50
"""Entries in one stream record."""
FAST = {"CADABRA_POLL_INTERVAL_S": "0.1", "CADABRA_LEASE_TIME_S": "2", "CADABRA_CHECKPOINT_INTERVAL_S": "0.2"}
"""Settings that shorten every wait of a consumer; the code that runs is the same."""


class Document(NamedTuple):
    """A document as OpenSearch holds it; the last two change with every write."""

    index_name: str
    source: Mapping[str, Any]
    version: int
    sequence_number: int


def today() -> date:
    """The day in UTC."""
    return datetime.now(UTC).date()


def an_entry(
    number: int, day: date | str | None = None, generation: str = "a" * 32, **fields: Any
) -> dict[str, Any]:
    """The entry of one line of 100 bytes."""
    day = day or today()
    created = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "@timestamp": f"{day}T10:00:00.000Z",
        "generation": generation,
        "block": str(number * 100 // 65_536),
        "index_day": str(day),
        "host": {"name": "web-1"},
        "log": {"file": {"path": "/var/log/apache2/access.log"}, "offset": number * 100},
        "event": {"created": created},
        "source": {"address": f"192.0.2.{number % 250}", "ip": f"192.0.2.{number % 250}"},
        "http": {"request": {"method": "GET"}, "response": {"status_code": 200, "body": {"bytes": number}}},
        "url": {"original": f"/{number}?q", "path": f"/{number}", "query": "q"},
        **fields,
    }


def offset(entry: Mapping[str, Any]) -> int:
    """Where the entry's line stands."""
    return int(entry["log"]["offset"])


@dataclass
class LogPath:
    """One namespace with its stream, tables and indices."""

    kinesis: Kinesis
    dynamodb: DynamoDB
    opensearch: OpenSearch
    namespace: str

    @property
    def pattern(self) -> str:
        """Of the names of all indices of this namespace."""
        return f"{self.namespace}-access-logs-*"

    def index(self, day: date | str) -> str:
        """The index of a day."""
        return f"{self.namespace}-access-logs-{str(day).replace('-', '.')}"

    async def send(self, entries: Sequence[Mapping[str, Any]], packed: int = PACKED) -> None:
        """Put entries into the stream, many in one record, different records with different keys."""
        data = [json.dumps(entry).encode() for entry in entries]
        for first in range(0, len(data), packed):
            await self.put(data[first : first + packed], f"key-{first}")

    async def put(self, entries: Sequence[bytes], key: str = "key") -> Stored:
        """Put bytes into the stream as one aggregate."""
        record = aggregate([Member(key, entry, None) for entry in entries])
        (put,) = await self.kinesis.put_records(f"{self.namespace}-access-logs", [(record, key)])
        assert isinstance(put, Stored)
        return put

    async def count(self) -> int:
        """How many documents there are now; 0 while OpenSearch cannot tell, as of an index that comes into being."""
        try:
            await self.opensearch.refresh(self.pattern)
            return await self.opensearch.count(self.pattern)
        except Retryable:
            return 0

    async def documents(self) -> dict[str, Document]:
        """Every document by its id, at most 10,000."""
        await self.opensearch.refresh(self.pattern)
        body = {"size": 10_000, "version": True, "seq_no_primary_term": True, "query": {"match_all": {}}}
        found = await self.opensearch.search(self.pattern, body, timeout_s=20)
        return {
            hit["_id"]: Document(hit["_index"], hit["_source"], hit["_version"], hit["_seq_no"])
            for hit in found["hits"]["hits"]
        }

    async def offsets(self) -> set[int]:
        """Where the lines of all documents stand."""
        return {offset(document.source) for document in (await self.documents()).values()}

    async def deaths(self) -> list[int]:
        """How many owners of each shard died since its checkpoint moved."""
        leases = await LeaseTable(self.dynamodb, lease_table(self.namespace, "log_indexer")).read()
        return [lease.deaths for lease in leases.values()]

    async def rejected(self) -> list[dict[str, Any]]:
        """Every dead letter so far."""
        return await read_all(self.kinesis, f"{self.namespace}-rejected")


@asynccontextmanager
async def log_path(engines: Engines, opensearch_endpoint: str, namespace: str) -> AsyncIterator[LogPath]:
    """Provision a namespace on the real engines; it is gone at the end."""
    async with (
        Kinesis.open(engines.kinesis, "us-east-1") as kinesis,
        DynamoDB.open(engines.dynamodb, "us-east-1") as dynamodb,
        OpenSearch.open(opensearch_endpoint, "us-east-1") as opensearch,
    ):
        everything = catalog.load()
        await provision(kinesis, dynamodb, namespace, everything, shards=SHARDS)
        path = LogPath(kinesis, dynamodb, opensearch, namespace)
        try:
            yield path
        finally:
            for info in await opensearch.indices(path.pattern):
                await opensearch.delete_index(info.name)
            await remove(kinesis, dynamodb, namespace, everything)
