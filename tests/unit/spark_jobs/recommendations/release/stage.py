"""A bucket and a table in memory, the commands over them, and a reader who sees what is in service."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.kernel.adapters.dynamodb import Key
from services.kernel.core.retry import Retry
from spark_jobs.recommendations.release.comparing import Comparison, compare
from spark_jobs.recommendations.release.expiry import Expired, Expiry
from spark_jobs.recommendations.release.lists import Lists
from spark_jobs.recommendations.release.pointer import Pointer
from spark_jobs.recommendations.release.publishing import Publishing, Release
from spark_jobs.recommendations.release.table import Table
from spark_jobs.recommendations.release.versions import Versions
from tests import recommendation_versions as made
from tests.memory.dynamodb import MemoryDynamoDB
from tests.memory.s3 import MemoryS3
from tests.recommendation_versions import MadeVersion, Records

BUCKET, TABLE = "shop-lake", "shop-recommendations"
NOW = datetime(2012, 1, 1, tzinfo=UTC)


class Death(BaseException):
    """The process ends here."""


@dataclass
class Mortality:
    """Ends the process before its n-th call; it is dead from then on."""

    at: int
    calls: int = 0

    def __call__(self, operation: str) -> BaseException | None:
        self.calls += 1
        return Death(operation) if self.calls >= self.at else None


class Times:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now_s = 0.0

    async def sleep(self, delay_s: float) -> None:
        self.now_s += delay_s


def retry(budget_s: float = 10.0) -> Retry:
    """Patience without waiting."""
    times = Times()
    return Retry(budget_s=budget_s, rng=random.Random(1), sleep=times.sleep, clock=lambda: times.now_s)


@dataclass
class Stage:
    """One namespace, from nothing on."""

    s3: MemoryS3 = field(default_factory=MemoryS3)
    dynamodb: MemoryDynamoDB = field(default_factory=MemoryDynamoDB)
    said: list[str] = field(default_factory=list)
    written: dict[str, MadeVersion] = field(default_factory=dict)

    async def prepare(self) -> Stage:
        """Make bucket and table."""
        await self.s3.create_bucket(BUCKET)
        await self.dynamodb.create_table(TABLE, Key("subject"), Key("version"))
        return self

    @property
    def versions(self) -> Versions:
        return Versions(self.s3, BUCKET, retry())

    @property
    def table(self) -> Table:
        return Table(self.dynamodb, TABLE, retry(), 2)

    @property
    def lists(self) -> Lists:
        return Lists(self.s3, BUCKET, retry())

    @property
    def publishing(self) -> Publishing:
        return Publishing(self.versions, self.lists, self.table, self.said.append)

    async def trained(self, number: int, records: Records | None = None, **other: Any) -> MadeVersion:
        """Write the version of a day into S3."""
        version = made.made(number, records, **other)
        await self.write(version)
        return version

    async def write(self, version: MadeVersion, manifest: bool = True) -> None:
        """Write a version into S3."""
        await made.write(self.s3, BUCKET, version, manifest)
        self.written[version.name] = version

    async def publish(self, name: str | None = None, force: bool = False) -> Release:
        return await self.publishing.publish(name, force)

    async def roll_back(self, name: str | None = None) -> Release:
        return await self.publishing.roll_back(name)

    async def expire(self, keep: int = 3, at: datetime = NOW) -> Expired:
        return await Expiry(self.versions, self.table, self.said.append, lambda: at).expire(keep)

    async def check(self) -> Comparison:
        return await compare(self.versions, self.lists, self.table)

    async def pointer(self) -> Pointer | None:
        return await self.table.pointer()

    async def serving(self) -> str | None:
        """The version that readers see, once they have seen all of it and nothing else."""
        pointer = await self.pointer()
        if pointer is None:
            return None
        for subject, body in self.written[pointer.serving].records.items():
            item = await self.dynamodb.get_item(
                TABLE, {"subject": {"S": subject}, "version": {"S": pointer.serving}}
            )
            assert item is not None, f"{subject} of {pointer.serving} is not there"
            assert item["body"]["B"] == body
        return pointer.serving

    async def items(self) -> dict[str, int]:
        """Number of items by version, without the pointer."""
        found: dict[str, int] = {}
        async for item in self.dynamodb.scan(TABLE):
            version = item["version"]["S"]
            if version != "current":
                found[version] = found.get(version, 0) + 1
        return found

    async def objects(self, version: str) -> set[str]:
        """Names of a version's objects."""
        prefix = f"{made.PREFIX}{version}/"
        return {one.key.removeprefix(prefix) async for one in self.s3.list(BUCKET, prefix)}

    def dies(self, at: int) -> Mortality:
        """Let the process die before its n-th call from now on."""
        mortality = Mortality(at)
        self.faults(mortality)
        return mortality

    def faults(self, fault: Callable[[str], BaseException | None]) -> None:
        """Ask this before every call to S3 and DynamoDB."""
        self.s3.fault = self.dynamodb.fault = fault

    def lives(self) -> None:
        """No more faults."""
        self.faults(lambda _: None)
