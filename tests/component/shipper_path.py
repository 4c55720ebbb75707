"""The shipper's ends for tests of its process: a folder of logs, and what the stream holds of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts import codec
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.streams.aggregation import deaggregate
from services.kernel.streams.records import Position, Record
from tests.component.order_path import until
from tests.conftest import StartService
from tests.engines import Engines
from tests.processes import ServiceProcess

_decode = codec.decoder("access_log_entry", 1)


@dataclass
class ShipperPath:
    """A web server's folder, and the stream behind the shipper."""

    kinesis: Kinesis
    namespace: str
    root: Path
    start_service: StartService
    _iterators: dict[str, str] = field(default_factory=dict)
    _found: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """Where the web server writes."""
        return self.root / "logs"

    @property
    def stream(self) -> str:
        """The stream's name."""
        return f"{self.namespace}-access-logs"

    def settings(self, **more: str) -> dict[str, str]:
        """What the shipper is told: small times, so that a test need not wait."""
        return {
            "CADABRA_LOG_GLOBS": f"{self.logs}/*.log*",
            "CADABRA_STATE_FOLDER": str(self.root / "state"),
            "CADABRA_HOST_NAME": "web-1",
            "CADABRA_POLL_INTERVAL_S": "0.05",
            "CADABRA_ROTATED_QUIET_S": "0.5",
            "CADABRA_COPY_GRACE_S": "1",
            **more,
        }

    async def make_stream(self, shards: int) -> None:
        """Makes the stream and waits until it is there."""

        async def there() -> bool:
            return await self.kinesis.stream_status(self.stream) == "ACTIVE"

        await self.kinesis.create_stream(self.stream, shards)
        await until(there, "the stream is there")

    async def remove_stream(self) -> None:
        """Deletes the stream and waits until it is gone; an engine holds only so many shards."""

        async def gone() -> bool:
            return await self.kinesis.stream_status(self.stream) is None

        self._iterators.clear()
        await self.kinesis.delete_stream(self.stream)
        await until(gone, "the stream is gone")

    async def start(self, **more: str) -> ServiceProcess:
        """One shipper."""
        return await self.start_service("log_shipper", **self.settings(**more))

    def write(self, name: str, first: int, last: int) -> None:
        """Write lines with these numbers on at the end of a file."""
        with (self.logs / name).open("a") as file:
            file.write("".join(line(n) for n in range(first, last)))

    async def entries(self) -> list[dict[str, Any]]:
        """Every entry that the stream holds, checked against its contract, repeats of one identity once.

        A repeat with another content fails.
        """
        for shard in await self.kinesis.list_shards(self.stream):
            if shard.shard_id not in self._iterators:
                self._iterators[shard.shard_id] = await self.kinesis.shard_iterator(
                    self.stream, shard.shard_id, Position.trim_horizon()
                )
            behind = True
            while behind:
                fetch = await self.kinesis.get_records(self._iterators[shard.shard_id], stream=self.stream)
                for record in fetch.records:
                    self._take(record)
                if fetch.next_iterator is None:
                    break
                self._iterators[shard.shard_id] = fetch.next_iterator
                behind = bool(fetch.records or fetch.millis_behind_latest)
        return list(self._found.values())

    def _take(self, packed: Record) -> None:
        for record in deaggregate(packed):
            _decode(record.data)
            entry = json.loads(record.data)
            assert record.partition_key == f"{entry['generation']}/{entry['block']}"
            entry["event"].pop("created")  # when it was read: a repeat is read later
            identity = (entry["generation"], entry["log"]["offset"])
            assert self._found.setdefault(identity, entry) == entry

    async def numbers(self) -> Counter[int]:
        """How often each line's number stands in the stream, each identity counted once."""
        return Counter(int(entry["url"]["path"][1:]) for entry in await self.entries())


def line(number: int) -> str:
    """One line of a web server."""
    form = '192.0.2.{} - - [01/Mar/2026:12:00:{:02d} +0000] "GET /{} HTTP/1.1" 200 5 "-" "curl/8"\n'
    return form.format(number % 250, number % 60, number)


@asynccontextmanager
async def shipper_path(
    engines: Engines, namespace: str, start_service: StartService, root: Path, shards: int = 2
) -> AsyncIterator[ShipperPath]:
    """A fresh folder and a fresh stream."""
    (root / "logs").mkdir()
    (root / "state").mkdir()
    async with Kinesis.open(engines.kinesis, "us-east-1") as kinesis:
        path = ShipperPath(kinesis, namespace, root, start_service)
        await path.make_stream(shards)
        try:
            yield path
        finally:
            await path.remove_stream()
