"""The process dies before each of its calls in turn: readers see one whole version, and a repetition mends all."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from services.kernel.core.errors import MissingResource
from spark_jobs.recommendations.release.errors import Unfit
from tests import recommendation_versions as made
from tests.unit.spark_jobs.recommendations.release.stage import Death, Stage

Prepare = Callable[[], Awaitable[Stage]]
Act = Callable[[Stage], Awaitable[object]]
ONE, TWO, THREE = (made.version_name(number) for number in (1, 2, 3))


async def two_published() -> Stage:
    """Versions 1 and 2 in service in turn, 3 ready."""
    stage = await Stage().prepare()
    for number in (1, 2):
        await stage.trained(number)
        await stage.publish()
    await stage.trained(3)
    return stage


async def three_published() -> Stage:
    """Versions 1 to 3 in service in turn, a training that died, and a publication that did."""
    stage = await Stage().prepare()
    await stage.write(made.made(8), manifest=False)
    half = await stage.trained(0)
    await stage.versions.note(half.name, "publishing.json", {})
    await made.put_items(stage.dynamodb, "shop-recommendations", half)
    for number in (1, 2, 3):
        await stage.trained(number)
        await stage.publish(made.version_name(number))
    await stage.trained(4)
    return stage


async def each_death(prepare: Prepare, act: Act) -> AsyncIterator[Stage]:
    """A stage for every call of the action, whose process has died just before it."""
    prepared, at = await prepare(), 0
    while True:
        at += 1
        stage = copy.deepcopy(prepared)
        mortality = stage.dies(at)
        try:
            await act(stage)
        except Death:
            stage.lives()
            yield stage
        else:
            assert mortality.calls == at - 1
            assert at > 10, "the action makes hardly a call"
            return


async def test_a_publisher_may_die_anywhere() -> None:
    seen = []
    async for stage in each_death(two_published, lambda stage: stage.publish()):
        serving = await stage.serving()
        seen.append(serving)
        assert serving in (TWO, THREE)
        assert (await stage.check()).equal
        release = await stage.publish()
        assert release.version == THREE
        assert release.changed == (serving == TWO)
        assert await stage.serving() == THREE
        assert (await stage.check()).equal
        pointer = await stage.pointer()
        assert pointer
        assert (pointer.previous, pointer.generation) == (TWO, 3)
    # Before the last call of all, the flip, nothing is seen of the new one.
    assert set(seen) == {TWO}


async def test_the_first_publisher_may_die_anywhere() -> None:
    async def prepare() -> Stage:
        stage = await Stage().prepare()
        await stage.trained(3)
        return stage

    async for stage in each_death(prepare, lambda stage: stage.publish()):
        assert await stage.serving() is None
        await stage.publish()
        assert await stage.serving() == THREE


async def test_no_way_leads_back_to_a_version_that_was_half_written() -> None:
    ready = 0
    async for stage in each_death(two_published, lambda stage: stage.publish()):
        try:
            await stage.roll_back(THREE)
        except Unfit:
            assert await stage.serving() == TWO
        else:
            ready += 1
            assert await stage.serving() == THREE
    assert ready == 1  # it died between the note that all is there and the flip


async def test_a_roll_back_may_die_anywhere() -> None:
    stage = await two_published()
    calls = stage.dies(10**9)
    await stage.roll_back()
    for at in range(1, calls.calls + 1):
        stage = await two_published()
        stage.dies(at)
        with pytest.raises(Death):
            await stage.roll_back()
        stage.lives()
        assert await stage.serving() == TWO
        await stage.roll_back(ONE)
        assert await stage.serving() == ONE


async def test_an_expiry_may_die_anywhere() -> None:
    async for stage in each_death(three_published, lambda stage: stage.expire(keep=1)):
        died = copy.deepcopy(stage)
        assert await stage.serving() == THREE
        assert (await stage.check()).equal
        # Of what is left each version is offered whole, or not at all.
        for name in (ONE, made.version_name(0)):
            try:
                await stage.roll_back(name)
            except (Unfit, MissingResource):
                assert await stage.serving() == THREE
            else:
                assert await stage.serving() == name
                await stage.roll_back()
                assert await stage.serving() == THREE
        stage = copy.deepcopy(died)
        await stage.expire(keep=1)
        await holds_what_it_should(stage)
        assert (await stage.expire(keep=1)).versions == ()


async def holds_what_it_should(stage: Stage) -> None:
    """The versions in service now and before, and the newest that is ready."""
    assert await stage.serving() == THREE
    assert set(await stage.items()) == {TWO, THREE}
    assert set(await stage.versions.all()) == {TWO, THREE, made.version_name(4)}
    assert (await stage.roll_back()).version == TWO
    assert await stage.serving() == TWO
    assert (await stage.roll_back()).version == THREE


async def test_a_publisher_may_die_anywhere_and_its_version_expire() -> None:
    async for stage in each_death(two_published, lambda stage: stage.publish()):
        assert await stage.serving() == TWO
        for number in (5, 6):
            await stage.trained(number)
            await stage.publish(made.version_name(number))
        await stage.expire(keep=1)
        assert set(await stage.items()) - {THREE} == {made.version_name(5), made.version_name(6)}
        await stage.trained(7)
        await stage.publish()
        await stage.expire(keep=1)
        assert set(await stage.items()) == {made.version_name(6), made.version_name(7)}
        left = (await stage.versions.all()).get(THREE)
        assert left is None or not left.begun
