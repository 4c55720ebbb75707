"""What witnesses wrote down and logged: every handling of every record, and every change of hands of a shard."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tests.processes import ServiceProcess


class Place(NamedTuple):
    """Where a record is."""

    shard_id: str
    sequence_number: int


@dataclass(frozen=True, slots=True)
class Handling:
    """One record in one worker's hands, at one moment.

    Args:
        event: "begun" or "done".
        at_s: seconds since the epoch.
        order_id: of the record's partition key, which is the source and the order.
    """

    event: str
    at_s: float
    application: str
    place: Place
    order_id: str


@dataclass(frozen=True, slots=True, order=True)
class HandOff:
    """One lease that a worker took.

    Args:
        worker: which, by its place among those that were asked for.
        how: "free" when it was handed back, else "expired" or "stolen".
        done_up_to: its checkpoint then, -1 before the first.
    """

    at_s: float
    worker: int
    shard_id: str
    how: str
    done_up_to: int


def read(book: Path) -> list[Handling]:
    """All that one witness wrote down, in its order."""
    found = []
    for line in book.read_text(encoding="utf-8").splitlines():
        event, at_s, application, shard_id, sequence_number, partition_key = json.loads(line)
        order_id = partition_key.partition("/")[2]
        found.append(Handling(event, at_s, application, Place(shard_id, sequence_number), order_id))
    return found


def times_begun(handlings: Iterable[Handling]) -> Counter[Place]:
    """How often each record was given to a handler."""
    return Counter(handling.place for handling in handlings if handling.event == "begun")


def hand_offs(workers: Iterable[ServiceProcess]) -> list[HandOff]:
    """Every lease that these workers took, the earliest first; all of one application."""
    return sorted(
        HandOff(
            datetime.fromisoformat(line["ts"]).timestamp(),
            number,
            line["shard_id"],
            line["how"],
            int(line["checkpoint"]) if line["checkpoint"].isdigit() else -1,
        )
        for number, worker in enumerate(workers)
        for line in worker.log_lines()
        if line["event"] == "lease_taken"
    )


def open_at(this: HandOff, all_of_them: Sequence[HandOff], books: Sequence[list[Handling]]) -> set[Place]:
    """What a shard's last owner had begun and no checkpoint covered: what is handled again.

    Of an owner that it was stolen from, what it went on to begin until it noticed is part of it.

    Args:
        all_of_them: the earliest first.
        books: what each worker wrote down, in the order of the workers.
    """
    of_shard = [one for one in all_of_them if one.shard_id == this.shard_id]
    place = of_shard.index(this)
    if place == 0:
        return set()
    last = of_shard[place - 1]
    until_s = min((one.at_s for one in of_shard[place:] if one.worker == last.worker), default=math.inf)
    return {
        handling.place
        for handling in books[last.worker]
        if handling.place.shard_id == this.shard_id
        and handling.place.sequence_number > this.done_up_to
        and last.at_s <= handling.at_s < until_s
    }
