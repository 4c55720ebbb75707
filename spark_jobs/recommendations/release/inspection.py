"""A look at every record of a version, before any is written: whether it is what its manifest and its contract say."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from contracts import codec
from contracts.codec import ContractViolation
from services.kernel.adapters.dynamodb import MAX_ITEM_BYTES
from spark_jobs.recommendations.release import pointer as pointers
from spark_jobs.recommendations.release.errors import Unfit
from spark_jobs.recommendations.release.lists import Digest, Lists
from spark_jobs.recommendations.release.manifest import KINDS, Manifest
from spark_jobs.recommendations.release.pointer import EVERYWHERE

MOST_NAMED = 10
"""Records that are named of those with faults."""
_NEEDS_LISTS = {
    "customer": ("you_may_like", "buy_again"),
    "country": ("popular",),
    "everywhere": ("popular",),
}
_decode = codec.decoder("recommendations", 1)


@dataclass
class Inspection:
    """What was found.

    Args:
        faults: why the version can never be published, the first of each kind of fault named; empty where it can.
        records: how many there are.
    """

    faults: list[str] = field(default_factory=list)
    records: int = 0


async def inspect(lists: Lists, manifest: Manifest) -> Inspection:
    """Read all records once.

    Raises:
        Retryable: S3 is away.
    """
    found = Inspection()
    subjects: Counter[str] = Counter()
    faulty = 0
    digest, before = Digest(), ""
    try:
        async for subject, body in lists.records(manifest):
            digest.add(subject, body)
            subjects[kind(subject)] += 1
            if fault := _order_fault(subject, before) or record_fault(manifest.version, subject, body):
                faulty += 1
                found.faults += [fault] if faulty <= MOST_NAMED else []
            before = max(before, subject)
    except Unfit as error:
        found.faults += error.reasons
        return found
    found.records = subjects.total()
    if faulty > MOST_NAMED:
        found.faults.append(f"and {faulty - MOST_NAMED} records more are at fault")
    found.faults += _count_faults(manifest, subjects)
    if digest.text() != manifest.digest:
        found.faults.append("the lists are not those that the manifest has the digest of")
    return found


def kind(subject: str) -> str:
    """Which of `KINDS` a subject is; a text that is none of them for any other."""
    head, colon, _ = subject.partition(":")
    return head if bool(colon) != (head == EVERYWHERE) else subject


def record_fault(version: str, subject: str, body: bytes) -> str | None:
    """What is wrong with one record; None where it holds. Never tells its content beyond the subject."""
    size = pointers.size_bytes(subject, version, body)
    if size > MAX_ITEM_BYTES:
        return f"{subject}: an item of {size} bytes; the table takes {MAX_ITEM_BYTES}"
    try:
        record = _decode(body)
    except ContractViolation as error:
        first = error.details[0] if error.details else None
        return f"{subject}: {error}" + (f" ({first.pointer}: {first.reason})" if first else "")
    if record.subject != subject:
        return f"{subject}: the record of another subject"
    if (needed := _NEEDS_LISTS.get(kind(subject))) and not any(map(record.articles, needed)):
        return f"{subject}: without a list"
    return None


async def verified(lists: Lists, manifest: Manifest) -> AsyncIterator[tuple[str, bytes]]:
    """Every record once more, for whoever acts on them: an object may have been changed since it was inspected.

    Raises:
        Unfit: at the end, where they are not those of the manifest's digest.
    """
    digest = Digest()
    async for subject, body in lists.records(manifest):
        digest.add(subject, body)
        yield subject, body
    if digest.text() != manifest.digest:
        raise Unfit(manifest.version, ["the lists are not those that the manifest has the digest of"])


def _order_fault(subject: str, before: str) -> str | None:
    if subject == before:
        return f"{subject}: two records of one subject"
    return f"{subject}: out of order" if subject < before else None


def _count_faults(manifest: Manifest, subjects: Counter[str]) -> list[str]:
    faults = [
        f"{subjects[one]} records of kind {one}; the manifest tells of {manifest.subjects[one]}"
        for one in KINDS
        if subjects[one] != manifest.subjects[one]
    ]
    if others := sorted(set(subjects) - set(KINDS)):
        faults.append(f"{len(others)} records of no known kind, such as {others[0]!r}")
    if subjects[EVERYWHERE] != 1:
        faults.append("newcomers have nothing: one record of the subject everywhere is needed")
    return faults
