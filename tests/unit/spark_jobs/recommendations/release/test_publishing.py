"""Publication and roll-back over S3 and DynamoDB in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from services.kernel.core.errors import MissingResource, Throttled, TimedOut, Unavailable
from spark_jobs.recommendations.release.errors import Overtaken, Unfit
from tests import recommendation_versions as made
from tests.recommendation_versions import MadeVersion
from tests.unit.spark_jobs.recommendations.release.stage import BUCKET, TABLE, Stage


@pytest.fixture
async def stage() -> Stage:
    return await Stage().prepare()


async def test_the_first_version_comes_into_service(stage: Stage) -> None:
    one = await stage.trained(1)
    release = await stage.publish()
    assert (release.version, release.previous, release.changed, release.generation) == (
        one.name,
        None,
        True,
        1,
    )
    assert release.items == len(one.records)
    assert await stage.serving() == one.name
    assert {"publishing.json", "published.json"} < await stage.objects(one.name)
    pointer = await stage.pointer()
    assert pointer
    assert (pointer.trained_until, pointer.forced, pointer.previous) == (made.TRAINED_UNTIL, False, None)


async def test_the_newest_complete_one_is_published_and_the_one_before_it_is_remembered(stage: Stage) -> None:
    one, two = await stage.trained(1), await stage.trained(2)
    await stage.write(made.made(3), manifest=False)
    await stage.publish(one.name)
    release = await stage.publish()
    assert (release.version, release.previous, release.generation) == (two.name, one.name, 2)
    assert await stage.serving() == two.name


async def test_publishing_again_changes_nothing_and_says_so(stage: Stage) -> None:
    await stage.trained(1)
    await stage.publish()
    before = await stage.pointer()
    puts = stage.s3.puts
    release = await stage.publish()
    assert (release.changed, release.items, stage.s3.puts) == (False, 0, puts)
    assert "in service already" in stage.said[-1]
    assert await stage.pointer() == before


async def test_without_a_version_there_is_nothing_to_publish(stage: Stage) -> None:
    with pytest.raises(MissingResource, match="no version"):
        await stage.publish()
    await stage.write(made.made(1), manifest=False)
    for name in (None, made.version_name(1), made.version_name(2), "newest", "../x"):
        with pytest.raises(MissingResource):
            await stage.publish(name)


async def test_the_gate_refuses_with_every_reason_and_changes_nothing(stage: Stage) -> None:
    await stage.trained(1)
    await stage.publish()
    before, items = await stage.pointer(), await stage.items()
    measured = {**made.MEASURED, "you_may_like": {"ease": 0.01, "popularity_30d": 0.05}}
    two = await stage.trained(2, made.small("C", customers=3), measured=measured)
    with pytest.raises(Unfit) as refused:
        await stage.publish()
    assert refused.value.forcible
    assert len(refused.value.reasons) == 3
    assert (await stage.pointer(), await stage.items()) == (before, items)
    assert "publishing.json" not in await stage.objects(two.name)

    release = await stage.publish(force=True)
    assert (release.version, release.forced, len(release.reasons)) == (two.name, True, 3)
    pointer = await stage.pointer()
    assert pointer
    assert pointer.forced
    note = await stage.versions.document(two.name, "published.json")
    assert (note["forced"], note["reasons"]) == (True, list(release.reasons))
    assert await stage.serving() == two.name


async def test_force_is_not_noted_where_nothing_was_forced(stage: Stage) -> None:
    await stage.trained(1)
    assert not (await stage.publish(force=True)).forced


async def test_without_the_manifest_of_the_one_in_service_only_force_helps(stage: Stage) -> None:
    one = await stage.trained(1)
    await stage.publish()
    await stage.trained(2)
    await stage.s3.delete(BUCKET, f"{one.prefix}manifest.json")
    with pytest.raises(Unfit, match="cannot be compared") as refused:
        await stage.publish()
    assert refused.value.forcible
    assert (await stage.publish(force=True)).changed


def lacks_lists(version: MadeVersion) -> None:
    version.records["customer:12346"] = made.body("customer:12346", "EIRE", you_may_like=[], buy_again=[])


def is_of_another(version: MadeVersion) -> None:
    version.records["customer:12346"] = version.records["customer:12347"]


def breaks_the_contract(version: MadeVersion) -> None:
    version.records["customer:12346"] = made.body("customer:12346", you_may_like=["A1", "A1"])


def is_no_json(version: MadeVersion) -> None:
    version.records["customer:12346"] = b'{"subject":'


def is_too_large(version: MadeVersion) -> None:
    text = {"description": "\u20ac" * 1000, "because_description": "\u20ac" * 1000, "because": "A1"}
    articles = [made.article(f"A{number}", **text) for number in range(70)]
    version.records["customer:12346"] = made.body("customer:12346", you_may_like=articles)


def is_of_no_kind(version: MadeVersion) -> None:
    version.records["everywhere:"] = made.body("everywhere:", popular=["A1"])


def has_nothing_for_newcomers(version: MadeVersion) -> None:
    del version.records["everywhere"]


def has_an_empty_list_for_newcomers(version: MadeVersion) -> None:
    version.records["everywhere"] = made.body("everywhere", popular=[])


def has_a_country_without_a_list(version: MadeVersion) -> None:
    version.records["country:EIRE"] = made.body("country:EIRE")


def tells_of_more(version: MadeVersion) -> None:
    version.other["subjects"] = {"customer": 41, "product": 20, "country": 2, "everywhere": 1}


def has_another_digest(version: MadeVersion) -> None:
    version.other["digest"] = "0" * 64


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lacks_lists, "customer:12346: without a list"),
        (is_of_another, "customer:12346: the record of another subject"),
        (breaks_the_contract, "customer:12346: contract_violation.*duplicate"),
        (is_no_json, "customer:12346: invalid_json"),
        (is_too_large, "customer:12346: an item of [0-9]+ bytes; the table takes 409600"),
        (is_of_no_kind, "no known kind, such as 'everywhere:'"),
        (has_nothing_for_newcomers, "newcomers have nothing"),
        (has_an_empty_list_for_newcomers, "everywhere: without a list"),
        (has_a_country_without_a_list, "country:EIRE: without a list"),
        (tells_of_more, "40 records of kind customer; the manifest tells of 41"),
        (has_another_digest, "not those that the manifest has the digest of"),
    ],
)
async def test_a_version_that_is_not_what_it_should_be_cannot_even_be_forced(
    stage: Stage, spoil: Callable[[MadeVersion], None], words: str
) -> None:
    version = made.made(0)
    spoil(version)
    await stage.write(version)
    for force in (False, True):
        with pytest.raises(Unfit, match=words) as refused:
            await stage.publish(force=force)
        assert not refused.value.forcible
    assert await stage.items() == {}
    assert await stage.pointer() is None


async def test_two_records_of_one_subject_and_records_out_of_order_are_refused(stage: Stage) -> None:
    version = await stage.trained(1)
    first, second = version.rows()[:2]
    for rows, words in [
        ([first, first, *version.rows()[1:]], "two records"),
        ([second, first], "out of order"),
    ]:
        await stage.s3.put(BUCKET, f"{version.prefix}lists/part-00000.zstd.parquet", made.parquet_of(rows))
        with pytest.raises(Unfit, match=words):
            await stage.publish()


async def test_of_many_records_at_fault_ten_are_named(stage: Stage) -> None:
    records = made.small("B", customers=30)
    records |= {subject: b"{}" for subject in records if subject.startswith("customer:")}
    await stage.trained(1, records)
    with pytest.raises(Unfit) as refused:
        await stage.publish()
    assert len(refused.value.reasons) == 11
    assert refused.value.reasons[-1] == "and 20 records more are at fault"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "part-00001.zstd.parquet is gone"),
        (b"", "no Parquet"),
        (b"PAR1 half a file", "no Parquet"),
        (made.parquet_of([]), "not those that the manifest has the digest of"),
        (made.parquet_of([("everywhere", made.body("everywhere", popular=["B1"]))]), "digest"),
    ],
)
async def test_an_object_that_is_missing_or_another_is_found(
    stage: Stage, body: bytes | None, words: str
) -> None:
    version = await stage.trained(1)
    key = f"{version.prefix}lists/part-00001.zstd.parquet"
    await (stage.s3.delete(BUCKET, key) if body is None else stage.s3.put(BUCKET, key, body))
    with pytest.raises(Unfit, match=words):
        await stage.publish()
    assert await stage.items() == {}


async def test_an_object_that_is_changed_after_the_gate_never_comes_into_service(stage: Stage) -> None:
    version = await stage.trained(1)
    rows = version.rows()
    rows[0] = (rows[0][0], made.body(rows[0][0], popular=["X"]))
    part = made.parquet_of(rows[: len(rows) // 2])

    async def change(key: str) -> None:
        if key.endswith("publishing.json"):
            await stage.s3.put(BUCKET, f"{version.prefix}lists/part-00000.zstd.parquet", part)

    stage.s3.before_put = change
    with pytest.raises(Unfit, match="digest"):
        await stage.publish()
    assert await stage.pointer() is None
    assert "published.json" not in await stage.objects(version.name)


@pytest.mark.parametrize("data", [b"", b'{"version": "20111', b"[]"])
async def test_half_a_manifest_is_refused(stage: Stage, data: bytes) -> None:
    version = await stage.trained(1)
    await stage.s3.put(BUCKET, f"{version.prefix}manifest.json", data)
    with pytest.raises(Unfit, match=r"manifest\.json: no manifest"):
        await stage.publish()


async def test_of_two_publishers_one_is_overtaken(stage: Stage) -> None:
    one, two = await stage.trained(1), await stage.trained(2)
    outcomes = await asyncio.gather(stage.publish(one.name), stage.publish(two.name), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Overtaken", "Release"]
    seen = await stage.serving()
    assert seen in (one.name, two.name)
    await stage.publish(two.name if seen == one.name else one.name)
    pointer = await stage.pointer()
    assert pointer
    assert (pointer.generation, pointer.previous) == (2, seen)


async def test_a_flip_whose_answer_is_lost_is_ours(stage: Stage) -> None:
    one = await stage.trained(1)
    lost = iter([TimedOut("put_item")])
    stage.dynamodb.fault_after = lambda operation: next(lost, None) if operation == "put_item" else None
    assert (await stage.publish()).generation == 1
    assert await stage.serving() == one.name


async def test_writes_are_repeated_until_patience_ends(stage: Stage) -> None:
    one = await stage.trained(1)
    refusals = iter([Throttled("x"), Unavailable("x"), TimedOut("x")] * 3)
    stage.dynamodb.fault = lambda operation: next(refusals, None) if operation == "batch_write_item" else None
    await stage.publish()
    assert await stage.serving() == one.name

    await stage.trained(2)
    stage.dynamodb.fault = lambda operation: Throttled("x") if operation == "batch_write_item" else None
    with pytest.raises(Throttled):
        await stage.publish()
    stage.lives()
    assert await stage.serving() == one.name


async def test_items_that_the_table_leaves_out_are_sent_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await stage.trained(1)
    whole = stage.dynamodb.batch_write
    taken: list[int] = []

    async def some(table: str, puts: Any = (), deletes: Any = ()) -> Any:
        """Takes none, then one item less than it is given, for ever."""
        taken.append(len(puts))
        if len(taken) % 2:
            return list(puts), list(deletes)
        first = max(1, len(puts) - 1)
        await whole(table, puts[:first])
        return list(puts[first:]), []

    monkeypatch.setattr(stage.dynamodb, "batch_write", some)
    await stage.publish()
    assert await stage.serving() == one.name

    async def none(table: str, puts: Any = (), deletes: Any = ()) -> Any:
        return list(puts), list(deletes)

    monkeypatch.setattr(stage.dynamodb, "batch_write", none)
    await stage.trained(2)
    with pytest.raises(Throttled, match="not one of"):
        await stage.publish()


async def test_s3_away_is_waited_for_and_then_changes_nothing(stage: Stage) -> None:
    await stage.trained(1)
    for operation in ("list_objects_v2", "get_object", "put_object"):
        stage.s3.fault = lambda asked, gone=operation: Unavailable(gone) if asked == gone else None  # type: ignore[misc]
        with pytest.raises(Unavailable, match=operation):
            await stage.publish()
        stage.lives()
        assert await stage.pointer() is None


async def test_the_table_holds_everywhere_last(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.trained(1)
    whole = stage.dynamodb.batch_write
    order: list[str] = []

    async def noted(table: str, puts: Any = (), deletes: Any = ()) -> Any:
        order.extend(item["subject"]["S"] for item in puts)
        return await whole(table, puts, deletes)

    monkeypatch.setattr(stage.dynamodb, "batch_write", noted)
    await stage.publish()
    assert order[-1] == "everywhere"
    assert order.count("everywhere") == 1


async def test_back_and_forth(stage: Stage) -> None:
    one, two = await stage.trained(1), await stage.trained(2)
    await stage.publish(one.name)
    await stage.publish(two.name)

    back = await stage.roll_back()
    assert (back.version, back.previous, back.generation, back.items) == (one.name, two.name, 3, 0)
    assert await stage.serving() == one.name
    again = await stage.roll_back()
    assert (again.version, again.previous, again.generation) == (two.name, one.name, 4)
    assert await stage.serving() == two.name


async def test_a_version_that_was_rolled_back_from_is_published_again_only_by_its_name(stage: Stage) -> None:
    one, two = await stage.trained(1), await stage.trained(2)
    await stage.publish(one.name)
    await stage.publish(two.name)
    await stage.roll_back()
    assert not (await stage.publish()).changed
    assert await stage.serving() == one.name

    three = await stage.trained(3)
    assert (await stage.publish()).version == three.name
    assert (await stage.roll_back(one.name)).version == one.name
    pointer = await stage.pointer()
    assert pointer
    assert pointer.withdrawn == (two.name, three.name)

    release = await stage.publish(two.name)
    assert (release.changed, release.items) == (True, 0)
    assert "in the table already" in "\n".join(stage.said)
    pointer = await stage.pointer()
    assert pointer
    assert pointer.withdrawn == (three.name,)


async def test_a_way_back_needs_a_version_whose_items_are_all_there(stage: Stage) -> None:
    with pytest.raises(MissingResource, match="nothing is in service yet"):
        await stage.roll_back()
    one, two, three = [await stage.trained(number) for number in (1, 2, 3)]
    await stage.publish(one.name)
    with pytest.raises(MissingResource, match="nothing was in service before"):
        await stage.roll_back()
    assert not (await stage.roll_back(one.name)).changed
    await stage.publish(two.name)
    with pytest.raises(Unfit, match="never published to its end"):
        await stage.roll_back(three.name)
    for name in (made.version_name(9), "x"):
        with pytest.raises(MissingResource):
            await stage.roll_back(name)
    # Of a table that was lost and made anew: the notes in S3 know nothing of that.
    await stage.dynamodb.delete_table(TABLE)
    await made.create_table(stage.dynamodb, TABLE)
    await stage.publish(two.name)
    with pytest.raises(Unfit, match="does not hold its items"):
        await stage.roll_back(one.name)
    assert await stage.serving() == two.name


async def test_force_writes_the_items_in_service_anew(stage: Stage) -> None:
    one = await stage.trained(1)
    await stage.publish()
    spoilt = made.body("everywhere", popular=["X"])
    item: Mapping[str, Any] = {
        "subject": {"S": "everywhere"},
        "version": {"S": one.name},
        "body": {"B": spoilt},
    }
    await stage.dynamodb.put_item(TABLE, item)
    release = await stage.publish(force=True)
    assert (release.changed, release.items, release.generation) == (False, len(one.records), 1)
    assert await stage.serving() == one.name


async def test_a_publisher_notices_that_its_version_was_removed(stage: Stage) -> None:
    one, two = await stage.trained(1), await stage.trained(2)
    await stage.publish(two.name)

    async def remove(key: str) -> None:
        if key.endswith(f"{one.name}/publishing.json"):
            await stage.s3.put(BUCKET, f"{one.prefix}expiring.json", b"{}")

    stage.s3.before_put = remove
    with pytest.raises(Overtaken, match="is being removed"):
        await stage.publish(one.name)
    with pytest.raises(Unfit, match="expired"):
        await stage.publish(one.name)
    assert await stage.serving() == two.name
