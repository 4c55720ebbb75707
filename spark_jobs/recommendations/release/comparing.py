"""Whether the table holds of the version in service what S3 holds of it, item by item and both ways."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from services.kernel.core.errors import MissingResource
from spark_jobs.recommendations.release import inspection
from spark_jobs.recommendations.release.errors import Overtaken
from spark_jobs.recommendations.release.lists import Lists
from spark_jobs.recommendations.release.table import Table
from spark_jobs.recommendations.release.versions import Versions

MOST_NAMED = 10
"""Subjects that are named of each kind of difference."""
_MARK_BYTES = 16


@dataclass(frozen=True)
class Comparison:
    """How both differ.

    Args:
        records: in S3.
        missing: subjects that the table lacks.
        other: whose bodies are not the same.
        extra: that the table alone has.
    """

    version: str
    records: int
    missing: tuple[str, ...]
    other: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.other or self.extra)

    def lines(self) -> Iterator[str]:
        """The differences for people."""
        for what, subjects in (
            ("missing in the table", self.missing),
            ("other than in S3", self.other),
            ("in the table alone", self.extra),
        ):
            if subjects:
                more = ", ..." if len(subjects) > MOST_NAMED else ""
                yield f"{len(subjects)} {what}: {', '.join(subjects[:MOST_NAMED])}{more}"


async def compare(versions: Versions, lists: Lists, table: Table) -> Comparison:
    """Compare all of the version in service; holds 16 bytes and the subject of each record in memory.

    Raises:
        MissingResource: nothing is in service, or its version is gone from S3.
        Unfit: the version in S3 is not what its manifest says.
        Overtaken: another version came into service meanwhile.
    """
    serving = await table.pointer()
    if serving is None:
        raise MissingResource("nothing is in service yet")
    version = serving.serving
    manifest = await versions.manifest(version)
    expected = {subject: _mark(body) async for subject, body in inspection.verified(lists, manifest)}
    missing, other, extra = set(expected), [], []
    async for subject, body in table.of_version(version):
        missing.discard(subject)
        if subject not in expected:
            extra.append(subject)
        elif expected[subject] != _mark(body):
            other.append(subject)
    after = await table.pointer()
    if after is None or after.serving != version:
        raise Overtaken(f"{version} is in service no more")
    return Comparison(
        version, len(expected), *(tuple(sorted(subjects)) for subjects in (missing, other, extra))
    )


def _mark(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_MARK_BYTES).digest()
