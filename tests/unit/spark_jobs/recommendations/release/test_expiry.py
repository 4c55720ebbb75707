"""What expires, what stays, and that nothing comes back half."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.kernel.core.errors import MissingResource
from spark_jobs.recommendations.release import manifest as manifests
from spark_jobs.recommendations.release.errors import Overtaken, Unfit
from spark_jobs.recommendations.release.expiry import UNFINISHED_FOR, choose
from spark_jobs.recommendations.release.manifest import EXPIRING, MANIFEST, PUBLISHED, PUBLISHING
from spark_jobs.recommendations.release.pointer import Pointer, flipped
from spark_jobs.recommendations.release.versions import Version
from tests import recommendation_versions as made
from tests.unit.spark_jobs.recommendations.release.stage import BUCKET, NOW, TABLE, Stage

NAMES = [made.version_name(number) for number in range(10)]


@pytest.fixture
async def stage() -> Stage:
    return await Stage().prepare()


def chosen(
    states: dict[int, set[str]], serving: int | None, previous: int | None = None, keep: int = 2
) -> list[int]:
    """Numbers of the versions that go; published in order of their numbers."""
    versions = [Version(NAMES[number], (), frozenset(found)) for number, found in states.items()]
    pointer = None
    if serving is not None:
        before = None if previous is None else NAMES[previous]
        pointer = Pointer(NAMES[serving], before, 1, made.TRAINED_UNTIL, made.TRAINED_UNTIL)
    published = {one.name: one.name for one in versions}
    return [NAMES.index(name) for name in choose(versions, published, pointer, keep, NOW)]


DONE, READY = {MANIFEST, PUBLISHING, PUBLISHED}, {MANIFEST}


def test_the_newest_published_stay_and_those_in_service_now_and_before() -> None:
    states = dict.fromkeys(range(6), DONE)
    assert chosen(states, serving=5, previous=4) == [0, 1, 2, 3]
    assert chosen(states, serving=1, previous=0) == [2, 3]
    assert chosen(states, serving=0) == [1, 2, 3]
    assert chosen(states, serving=5, previous=4, keep=6) == []


def test_of_those_that_were_never_published_the_newest_stay_too() -> None:
    states = {0: READY, 1: DONE, 2: READY, 3: DONE, 4: {MANIFEST, PUBLISHING}, 5: DONE, 6: READY}
    assert chosen(states, serving=5, previous=3, keep=1) == [0, 1, 2, 4]
    assert chosen({**states, 4: READY}, serving=5, previous=3) == [0, 1, 2]


def test_a_publication_that_did_not_end_stays_while_it_is_newer_than_what_is_in_service() -> None:
    half = {MANIFEST, PUBLISHING}
    assert chosen({0: half, 1: DONE, 2: half, 3: half}, serving=1) == [0]


def test_where_nothing_is_in_service_only_what_is_half_goes() -> None:
    states = {0: DONE, 1: READY, 2: READY, 3: READY, 4: set(), 5: {MANIFEST, EXPIRING}}
    assert chosen(states, serving=None, keep=1) == [4, 5]


def test_a_training_may_take_a_day() -> None:
    name = NAMES[0]
    began = manifests.began(name)
    version = [Version(name, (), frozenset())]
    assert choose(version, {}, None, 1, began + UNFINISHED_FOR - timedelta(seconds=1)) == []
    assert choose(version, {}, None, 1, began + UNFINISHED_FOR) == [name]
    removed = [Version(name, (), frozenset({EXPIRING}))]
    assert choose(removed, {}, None, 1, began) == [name]


async def published(stage: Stage, *numbers: int) -> list[str]:
    """Train and publish versions in order."""
    for number in numbers:
        await stage.trained(number)
        await stage.publish()
    return [made.version_name(number) for number in numbers]


async def test_items_and_objects_of_old_versions_go_and_no_others(stage: Stage) -> None:
    names = await published(stage, 1, 2, 3, 4)
    count = len(stage.written[names[0]].records)
    gone = await stage.expire(keep=2)
    assert (gone.versions, gone.kept) == (tuple(names[:2]), tuple(names[2:]))
    assert (gone.items, gone.objects) == (2 * count, 2 * 8)
    assert await stage.items() == dict.fromkeys(names[2:], count)
    assert [await stage.objects(name) for name in names[:2]] == [set(), set()]
    assert await stage.serving() == names[3]
    assert (await stage.check()).equal
    assert (await stage.roll_back()).version == names[2]
    assert await stage.serving() == names[2]

    again = await stage.expire(keep=2)
    assert (again.versions, again.items, again.objects) == ((), 0, 0)
    with pytest.raises(MissingResource, match="there is no version"):
        await stage.roll_back(names[0])


async def test_a_publication_that_never_ended_leaves_nothing(stage: Stage) -> None:
    half = await stage.trained(0)
    names = await published(stage, 1)
    await made.put_items(stage.dynamodb, TABLE, half)
    await stage.s3.put(BUCKET, f"{half.prefix}publishing.json", b"{}")
    await stage.trained(2)
    gone = await stage.expire(keep=1)
    assert gone.versions == (half.name,)
    assert set(await stage.items()) == set(names)


async def test_what_was_never_begun_needs_no_look_at_the_table(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(stage, 1)
    for number in (2, 3):
        await stage.trained(number)

    async def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("the table was scanned")

    monkeypatch.setattr(stage.dynamodb, "scan_page", never)
    assert (await stage.expire(keep=1)).versions == (made.version_name(2),)


async def test_items_that_no_version_stands_for_go_too(stage: Stage) -> None:
    """Somebody was paused while publishing, and wrote on after the version was removed."""
    names = await published(stage, 1, 2, 3)
    zombie = made.made(0)
    await made.put_items(stage.dynamodb, TABLE, zombie)
    fresh = made.made(9)

    async def begin(key: str) -> None:
        """A publication that begins after the look at S3."""
        if key.endswith("expiring.json"):
            stage.s3.before_put = _at_once
            await made.write(stage.s3, BUCKET, fresh)
            await made.put_items(stage.dynamodb, TABLE, fresh)

    stage.s3.before_put = begin
    await stage.expire(keep=1)
    assert set(await stage.items()) == {names[1], names[2], fresh.name}


async def test_who_looked_before_a_version_was_marked_cannot_bring_it_into_service(stage: Stage) -> None:
    one, two, three = await published(stage, 1, 2, 3)
    looked = await stage.pointer()
    manifest = await stage.publishing._whole(one)
    await stage.expire(keep=1)
    moved = flipped(looked, one, manifest.trained_until, made.TRAINED_UNTIL)
    with pytest.raises(Overtaken):
        await stage.table.move(looked, moved)
    assert await stage.serving() == three
    await stage.s3.put(BUCKET, f"{made.PREFIX}{two}/expiring.json", b"{}")
    with pytest.raises(Unfit, match="expired"):
        await stage.roll_back(two)


async def test_who_is_overtaken_removes_nothing_and_a_mark_on_what_is_in_service_is_taken_back(
    stage: Stage,
) -> None:
    names = await published(stage, 1, 2, 3)
    before = await stage.items()

    async def flip(key: str) -> None:
        if key.endswith("expiring.json"):
            stage.s3.before_put = _at_once
            looked = await stage.pointer()
            await stage.table.move(looked, flipped(looked, names[0], made.TRAINED_UNTIL, made.TRAINED_UNTIL))

    stage.s3.before_put = flip
    with pytest.raises(Overtaken):
        await stage.expire(keep=1)
    assert await stage.items() == before
    assert await stage.serving() == names[0]
    assert "expiring.json" in await stage.objects(names[0])

    await stage.expire(keep=1)
    assert "expiring.json" not in await stage.objects(names[0])
    assert set(await stage.items()) == {names[0], names[2]}
    await stage.publish(names[2])
    assert (await stage.roll_back()).version == names[0]


async def _at_once(_: str) -> None:
    return None
