"""Removes versions that nobody needs any more, their items and their objects, so that none comes back half."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from spark_jobs.recommendations.release import manifest as manifests
from spark_jobs.recommendations.release.manifest import EXPIRING, MANIFEST, PUBLISHED
from spark_jobs.recommendations.release.pointer import Pointer
from spark_jobs.recommendations.release.publishing import now
from spark_jobs.recommendations.release.table import Table
from spark_jobs.recommendations.release.versions import Version, Versions

UNFINISHED_FOR = timedelta(days=1)
"""A training without a manifest that began longer ago has died."""


@dataclass(frozen=True)
class Expired:
    """What was removed.

    Args:
        versions: that are gone.
        kept: that are there still.
        items: removed from the table.
        objects: removed from S3.
    """

    versions: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    items: int = 0
    objects: int = 0


@dataclass(frozen=True)
class Expiry:
    """The work over one bucket of versions and one table.

    Args:
        say: tells people what is going on.
        clock: the time, with its zone.
    """

    versions: Versions
    table: Table
    say: Callable[[str], None]
    clock: Callable[[], datetime]

    async def expire(self, keep: int) -> Expired:
        """Remove what `choose` says; dies anywhere without harm, and goes on where it died when it is run again.

        1. Each version is marked, so that neither publish nor roll-back takes it from now on.
        2. The pointer gets its next generation: who looked at a version before it was marked is overtaken.
        3. The item goes by which a version is known to be whole, then all its items, then its objects.

        Raises:
            Overtaken: another version came into service meanwhile; nothing was removed.
        """
        serving = await self.table.pointer()
        known = await self._known(serving)
        published = {
            one.name: str((await self.versions.document(one.name, PUBLISHED)).get("published_at", ""))
            for one in known.values()
            if one.published
        }
        gone = choose(list(known.values()), published, serving, keep, self.clock())
        kept = tuple(name for name in known if name not in gone)
        if not gone:
            self.say(f"nothing to remove: {len(kept)} versions, at most {keep} of a kind are kept")
            return Expired(kept=kept)
        for name in gone:
            self.say(f"removing {name}")
            if EXPIRING not in known[name].documents:
                await self.versions.note(name, EXPIRING, {"version": name, "since": now()})
        if serving is not None:
            await self.table.move(serving, replace(serving, generation=serving.generation + 1))
        # Looked at once more: somebody may have begun to publish one before it was marked.
        items = await self._items([await self.versions.one(name) for name in gone], known)
        objects = 0
        for name in gone:
            objects += await self.versions.remove(await self.versions.one(name))
        self.say(f"{items} items and {objects} objects of {len(gone)} versions are gone")
        return Expired(tuple(gone), kept, items, objects)

    async def _known(self, serving: Pointer | None) -> dict[str, Version]:
        """Every version; those in service are no longer marked, where they came into service after they were."""
        known = await self.versions.all()
        for name in (serving.serving, serving.previous) if serving else ():
            if name in known and EXPIRING in known[name].documents:
                await self.versions.unmark(name)
                known[name] = await self.versions.one(name)
        return known

    async def _items(self, gone: Sequence[Version], known: Collection[str]) -> int:
        """Remove the items of these versions, and of any that S3 knows nothing of; returns how many."""
        begun = [one.name for one in gone if one.begun]
        if not begun:
            return 0
        closed = [await self.table.close(name) for name in begun]
        goes = {**dict.fromkeys(known, False), **dict.fromkeys(begun, True)}

        async def does(name: str) -> bool:
            # Left by a command that wrote on after its version was removed: no objects stand for them any more.
            if name not in goes:
                goes[name] = not (await self.versions.one(name)).objects
            return goes[name]

        return sum(closed) + await self.table.remove(does)


def choose(
    versions: Sequence[Version],
    published: Mapping[str, str],
    serving: Pointer | None,
    keep: int,
    at: datetime,
) -> list[str]:
    """Names of the versions that go, in order.

    The one in service and the one before it stay; of those that were published the `keep` that were last, and of those
    that were never begun to be published the `keep` newest. One whose publication did not end stays while it is newer
    than what is in service, a training without a manifest for `UNFINISHED_FOR`. Where nothing is in service no complete
    one goes: nothing would say that somebody is publishing it.

    Args:
        published: when, by name; RFC 3339 in UTC.
        keep: at least 1.
    """
    complete = [one for one in versions if one.complete]
    done = sorted((one.name for one in complete if one.published), key=lambda name: (published[name], name))
    others = [one.name for one in complete if not one.begun]
    stays = {*done[-keep:], *others[-keep:]}
    if serving is None:
        stays |= {one.name for one in complete}
    else:
        stays |= {serving.serving, serving.previous or serving.serving}
        stays |= {
            one.name for one in complete if not one.published and one.begun and one.name > serving.serving
        }
    stays |= {one.name for one in versions if _under_way(one, at)}
    return sorted(one.name for one in versions if one.name not in stays)


def _under_way(version: Version, at: datetime) -> bool:
    if {MANIFEST, EXPIRING} & version.documents:
        return False
    return at - manifests.began(version.name) < UNFINISHED_FOR
