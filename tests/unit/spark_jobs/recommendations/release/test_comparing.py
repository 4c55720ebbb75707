"""What a check finds, and what the list of versions says."""

from __future__ import annotations

from typing import Any

import pytest

from services.kernel.core.errors import MissingResource
from spark_jobs.recommendations.release import listing
from spark_jobs.recommendations.release.comparing import MOST_NAMED
from spark_jobs.recommendations.release.errors import Overtaken, Unfit
from tests import recommendation_versions as made
from tests.unit.spark_jobs.recommendations.release.stage import BUCKET, TABLE, Stage


@pytest.fixture
async def stage() -> Stage:
    return await Stage().prepare()


def key(subject: str, version: str) -> dict[str, Any]:
    return {"subject": {"S": subject}, "version": {"S": version}}


async def test_differences_are_found_both_ways(stage: Stage) -> None:
    with pytest.raises(MissingResource, match="nothing is in service"):
        await stage.check()
    one = await stage.trained(1)
    await stage.publish()
    await made.put_items(stage.dynamodb, TABLE, made.made(2))
    found = await stage.check()
    assert (found.equal, found.records, list(found.lines())) == (True, len(one.records), [])

    await stage.dynamodb.delete_item(TABLE, key("customer:12346", one.name))
    await stage.dynamodb.put_item(TABLE, {**key("customer:12347", one.name), "body": {"B": b"{}"}})
    for number in range(MOST_NAMED + 1):
        await stage.dynamodb.put_item(TABLE, {**key(f"product:Z{number:02}", one.name), "body": {"B": b"{}"}})
    found = await stage.check()
    assert not found.equal
    assert (found.missing, found.other) == (("customer:12346",), ("customer:12347",))
    assert found.extra == tuple(f"product:Z{number:02}" for number in range(MOST_NAMED + 1))
    assert list(found.lines()) == [
        "1 missing in the table: customer:12346",
        "1 other than in S3: customer:12347",
        f"11 in the table alone: {', '.join(found.extra[:MOST_NAMED])}, ...",
    ]


async def test_a_version_that_has_changed_in_s3_cannot_be_compared(stage: Stage) -> None:
    one = await stage.trained(1)
    await stage.publish()
    await stage.s3.put(BUCKET, f"{one.prefix}lists/part-00000.zstd.parquet", made.parquet_of(one.rows()[:1]))
    with pytest.raises(Unfit, match="digest"):
        await stage.check()
    await stage.s3.delete(BUCKET, f"{one.prefix}manifest.json")
    with pytest.raises(MissingResource, match=r"manifest\.json"):
        await stage.check()


async def test_who_is_overtaken_by_a_flip_compares_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.trained(1)
    await stage.publish()
    two = await stage.trained(2)
    page = stage.dynamodb.scan_page

    async def flipping(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(stage.dynamodb, "scan_page", page)
        await stage.publish(two.name)
        return await page(*arguments, **named)

    monkeypatch.setattr(stage.dynamodb, "scan_page", flipping)
    with pytest.raises(Overtaken):
        await stage.check()


async def test_each_version_has_one_state(stage: Stage) -> None:
    assert listing.lines(await listing.listed(stage.versions, None)) == ["no version yet"]
    for number in (1, 2, 3, 4):
        await stage.trained(number)
        await stage.publish()
    await stage.roll_back(made.version_name(2))
    await stage.trained(5)
    await stage.versions.note(made.version_name(5), "publishing.json", {})
    await stage.trained(6)
    await stage.write(made.made(7), manifest=False)
    await stage.trained(8)
    await stage.versions.note(made.version_name(8), "expiring.json", {})
    await stage.s3.put(BUCKET, f"{made.PREFIX}{made.version_name(9)}/manifest.json", b"{")
    await stage.s3.put(BUCKET, f"{made.PREFIX}readme.txt", b"no version")

    await stage.roll_back(made.version_name(1))
    await stage.roll_back(made.version_name(3))

    found = await listing.listed(stage.versions, await stage.pointer())
    assert {one.version[-1]: one.state for one in found} == {
        "9": "ready",
        "8": "expiring",
        "7": "training",
        "6": "ready",
        "5": "half published",
        "4": "withdrawn",
        "3": "in service",
        "2": "withdrawn",
        "1": "previous",
    }
    assert found[0].fault
    assert "no manifest" in found[0].fault
    six = found[3].as_json()
    assert six["ndcg"]["you_may_like"] == 0.12
    assert six["subjects"] == {"customer": 40, "product": 20, "country": 2, "everywhere": 1}
    lines = listing.lines(found)
    assert len(lines) == 10
    assert "0.120 ease" in lines[4]
