"""The release's commands over DynamoDB and S3 as they are: gate, flip, roll-back, check, expiry, and faults between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.s3 import S3
from spark_jobs.recommendations.release.__main__ import main
from tests import recommendation_versions as made
from tests.fault import faults
from tests.fault.faults import Answer, Call, Send
from tests.fault.proxy import FaultProxy
from tests.recommendation_versions import MadeVersion


@dataclass
class Stage:
    """A namespace's versions and table, and the commands over them."""

    s3: S3
    dynamodb: DynamoDB
    bucket: str
    table: str
    capsys: pytest.CaptureFixture[str]

    async def command(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run a command; its exit code and what it printed."""
        code = await asyncio.to_thread(main, [*arguments, "--json"])
        return code, json.loads(self.capsys.readouterr().out)

    async def trained(self, number: int, **other: Any) -> MadeVersion:
        """Write the version of a day into S3."""
        version = made.made(number, **other)
        await made.write(self.s3, self.bucket, version)
        return version

    async def published(self, number: int) -> MadeVersion:
        """Train a version and publish it."""
        version = await self.trained(number)
        code, told = await self.command("publish")
        assert (code, told["version"], told["changed"]) == (0, version.name, True), told
        return version

    async def items(self) -> dict[str, dict[str, bytes]]:
        """Bodies by version and subject, without the pointer."""
        found: dict[str, dict[str, bytes]] = {}
        async for item in self.dynamodb.scan(self.table):
            if "body" in item:
                found.setdefault(item["version"]["S"], {})[item["subject"]["S"]] = bytes(item["body"]["B"])
        return found

    async def pointer(self) -> dict[str, Any]:
        """The pointer as it lies in the table."""
        key = {"subject": {"S": "current"}, "version": {"S": "current"}}
        return await self.dynamodb.get_item(self.table, key) or {}


@pytest.fixture
async def stage(
    dynamodb_endpoint: str,
    s3_endpoint: str,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> AsyncIterator[Stage]:
    monkeypatch.setenv("CADABRA_NAMESPACE", namespace)
    monkeypatch.setenv("CADABRA_DYNAMODB_ENDPOINT", dynamodb_endpoint)
    monkeypatch.setenv("CADABRA_S3_ENDPOINT", s3_endpoint)
    async with (
        S3.open(s3_endpoint, "us-east-1") as s3,
        DynamoDB.open(dynamodb_endpoint, "us-east-1") as dynamodb,
    ):
        bucket, table = f"{namespace}-lake", f"{namespace}-recommendations"
        await s3.create_bucket(bucket)
        await made.create_table(dynamodb, table)
        yield Stage(s3, dynamodb, bucket, table, capsys)
        await dynamodb.delete_table(table)


async def test_a_versions_life(stage: Stage) -> None:
    one = await stage.published(1)
    assert await stage.items() == {one.name: one.records}
    pointer = await stage.pointer()
    assert pointer["serving"] == {"S": one.name}
    assert pointer["generation"] == {"N": "1"}
    assert pointer["trained_until"] == {"S": made.TRAINED_UNTIL}
    assert pointer["forced"] == {"BOOL": False}
    assert "previous" not in pointer

    code, told = await stage.command("publish")
    assert (code, told["changed"], told["version"]) == (0, False, one.name)
    assert await stage.pointer() == pointer

    two = await stage.published(2)
    pointer = await stage.pointer()
    assert (pointer["serving"]["S"], pointer["previous"]["S"]) == (two.name, one.name)
    assert pointer["generation"] == {"N": "2"}

    code, told = await stage.command("check")
    assert (code, told["equal"], told["records"]) == (0, True, len(two.records))

    code, told = await stage.command("rollback")
    assert (code, told["version"], told["previous"], told["items"]) == (0, one.name, two.name, 0)
    assert (await stage.pointer())["withdrawn"] == {"SS": [two.name]}
    code, told = await stage.command("publish")
    assert (code, told["changed"]) == (0, False)
    code, told = await stage.command("rollback")
    assert (code, told["version"], told["generation"]) == (0, two.name, 4)

    three = await stage.published(3)
    code, told = await stage.command("versions")
    assert [(row["version"], row["state"]) for row in told["versions"]] == [
        (three.name, "in service"),
        (two.name, "previous"),
        (one.name, "withdrawn"),
    ]
    code, told = await stage.command("expire", "--keep", "1")
    assert (code, told["versions"], told["items"]) == (0, [one.name], len(one.records))
    assert await stage.items() == {two.name: two.records, three.name: three.records}
    left = {one.key.split("/")[2] async for one in stage.s3.list(stage.bucket, made.PREFIX)}
    assert left == {two.name, three.name}
    code, told = await stage.command("rollback", one.name)
    assert (code, told["error"]) == (69, "MissingResource")
    code, told = await stage.command("check")
    assert (code, told["equal"]) == (0, True)


async def test_the_gate_says_every_reason_and_force_passes_it(stage: Stage) -> None:
    code, told = await stage.command("publish")
    assert (code, told["error"]) == (69, "MissingResource")
    await stage.published(1)
    measured = {**made.MEASURED, "you_may_like": {"ease": 0.01, "popularity_30d": 0.05}}
    two = await stage.trained(2, records=made.small("C", customers=3), measured=measured)
    code, told = await stage.command("publish")
    assert (code, told["error"], told["forcible"], len(told["reasons"])) == (65, "Unfit", True, 3)
    code, told = await stage.command("publish", "--force")
    assert (code, told["version"], told["forced"], len(told["reasons"])) == (0, two.name, True, 3)
    assert (await stage.pointer())["forced"] == {"BOOL": True}


async def test_of_publishers_at_once_each_but_one_is_overtaken(stage: Stage) -> None:
    versions = [await stage.trained(number) for number in range(4)]
    codes = await asyncio.gather(
        *(asyncio.to_thread(main, ["publish", version.name]) for version in versions)
    )
    stage.capsys.readouterr()
    assert sorted(codes) == [0, 75, 75, 75]
    assert (await stage.pointer())["serving"] == {"S": versions[codes.index(0)].name}
    assert (await stage.pointer())["generation"] == {"N": "1"}


async def test_a_check_finds_what_somebody_has_changed_and_force_mends_it(stage: Stage) -> None:
    one = await stage.published(1)

    def key(subject: str) -> dict[str, Any]:
        return {"subject": {"S": subject}, "version": {"S": one.name}}

    await stage.dynamodb.delete_item(stage.table, key("customer:12346"))
    await stage.dynamodb.put_item(stage.table, {**key("everywhere"), "body": {"B": b"{}"}})
    code, told = await stage.command("check")
    assert (code, told["missing"], told["other"], told["extra"]) == (
        65,
        ["customer:12346"],
        ["everywhere"],
        [],
    )
    code, told = await stage.command("publish", "--force")
    assert (code, told["changed"], told["items"]) == (0, False, len(one.records))
    assert (await stage.command("check"))[0] == 0


async def test_a_record_as_large_as_an_item_may_be_is_published_and_a_larger_one_refused(
    stage: Stage,
) -> None:
    """Our measure of an item's size is the table's."""
    version = made.made(1)
    text = "\u20ac" * 1000
    long = [
        made.article(f"A{number}", description=text, because="A1", because_description=text)
        for number in range(70)
    ]
    subject = "customer:12346"
    room = 409_600 - len("subjectversionbody") - len(subject) - len(version.name)

    def record(size: int) -> bytes:
        """A record of so many bytes: the last texts are cut, and blanks fill the rest."""
        articles = list(long)
        while len(body := made.body(subject, "EIRE", you_may_like=articles)) > size:
            articles.pop()
        return body + b" " * (size - len(body))

    version.records[subject] = record(room + 1)
    await made.write(stage.s3, stage.bucket, version)
    code, told = await stage.command("publish")
    assert (code, told["forcible"]) == (65, False)
    assert "409601 bytes" in told["message"]
    version.records[subject] = record(room)
    await made.write(stage.s3, stage.bucket, version)
    assert (await stage.command("publish"))[0] == 0
    assert (await stage.items())[version.name] == version.records


@dataclass
class LeavesOut:
    """Every second write of a batch is never forwarded, and comes back as unprocessed."""

    left_out: int = 0

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        asked = json.loads(body)
        [(table, requests)] = asked["RequestItems"].items()
        taken, left = requests[::2], requests[1::2]
        answer = await send(json.dumps({**asked, "RequestItems": {table: taken}}).encode())
        if answer is None or answer.status != 200 or not left:
            return answer
        self.left_out += len(left)
        told = json.loads(answer.body)
        assert not told.get("UnprocessedItems")
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        return Answer(200, json.dumps({**told, "UnprocessedItems": {table: left}}).encode(), headers)


async def test_throttled_and_cut_off_it_still_publishes_whole(
    stage: Stage, dynamodb_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.published(1)
    two = await stage.trained(2)
    async with FaultProxy(dynamodb_endpoint, seed=8) as proxy:
        monkeypatch.setenv("CADABRA_DYNAMODB_ENDPOINT", proxy.url)
        write, flip = "BatchWriteItem", "PutItem"
        leaves_out = LeavesOut()
        rules = [
            proxy.add(faults.Throttle(), write, count=2),
            proxy.add(faults.CutAfter(), write, count=1),
            proxy.add(faults.Error500(), write, count=1),
            proxy.add(faults.CutAfter(), flip, count=1),
        ]
        proxy.add(leaves_out, write)
        code, told = await stage.command("publish")
        assert [rule.hits for rule in rules] == [2, 1, 1, 1]
    assert (code, told["version"], told["generation"]) == (0, two.name, 2), told
    assert leaves_out.left_out > len(two.records) / 4
    assert (await stage.items())[two.name] == two.records


async def test_without_dynamodb_or_s3_it_gives_up_in_time_and_changes_nothing(
    stage: Stage, dynamodb_endpoint: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await stage.published(1)
    before = await stage.pointer()
    two = await stage.trained(2)
    monkeypatch.setenv("CADABRA_PUBLISH_PATIENCE_S", "0.3")
    for variable, engine in (("DYNAMODB", dynamodb_endpoint), ("S3", s3_endpoint)):
        async with FaultProxy(engine, seed=9) as proxy:
            monkeypatch.setenv(f"CADABRA_{variable}_ENDPOINT", proxy.url)
            outage = proxy.outage()
            for command in ("publish", "expire", "check"):
                code, told = await stage.command(command)
                assert code == 75, told
            assert outage.hits > 1
            proxy.heal()
            proxy.add(faults.Throttle(), "BatchWriteItem")
            code, told = await stage.command("publish")
            assert (code, told.get("error")) == ((75, "Throttled") if variable == "DYNAMODB" else (0, None))
        monkeypatch.setenv(f"CADABRA_{variable}_ENDPOINT", engine)
        if variable == "DYNAMODB":
            assert await stage.pointer() == before
            assert set(await stage.items()) == {one.name}
    assert (await stage.pointer())["serving"] == {"S": two.name}
