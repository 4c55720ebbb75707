"""The release as a process on the real engines, killed and paused half way, under a reader who looks all the time."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.s3 import S3
from tests import processes
from tests import recommendation_versions as made
from tests.component.order_path import until
from tests.engines import Engines, local_environment
from tests.processes import ServiceProcess
from tests.recommendation_versions import MadeVersion

MODULE = "spark_jobs.recommendations.release"
CUSTOMERS = 600
LOOKED_AT = 100
EXIT_AGAIN = 75


@dataclass
class Stage:
    """A namespace's versions and table, and everything that readers may see."""

    s3: S3
    dynamodb: DynamoDB
    bucket: str
    table: str
    start: Callable[..., ServiceProcess]
    versions: dict[str, MadeVersion] = field(default_factory=dict)
    looks: Counter[str] = field(default_factory=Counter)

    async def trained(self, number: int) -> MadeVersion:
        """Write the version of a day into S3."""
        version = made.made(number, made.small(chr(ord("A") + number), customers=CUSTOMERS))
        await made.write(self.s3, self.bucket, version)
        self.versions[version.name] = version
        return version

    async def done(self, *command: str) -> dict[str, Any]:
        """Run a command to its good end; what it printed."""
        process = self.start(*command)
        assert await process.wait() == 0, process.log_tail()
        return dict(json.loads(process.log_file.read_text("utf-8").splitlines()[-1]))

    async def serving(self) -> str | None:
        """The version in service."""
        item = await self.dynamodb.get_item(self.table, key("current", "current"))
        return None if item is None else str(item["serving"]["S"])

    async def has(self, subject: str, version: MadeVersion) -> bool:
        """Whether the table has an item."""
        return await self.dynamodb.get_item(self.table, key(subject, version.name)) is not None

    async def items(self) -> Counter[str]:
        """Number of items by version."""
        found: Counter[str] = Counter()
        async for item in self.dynamodb.scan(self.table):
            found[item["version"]["S"]] += 1
        del found["current"]
        return found

    async def names(self, version: MadeVersion) -> set[str]:
        """Names of a version's objects."""
        return {one.key.rpartition("/")[2] async for one in self.s3.list(self.bucket, version.prefix)}

    async def look(self, start: int) -> None:
        """Read the pointer, then a part of what it names: all is there, and all is of that version."""
        serving = await self.serving()
        if serving is None:
            return
        expected = self.versions[serving].rows()
        part = [expected[(start + 7 * at) % len(expected)] for at in range(LOOKED_AT)]
        keys = [key(subject, serving) for subject in {subject for subject, _ in part}]
        found, left = await self.dynamodb.batch_get(self.table, keys)
        assert not left
        assert {item["subject"]["S"]: bytes(item["body"]["B"]) for item in found} == dict(part)
        self.looks[serving] += 1

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look all the time; whatever is wrong fails the test at the end."""
        over = asyncio.Event()

        async def watch() -> None:
            start = 0
            while not over.is_set():
                await self.look(start)
                start += LOOKED_AT

        watching = asyncio.create_task(watch())
        try:
            yield
        finally:
            over.set()
            await watching


def key(subject: str, version: str) -> dict[str, Any]:
    return {"subject": {"S": subject}, "version": {"S": version}}


@pytest.fixture
def start(
    engines: Engines, aws_endpoint: str, namespace: str, tmp_path: Path
) -> Iterator[Callable[..., ServiceProcess]]:
    running: list[ServiceProcess] = []
    environment = {
        **local_environment(engines),
        "CADABRA_NAMESPACE": namespace,
        "CADABRA_RUN_ID": engines.run_id,
        "CADABRA_S3_ENDPOINT": aws_endpoint,
        "CADABRA_PUBLISH_CONCURRENCY": "1",
    }

    def started(*command: str) -> ServiceProcess:
        running.append(processes.launch(MODULE, tmp_path, environment, [*command, "--json"]))
        return running[-1]

    yield started
    for process in running:
        process.kill9()


@pytest.fixture
async def stage(
    engines: Engines, aws_endpoint: str, namespace: str, start: Callable[..., ServiceProcess]
) -> AsyncIterator[Stage]:
    async with (
        S3.open(aws_endpoint, "us-east-1") as s3,
        DynamoDB.open(engines.dynamodb, "us-east-1") as dynamodb,
    ):
        stage = Stage(s3, dynamodb, f"{namespace}-lake", f"{namespace}-recommendations", start)
        await s3.create_bucket(stage.bucket)
        await made.create_table(dynamodb, stage.table)
        yield stage
        await dynamodb.delete_table(stage.table)


async def test_readers_never_see_a_mixture_whenever_the_publisher_is_killed(stage: Stage) -> None:
    one = await stage.trained(1)
    await stage.done("publish")
    two = await stage.trained(2)
    async with stage.watched():
        publisher = stage.start("publish")
        await until(lambda: stage.has("country:EIRE", two), "the first items of the new version")
        publisher.kill9()
        assert not await stage.has("everywhere", two)
        assert "published.json" not in await stage.names(two)
        assert "publishing.json" in await stage.names(two)
        assert await stage.serving() == one.name
        assert 0 < (await stage.items())[two.name] < len(two.records)
        refused = stage.start("rollback", two.name)
        assert await refused.wait() == 65, refused.log_tail()

        told = await stage.done("publish")
        assert (told["version"], told["items"]) == (two.name, len(two.records))
        assert await stage.serving() == two.name
        await stage.done("rollback")
        assert await stage.serving() == one.name
    assert set(stage.looks) == {one.name, two.name}
    assert min(stage.looks.values()) > 5


async def test_a_publisher_that_was_paused_until_its_version_had_expired_is_overtaken(stage: Stage) -> None:
    old = await stage.trained(0)
    for number in (1, 2):
        await stage.trained(number)
        await stage.done("publish")
    newest = await stage.serving()
    async with stage.watched():
        publisher = stage.start("publish", old.name)
        await until(lambda: stage.has("country:EIRE", old), "the first items of the old version")
        publisher.pause()
        gone = await stage.done("expire", "--keep", "1")
        assert gone["versions"] == [old.name]
        assert (await stage.items())[old.name] <= 25  # those that it was just sending
        publisher.resume()
        assert await publisher.wait() == EXIT_AGAIN, publisher.log_tail()
        assert await stage.serving() == newest

        # What it wrote on with goes when versions go the next time.
        await stage.trained(3)
        await stage.done("publish")
        await stage.done("expire", "--keep", "1")
        assert set(await stage.items()) == {made.version_name(2), made.version_name(3)}
    assert await stage.serving() == made.version_name(3)
