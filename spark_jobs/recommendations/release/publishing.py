"""Brings a version into service, forward through the gate or back to one that was published."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.scalars import timestamp
from services.kernel.core.errors import MissingResource
from spark_jobs.recommendations.release import gate, inspection
from spark_jobs.recommendations.release import manifest as manifests
from spark_jobs.recommendations.release import pointer as pointers
from spark_jobs.recommendations.release.errors import Overtaken, Unfit
from spark_jobs.recommendations.release.lists import Lists
from spark_jobs.recommendations.release.manifest import EXPIRING, PUBLISHED, PUBLISHING, Manifest
from spark_jobs.recommendations.release.pointer import Pointer
from spark_jobs.recommendations.release.table import Table
from spark_jobs.recommendations.release.versions import Version, Versions

Say = Callable[[str], None]


def now() -> str:
    """The time, RFC 3339 in UTC."""
    return timestamp(datetime.now(UTC))


@dataclass(frozen=True)
class Release:
    """What a publication or a way back came to.

    Args:
        version: in service now.
        previous: in service before it; None where nothing was.
        changed: whether it came into service by this command.
        generation: of the pointer.
        forced: whether the gate had something to say.
        reasons: what the gate had to say.
        items: written by this command.
        seconds: by phase.
    """

    version: str
    previous: str | None
    changed: bool
    generation: int
    forced: bool = False
    reasons: tuple[str, ...] = ()
    items: int = 0
    seconds: Mapping[str, float] | None = None

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {**asdict(self), "reasons": list(self.reasons), "seconds": dict(self.seconds or {})}


@dataclass(frozen=True)
class Publishing:
    """The work over one bucket of versions and one table.

    The pointer is read before anything else, and moves only if it is still the same: of two commands at once one is
    overtaken, and a version that is being removed can no longer come into service.

    Args:
        say: tells people what is going on.
    """

    versions: Versions
    lists: Lists
    table: Table
    say: Say

    async def publish(self, name: str | None, force: bool = False) -> Release:
        """Judge a version, write its items, bring it into service.

        Args:
            name: None for the newest complete one that was not rolled back from.
            force: pass over what the gate says, and write items anew that are there.

        Raises:
            Unfit: the gate refuses it, or it is not what its manifest says; nothing was changed.
            MissingResource: there is no such version.
            Overtaken: another one came into service meanwhile.
        """
        serving = await self.table.pointer()
        version = await self._chosen(name, serving)
        if serving is not None and serving.serving == version.name and not force:
            self.say(f"{version.name} is in service already: nothing to do")
            return _unchanged(serving)
        took = _Seconds()
        manifest = await self.versions.manifest(version.name)
        with_faults = await inspection.inspect(self.lists, manifest)
        reasons = await self._judged(manifest, serving)
        took.note("gate")
        if with_faults.faults or (reasons and not force):
            raise Unfit(version.name, with_faults.faults + reasons, forcible=not with_faults.faults)
        for reason in reasons:
            self.say(f"forced: {reason}")
        items = await self._write(version, manifest, with_faults.records, force, reasons)
        took.note("items")
        if serving is not None and serving.serving == version.name:
            return _unchanged(serving, items, took.phases)
        moved = pointers.flipped(serving, version.name, manifest.trained_until, now(), forced=bool(reasons))
        await self.table.move(serving, moved)
        took.note("flip")
        self.say(f"{version.name} is in service")
        return Release(
            version.name,
            moved.previous,
            True,
            moved.generation,
            moved.forced,
            tuple(reasons),
            items,
            took.phases,
        )

    async def roll_back(self, name: str | None) -> Release:
        """Bring a version back into service whose items are all there.

        The one that was in service is published again only by its name.

        Args:
            name: None for the one that was in service before.

        Raises:
            MissingResource: nothing is in service, or nothing was before, or there is no such version.
            Unfit: the version is not whole in the table.
            Overtaken: another one came into service meanwhile.
        """
        serving = await self.table.pointer()
        if serving is None:
            raise MissingResource("nothing is in service yet")
        target = name or serving.previous
        if target is None:
            raise MissingResource(f"nothing was in service before {serving.serving}")
        if target == serving.serving:
            self.say(f"{target} is in service already: nothing to do")
            return _unchanged(serving)
        manifest = await self._whole(target)
        moved = pointers.flipped(serving, target, manifest.trained_until, now(), withdraw=True)
        await self.table.move(serving, moved)
        self.say(f"{target} is in service again, instead of {serving.serving}")
        return Release(target, moved.previous, True, moved.generation)

    async def _chosen(self, name: str | None, serving: Pointer | None) -> Version:
        if name is not None:
            return _existing(await self._known(name))
        withdrawn = serving.withdrawn if serving else ()
        offered = [
            one for one in (await self.versions.all()).values() if one.complete and one.name not in withdrawn
        ]
        if not offered:
            raise MissingResource(f"there is no version to publish below {manifests.PREFIX}")
        return offered[-1]

    async def _known(self, name: str) -> Version:
        if not manifests.is_name(name):
            raise MissingResource(f"{name!r} is no version's name")
        return await self.versions.one(name)

    async def _judged(self, manifest: Manifest, serving: Pointer | None) -> list[str]:
        if serving is None:
            return gate.judge(manifest, None)
        try:
            return gate.judge(manifest, await self.versions.manifest(serving.serving))
        except (MissingResource, Unfit) as error:
            unknown = f"it cannot be compared with {serving.serving} in service: {error}"
            return [*gate.judge(manifest, None), unknown]

    async def _write(
        self, version: Version, manifest: Manifest, records: int, force: bool, reasons: list[str]
    ) -> int:
        """Write all items unless they are there; returns how many."""
        if version.published and not force and await self.table.holds(version.name):
            self.say(f"all items of {version.name} are in the table already")
            return 0
        await self.versions.note(version.name, PUBLISHING, {"version": version.name, "began_at": now()})
        self.say(f"writing {records} items of {version.name}")
        began_s = time.monotonic()
        items = await self.table.write(version.name, inspection.verified(self.lists, manifest))
        seconds = round(time.monotonic() - began_s, 3)
        self.say(f"{items} items in {seconds:.1f} s")
        if not (await self.versions.one(version.name)).complete:
            raise Overtaken(f"{version.name} is being removed")
        note = {
            "version": version.name,
            "published_at": now(),
            "items": items,
            "seconds": seconds,
            "forced": bool(reasons),
            "reasons": reasons,
        }
        await self.versions.note(version.name, PUBLISHED, note)
        return items

    async def _whole(self, name: str) -> Manifest:
        """The manifest of a version whose items are all in the table."""
        version = _existing(await self._known(name))
        if not version.published:
            raise Unfit(name, ["it was never published to its end: publish it"])
        if not await self.table.holds(name):
            raise Unfit(name, ["the table does not hold its items: publish it"])
        return await self.versions.manifest(name)


class _Seconds:
    """How long each phase took."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self._began_s = time.monotonic()

    def note(self, phase: str) -> None:
        """A phase has ended, and the next begins."""
        ended_s = time.monotonic()
        self.phases[phase] = round(ended_s - self._began_s, 3)
        self._began_s = ended_s


def _existing(version: Version) -> Version:
    if EXPIRING in version.documents:
        raise Unfit(version.name, ["it has expired and is being removed"])
    if not version.complete:
        raise MissingResource(f"there is no version {version.name}, or its training has not ended")
    return version


def _unchanged(serving: Pointer, items: int = 0, seconds: Mapping[str, float] | None = None) -> Release:
    return Release(
        serving.serving,
        serving.previous,
        False,
        serving.generation,
        serving.forced,
        items=items,
        seconds=seconds,
    )
