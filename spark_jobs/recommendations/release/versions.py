"""The versions in S3, and the notes that the release keeps beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.kernel.adapters.s3 import S3
from services.kernel.core.errors import InvalidRecord, MissingResource
from services.kernel.core.retry import Retry
from spark_jobs.recommendations.release import manifest as manifests
from spark_jobs.recommendations.release.errors import Unfit
from spark_jobs.recommendations.release.manifest import (
    DOCUMENTS,
    EXPIRING,
    MANIFEST,
    PUBLISHED,
    PUBLISHING,
    Manifest,
)

_MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
_AT_THE_END = (EXPIRING, PUBLISHING)


@dataclass(frozen=True, slots=True)
class Version:
    """What lies in S3 of one version.

    Args:
        objects: keys of all, in order.
        documents: those of `DOCUMENTS` that are there.
    """

    name: str
    objects: tuple[str, ...]
    documents: frozenset[str]

    @property
    def complete(self) -> bool:
        """Whether its training has ended, and nobody is removing it."""
        return MANIFEST in self.documents and EXPIRING not in self.documents

    @property
    def published(self) -> bool:
        """Whether the table holds all its items."""
        return self.complete and PUBLISHED in self.documents

    @property
    def begun(self) -> bool:
        """Whether the table may hold items of it."""
        return bool(self.documents & {PUBLISHING, PUBLISHED})


@dataclass(frozen=True)
class Versions:
    """All versions in one bucket. An S3 that is away is waited for.

    Every method raises what `services.kernel.adapters.s3.S3` raises.
    """

    s3: S3
    bucket: str
    retry: Retry

    async def all(self) -> dict[str, Version]:
        """Every version of which anything is there, in order of names, which is that of their beginnings."""
        found: dict[str, list[str]] = {}
        for key in await self._keys(manifests.PREFIX):
            if (parts := manifests.parted(key)) is not None:
                found.setdefault(parts[0], []).append(key)
        return {name: _version(name, found[name]) for name in sorted(found)}

    async def one(self, name: str) -> Version:
        """What is there of one version; without objects where there is nothing."""
        return _version(name, await self._keys(manifests.prefix(name)))

    async def manifest(self, name: str) -> Manifest:
        """A version's manifest.

        Raises:
            MissingResource: there is none.
            Unfit: it cannot be read.
        """
        key = manifests.key(name, MANIFEST)
        try:
            data = await self.retry.call(lambda: self.s3.get(self.bucket, key, max_bytes=_MAX_DOCUMENT_BYTES))
            if data is None:
                raise MissingResource(f"there is no {key}")
            return manifests.parse(name, data)
        except (manifests.Unreadable, InvalidRecord) as error:
            raise Unfit(name, [f"{MANIFEST}: {error}"]) from error

    async def document(self, name: str, document: str) -> dict[str, Any]:
        """One of the release's own notes; empty where it is not there or cannot be read."""
        key = manifests.key(name, document)
        data = await self.retry.call(lambda: self.s3.get(self.bucket, key, max_bytes=_MAX_DOCUMENT_BYTES))
        try:
            found = json.loads(data or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    async def note(self, name: str, document: str, value: Mapping[str, object]) -> None:
        """Put one of the release's notes beside a version."""
        key, body = manifests.key(name, document), json.dumps(value, indent=1).encode()
        await self.retry.call(lambda: self.s3.put(self.bucket, key, body))

    async def unmark(self, name: str) -> None:
        """Take back that a version is being removed."""
        key = manifests.key(name, EXPIRING)
        await self.retry.call(lambda: self.s3.delete(self.bucket, key))

    async def remove(self, version: Version) -> int:
        """Delete all objects of a version; returns how many.

        The manifest goes first, so that what is left is no version; last what says that it is to go, so that a removal
        that ended half way is taken up again.
        """
        keys = _in_order_of_removal(version)
        for key in keys:
            await self.retry.call(lambda key=key: self.s3.delete(self.bucket, key))  # type: ignore[misc]
        return len(keys)

    async def _keys(self, prefix: str) -> list[str]:
        async def listed() -> list[str]:
            return [one.key async for one in self.s3.list(self.bucket, prefix)]

        return await self.retry.call(listed)


def _version(name: str, keys: Iterable[str]) -> Version:
    objects = tuple(keys)
    documents = {document for document in DOCUMENTS if manifests.key(name, document) in objects}
    return Version(name, objects, frozenset(documents))


def _in_order_of_removal(version: Version) -> list[str]:
    first = manifests.key(version.name, MANIFEST)
    last = [manifests.key(version.name, document) for document in reversed(_AT_THE_END)]
    present = set(version.objects)
    middle = [key for key in version.objects if key != first and key not in last]
    return [key for key in (first, *middle, *last) if key in present]
