"""What was sent beside what was handled: lost, twice, and how long a shard waited. Pure.

All times are seconds of the system's monotonic clock, which the processes of one machine share.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

ENTRY = struct.Struct("<dI")
"""One line of a worker's ledger: when, and the record's number."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A record that the stream has: its number, when its put was answered, and where it went."""

    number: int
    at_s: float
    shard_id: str


@dataclass(frozen=True, slots=True)
class Handled:
    """A record that a worker's handler has dealt with."""

    number: int
    at_s: float
    worker: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What the ledgers of sender and workers say about each other.

    Args:
        lost: sent and never handled.
        twice: handlings beyond the first of a record.
        unknown: handled and never sent.
    """

    sent: int
    lost: int
    twice: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Reshard:
    """How the children of a split were met; None where one was never read.

    Args:
        stall_s: longest wait of a child's first record, from its put to its handling.
        after_parent_s: the same, from when both the parent's last record was handled and the record was there.
    """

    stall_s: float | None
    after_parent_s: float | None


def entries(data: bytes, worker: str) -> list[Handled]:
    """Read a worker's ledger; a last entry that a kill cut short is left out."""
    whole = data[: len(data) - len(data) % ENTRY.size]
    return [Handled(number, at_s, worker) for at_s, number in ENTRY.iter_unpack(whole)]


def difference(sent: Collection[int], handled: Iterable[int]) -> Difference:
    """Compare the numbers that were sent with those that were handled."""
    expected = set(sent)
    seen = Counter(handled)
    twice = sum(count - 1 for number, count in seen.items() if number in expected)
    return Difference(
        sent=len(expected),
        lost=len(expected - seen.keys()),
        twice=twice,
        unknown=len(seen.keys() - expected),
    )


def owners(sent: Iterable[Sent], handled: Iterable[Handled], since_s: float) -> dict[str, str]:
    """Who handled the newest record of each shard after `since_s`: worker by shard."""
    shard_of = {one.number: one.shard_id for one in sent}
    newest: dict[str, Handled] = {}
    for one in handled:
        shard_id = shard_of.get(one.number)
        if shard_id is None or one.at_s < since_s:
            continue
        if shard_id not in newest or one.at_s >= newest[shard_id].at_s:
            newest[shard_id] = one
    return {shard_id: one.worker for shard_id, one in newest.items()}


def takeover_s(
    sent: Sequence[Sent], handled: Sequence[Handled], victim: str, ended_at_s: float, shards: Collection[str]
) -> float | None:
    """Seconds from a worker's end until the last of its shards is handled by another.

    Args:
        shards: what the worker held, as `owners` told.

    Returns:
        None while one of them is not.
    """
    shard_of = {one.number: one.shard_id for one in sent}
    first: dict[str, float] = {}
    for one in handled:
        shard_id = shard_of.get(one.number, "")
        if one.worker != victim and one.at_s >= ended_at_s and shard_id in shards:
            first[shard_id] = min(one.at_s, first.get(shard_id, one.at_s))
    if not shards or first.keys() < set(shards):
        return None
    return max(first.values()) - ended_at_s


def again(handled: Iterable[Handled], victim: str, since_s: float) -> int:
    """How many records a worker handled after `since_s` and another handled as well."""
    found = list(handled)
    of_victim = {one.number for one in found if one.worker == victim and one.at_s >= since_s}
    return len(of_victim & {one.number for one in found if one.worker != victim})


def reshard(
    sent: Sequence[Sent], handled: Sequence[Handled], parent: str, children: Collection[str]
) -> Reshard:
    """How long the children of a split waited for their reader."""
    first_sent: dict[str, float] = {}
    for record in sent:
        first_sent[record.shard_id] = min(record.at_s, first_sent.get(record.shard_id, record.at_s))
    shard_of = {record.number: record.shard_id for record in sent}
    first_at: dict[int, float] = {}
    for one in handled:
        first_at[one.number] = min(one.at_s, first_at.get(one.number, one.at_s))
    first_handled: dict[str, float] = {}
    by_shard: dict[str, list[float]] = defaultdict(list)
    for number, at_s in first_at.items():
        by_shard[shard_of.get(number, "")].append(at_s)
    first_handled = {shard_id: min(times) for shard_id, times in by_shard.items()}
    met = [shard_id for shard_id in children if shard_id in first_sent]
    if not met or any(shard_id not in first_handled for shard_id in met):
        return Reshard(None, None)
    parent_done_s = max(by_shard[parent], default=0.0)
    return Reshard(
        stall_s=max(first_handled[shard_id] - first_sent[shard_id] for shard_id in met),
        after_parent_s=max(
            first_handled[shard_id] - max(parent_done_s, first_sent[shard_id]) for shard_id in met
        ),
    )
