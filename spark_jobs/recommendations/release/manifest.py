"""A version as it lies in S3: what the training wrote, last of all the manifest, and what the release notes beside it.

    recommendations/v1/<version>/lists/*.parquet    records, in order of subject
    recommendations/v1/<version>/manifest.json      written last by the training: without it there is no version
    recommendations/v1/<version>/publishing.json    the table may hold items of it
    recommendations/v1/<version>/published.json     the table holds all its items
    recommendations/v1/<version>/expiring.json      it is being removed, and never comes into service again

Pure: needs neither S3 nor DynamoDB.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.scalars import is_timestamp

PREFIX = "recommendations/v1/"
MANIFEST, PUBLISHING, PUBLISHED, EXPIRING = (
    "manifest.json",
    "publishing.json",
    "published.json",
    "expiring.json",
)
DOCUMENTS = (MANIFEST, PUBLISHING, PUBLISHED, EXPIRING)
KINDS = ("customer", "product", "country", "everywhere")
"""Of subjects."""
LISTS = ("you_may_like", "buy_again", "also_bought", "popular")
_NAME = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{8}")

_KEY = re.compile(rf"{PREFIX}({_NAME.pattern})/(.+)")
_FILE = re.compile(r"lists/[A-Za-z0-9_][A-Za-z0-9._=-]*\.parquet")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Unreadable(ValueError):
    """The manifest is not one of ours, or half of one; the message says why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a version says of itself.

    Args:
        created_at: RFC 3339, UTC.
        trained_until: the same; orders before it are known.
        recipe: of each of `LISTS` the method that made it.
        measured: of each list the NDCG@10 of every method that competed for it.
        subjects: number of records, by each of `KINDS`.
        digest: SHA-256 over subject, NUL, body and LF of all records in order of subject.
        files: keys of the lists below the version's prefix, in order.
    """

    version: str
    created_at: str
    trained_until: str
    recipe: Mapping[str, str]
    measured: Mapping[str, Mapping[str, float]]
    subjects: Mapping[str, int]
    digest: str
    files: tuple[str, ...]

    def ndcg(self, name: str) -> float | None:
        """What a list's own method has reached; None where it was not measured."""
        return self.measured[name].get(self.recipe[name])


def is_name(text: str) -> bool:
    """Whether it is a version's name."""
    return _NAME.fullmatch(text) is not None


def began(version: str) -> datetime:
    """When a version's training began, in UTC.

    Raises:
        ValueError: it is no version's name.
    """
    match = _NAME.fullmatch(version)
    if match is None:
        raise ValueError(f"{version!r} is no version's name")
    return datetime.strptime(f"{match[1]}+0000", "%Y%m%dT%H%M%SZ%z")


def prefix(version: str) -> str:
    """Of all keys of a version."""
    return f"{PREFIX}{version}/"


def key(version: str, name: str) -> str:
    """Key of an object of a version."""
    return f"{prefix(version)}{name}"


def parted(key: str) -> tuple[str, str] | None:
    """A key's version, and the rest behind its prefix; None of a key that is no version's."""
    match = _KEY.fullmatch(key)
    return None if match is None else (match[1], match[3])


def parse(version: str, data: bytes) -> Manifest:
    """Read a version's manifest; what it holds beyond `Manifest` is not looked at.

    Raises:
        Unreadable: as said.
    """
    try:
        found = json.loads(data)
        manifest = Manifest(
            version=str(found["version"]),
            created_at=str(found["created_at"]),
            trained_until=str(found["trained_until"]),
            recipe={name: str(found["recipe"][name]) for name in LISTS},
            measured={name: _measured(found["choice"]["lists"][name]) for name in LISTS},
            subjects={kind: int(found["subjects"][kind]) for kind in KINDS},
            digest=str(found["digest"]),
            files=tuple(map(str, found["files"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"no manifest: {error!r}") from error
    _hold(manifest, version)
    return manifest


def _measured(choice: Any) -> dict[str, float]:
    return {str(name): float(one["ndcg"]) for name, one in choice["candidates"].items()}


def _hold(manifest: Manifest, version: str) -> None:
    if manifest.version != version:
        raise Unreadable(f"the manifest of {manifest.version!r}")
    if not (is_timestamp(manifest.created_at) and is_timestamp(manifest.trained_until)):
        raise Unreadable("created_at and trained_until have to be times")
    if not all(math.isfinite(ndcg) for methods in manifest.measured.values() for ndcg in methods.values()):
        raise Unreadable("an NDCG is no number")
    if _DIGEST.fullmatch(manifest.digest) is None:
        raise Unreadable("the digest is no SHA-256")
    if not all(map(_FILE.fullmatch, manifest.files)) or len(set(manifest.files)) != len(manifest.files):
        raise Unreadable("files have to be Parquet below lists/, each once")
