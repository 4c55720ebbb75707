"""One test's part of the platform: its streams and tables, its services, its ledger, and what must hold of them."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from contracts import catalog
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.tokens import Keys, jwks, sign
from services.kernel.provision import provision, remove
from tests.conftest import StartService
from tests.engines import Engines
from tests.fault import handlings, store
from tests.fault.handlings import Handling
from tests.fault.ledger import Ledger
from tests.fault.orders import Identity
from tests.fault.proxy import FaultProxy
from tests.fault.waiting import until
from tests.processes import ServiceProcess

T = TypeVar("T")

SHARDS = 4
REGION = "us-east-1"
LEASE_TIME_S = 2.0
HTTP_SOURCE = "shop"
FILE_SOURCE = "till"
FAST = {
    "CADABRA_LEASE_TIME_S": str(LEASE_TIME_S),
    "CADABRA_POLL_INTERVAL_S": "0.1",
    "CADABRA_CHECKPOINT_INTERVAL_S": "0.5",
    "CADABRA_SHARD_SYNC_INTERVAL_S": "5",
}
"""Settings that shorten every wait of a consumer; the code that runs is the same."""


class StreamRecord(NamedTuple):
    """One record as the stream holds it: where, which part of which order, and its lines."""

    shard_id: str
    sequence_number: int
    part: tuple[str, str, str]
    lines: frozenset[Identity]


@dataclass
class Stage:
    """A namespace of its own on the shared engines.

    Args:
        kinesis, dynamodb: the test's own SDK clients, past every fault.
        folder: for order files and keys.
    """

    engines: Engines
    namespace: str
    kinesis: Any
    dynamodb: Any
    start: StartService
    folder: Path
    ledger: Ledger = field(default_factory=Ledger)
    services: list[ServiceProcess] = field(default_factory=list)
    ingest_url: str = ""
    token: str = field(default="", repr=False)
    _instances: dict[int, str] = field(default_factory=dict)
    _books: dict[int, Path] = field(default_factory=dict)
    _tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    # What there is

    @property
    def orders(self) -> str:
        """Physical name of the stream of orders."""
        return f"{self.namespace}-orders"

    @property
    def history(self) -> str:
        """Physical name of the order store."""
        return f"{self.namespace}-order_history"

    @property
    def files(self) -> Path:
        """The folder of the order files."""
        return self.folder / "files"

    async def prepare(self) -> None:
        """Make streams, tables, keys and the folder of the order files."""
        self.files.mkdir()
        keys = Keys.generate("fault")
        (self.folder / "jwks.json").write_text(json.dumps(jwks([keys.public_jwk])))
        self.token = sign(keys.private_jwk, HTTP_SOURCE, "sender")
        async with self._adapters() as (kinesis, dynamodb):
            await provision(kinesis, dynamodb, self.namespace, catalog.load(), shards=SHARDS)

    @asynccontextmanager
    async def _adapters(self) -> AsyncIterator[tuple[Kinesis, DynamoDB]]:
        async with (
            Kinesis.open(self.engines.kinesis, REGION) as kinesis,
            DynamoDB.open(self.engines.dynamodb, REGION) as dynamodb,
        ):
            yield kinesis, dynamodb

    # Services

    async def writer(
        self, dynamodb: FaultProxy | None = None, kinesis: FaultProxy | None = None, **settings: str
    ) -> ServiceProcess:
        """Start a dynamodb_writer, behind proxies if they are given."""
        return await self._start("dynamodb_writer", dynamodb, kinesis, **settings)

    async def ingest(self, kinesis: FaultProxy | None = None, **settings: str) -> ServiceProcess:
        """Start an order_ingest; senders use the newest one."""
        jwks_file = str(self.folder / "jwks.json")
        started = await self._start("order_ingest", None, kinesis, CADABRA_JWKS_FILE=jwks_file, **settings)
        self.ingest_url = started.url
        return started

    async def file_ingest(
        self, dynamodb: FaultProxy | None = None, kinesis: FaultProxy | None = None, **settings: str
    ) -> ServiceProcess:
        """Start an order_file_ingest on the folder of this stage."""
        ours = {
            "CADABRA_ORDER_FILES_FOLDER": str(self.files),
            "CADABRA_ORDER_FILES_SOURCE": FILE_SOURCE,
            "CADABRA_ORDER_FILES_POLL_S": "0.1",
            "CADABRA_ORDER_FILES_IDLE_S": "0.5",
        }
        return await self._start("order_file_ingest", dynamodb, kinesis, **ours, **settings)

    async def witness(self, *applications: str, **settings: str) -> ServiceProcess:
        """Start a witness, a worker that writes down what it handles; `handlings` tells."""
        book = self.folder / f"handlings-{next(self._numbers)}"
        ours = {"CADABRA_TEST_APPLICATIONS": ",".join(applications), "CADABRA_TEST_HANDLINGS": str(book)}
        started = await self._start("tests.fault.witness", None, None, **ours, **settings)
        self._books[started.pid] = book
        return started

    def handlings(self, witness: ServiceProcess) -> list[Handling]:
        """What a witness wrote down so far."""
        return handlings.read(self._books[witness.pid])

    async def _start(
        self, name: str, dynamodb: FaultProxy | None, kinesis: FaultProxy | None, **settings: str
    ) -> ServiceProcess:
        endpoints = {}
        if dynamodb is not None:
            endpoints["CADABRA_DYNAMODB_ENDPOINT"] = dynamodb.url
        if kinesis is not None:
            endpoints["CADABRA_KINESIS_ENDPOINT"] = kinesis.url
        instance = f"{name.rpartition('.')[2]}-{next(self._numbers)}"
        endpoints["CADABRA_INSTANCE"] = instance
        started = await self.start(name, **{**FAST, **endpoints, **settings})
        self.services.append(started)
        self._instances[started.pid] = instance
        return started

    def instance(self, service: ServiceProcess) -> str:
        """The name under which a service was started, as `owners` tells it."""
        return self._instances[service.pid]

    # What must hold

    async def stored_parts(self) -> int:
        """How many parts of orders are in the store now."""
        return await store.count(self.dynamodb, self.history)

    async def items(self) -> dict[tuple[str, str], Any]:
        """Every item of the store, whole, by its key."""
        return await store.items(self.dynamodb, self.history)

    async def stored(self) -> store.Stored:
        """All of the store."""
        return await store.scan(self.dynamodb, self.history)

    async def stored_orders(self) -> set[str]:
        """The ids of the orders of which something is in the store now."""
        return await store.order_ids(self.dynamodb, self.history)

    async def open_orders(self) -> int:
        """How many acknowledged orders are not in the store yet."""
        return len(self.ledger.acknowledged - await self.stored_orders())

    async def lost(self) -> int:
        """How many certain lines are not in the store (yet)."""
        contents = (await self.stored()).contents
        return sum(identity not in contents for identity in self.ledger.certain)

    async def stream_records(self, name: str = "orders") -> list[StreamRecord]:
        """Every record of a stream, read from its beginning by the test itself."""
        found: list[StreamRecord] = []
        for shard in (await self.kinesis.list_shards(StreamName=f"{self.namespace}-{name}"))["Shards"]:
            found += await self._shard_records(f"{self.namespace}-{name}", shard["ShardId"])
        return found

    async def _shard_records(self, stream: str, shard_id: str) -> list[StreamRecord]:
        answer = await self.kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
        )
        iterator, found = answer["ShardIterator"], []
        while iterator:
            fetch = await self.kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            found += [_decoded(shard_id, record) for record in fetch["Records"]]
            iterator = fetch.get("NextShardIterator") if fetch["Records"] else None
        return found

    async def streamed(self) -> set[Identity]:
        """Every line that the stream of orders holds."""
        return {line for record in await self.stream_records() for line in record.lines}

    async def positions(self) -> dict[str, int]:
        """How far each order file is said to be durably in the stream, in bytes."""
        page = await self.dynamodb.scan(
            TableName=f"{self.namespace}-order_file_positions", ConsistentRead=True
        )
        return {
            item["file"]["S"].removeprefix(f"{FILE_SOURCE}/"): int(item["position"]["N"])
            for item in page["Items"]
        }

    async def leases(self) -> dict[str, dict[str, Any]]:
        """The writer's lease table: parents, owner, checkpoint, counter and deaths since it moved, by shard."""
        page = await self.dynamodb.scan(
            TableName=f"{self.namespace}-leases-dynamodb_writer", ConsistentRead=True
        )
        return {
            item["leaseKey"]["S"]: {
                "parents": item.get("parentShardId", {}).get("SS", []),
                "owner": item.get("leaseOwner", {}).get("S"),
                "checkpoint": item["checkpoint"]["S"],
                "counter": int(item["leaseCounter"]["N"]),
                "deaths": int(item.get("deaths", {}).get("N", 0)),
            }
            for item in page["Items"]
        }

    async def owners(self) -> dict[str, int]:
        """How many shards that are still read each worker holds, by the instance that it was started as."""
        held: dict[str, int] = {}
        for lease in (await self.leases()).values():
            if lease["owner"] and lease["checkpoint"] != "SHARD_END":
                instance = lease["owner"].rpartition("-")[0]
                held[instance] = held.get(instance, 0) + 1
        return held

    async def assert_no_checkpoint_before_its_effect(self) -> None:
        """Every record at or below its shard's checkpoint is in the store."""
        leases = await self.leases()  # first the checkpoints, then the store: it only grows
        parts = (await self.stored()).events
        early = [
            record
            for record in await self.stream_records()
            if passed(leases.get(record.shard_id), record.sequence_number) and record.part not in parts
        ]
        assert not early, f"{len(early)} checkpointed but not stored, such as {early[:3]}"

    async def assert_no_position_before_its_effect(self) -> int:
        """Every line before its file's position is in the stream; returns how many durable lines are not yet."""
        positions = await self.positions()  # first the positions, then the stream: it only grows
        streamed = await self.streamed()
        waiting = {line for line in self.ledger.certain_of(FILE_SOURCE) if line not in streamed}
        for identity in waiting:
            name, _, offset = identity.line_id.rpartition(":")
            assert int(offset) >= positions.get(name, 0), f"{identity} is passed over"
        return len(waiting)

    async def drained(self) -> bool:
        """Whether every record of the stream is below its shard's checkpoint."""
        leases = await self.leases()
        records = await self.stream_records()
        return all(passed(leases.get(record.shard_id), record.sequence_number) for record in records)

    async def assert_all_arrived(self, timeout_s: float = 40.0) -> store.Stored:
        """Wait until everything is stored and checkpointed, then compare every line with the ledger.

        Nothing may be in `rejected`: the senders send no order that a consumer may refuse.
        """

        async def all_stored() -> bool:
            return await self.lost() == 0

        async def no_order_open() -> bool:
            return await self.open_orders() == 0

        stored_s = await until(no_order_open, timeout_s, "every order is in the store", poll_s=0.1)
        stored_s += await until(all_stored, timeout_s, "every certain line is in the store", poll_s=0.3)
        drained_s = await until(self.drained, timeout_s, "every record is checkpointed", poll_s=0.3)
        print(f"all stored after {stored_s:.1f} s, all checkpointed {drained_s:.1f} s later")
        stored = await self.stored()
        found = store.differences(stored, self.ledger)
        assert not found, "\n".join(found)
        rejected = await self.stream_records("rejected")
        assert not rejected, f"{len(rejected)} records were rejected"
        assert not self.ledger.unknown
        return stored

    def background(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a sender or an observer beside the test; await it, or it is cancelled when the test ends."""
        task = asyncio.ensure_future(work)
        self._tasks.append(task)
        return task

    async def close(self) -> None:
        """Leave nothing: no sender, no service, no stream; an engine holds only so many shards."""
        running = [task for task in self._tasks if not task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for service in self.services:
            service.kill9()
        async with self._adapters() as (kinesis, dynamodb):
            await remove(kinesis, dynamodb, self.namespace, catalog.load())

    async def end(self) -> None:
        """Stop every service that still runs, by SIGTERM; each must drain and end with 0."""
        running = [service for service in self.services if service.running]
        for service in running:
            service.terminate()
        codes = await asyncio.gather(*(service.wait() for service in running))
        told = {service.name: code for service, code in zip(running, codes, strict=True)}
        assert set(codes) <= {0}, f"exit codes {told}"


def _decoded(shard_id: str, record: Any) -> StreamRecord:
    value = json.loads(record["Data"])
    source, order_id = value.get("source"), value.get("order_id")
    lines = frozenset(Identity(source, order_id, line["line_id"]) for line in value.get("lines", ()))
    return StreamRecord(
        shard_id, int(record["SequenceNumber"]), (source, order_id, value.get("event_id")), lines
    )


def passed(lease: dict[str, Any] | None, sequence_number: int) -> bool:
    """Whether a lease's checkpoint says that this record's effect is durable."""
    if lease is None or lease["checkpoint"] in ("TRIM_HORIZON", "LATEST"):
        return False
    return lease["checkpoint"] == "SHARD_END" or sequence_number <= int(lease["checkpoint"])
