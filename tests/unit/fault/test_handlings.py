"""The judge of hand-offs: what was open when a shard changed hands, by what witnesses wrote and logged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.fault import handlings
from tests.fault.handlings import Handling, HandOff, Place

SHARD = "s-0"


def _begun(number: int, at_s: float, shard_id: str = SHARD) -> Handling:
    return Handling("begun", at_s, "reader", Place(shard_id, number), f"o{number}")


def test_a_drain_that_checkpointed_all_leaves_nothing_open() -> None:
    taken = [HandOff(0, 0, SHARD, "free", -1), HandOff(10, 1, SHARD, "free", 2)]
    books = [[_begun(1, 1), _begun(2, 9), _begun(7, 9, "another shard")], [_begun(3, 11)]]
    assert [handlings.open_at(one, taken, books) for one in taken] == [set(), set()]


def test_what_no_checkpoint_covers_was_open_until_its_owner_noticed() -> None:
    taken = [HandOff(0, 0, SHARD, "free", -1), HandOff(10, 1, SHARD, "stolen", 2)]
    books = [[_begun(2, 8), _begun(3, 9), _begun(4, 10.5)], [_begun(3, 11), _begun(4, 12)]]
    assert handlings.open_at(taken[1], taken, books) == {Place(SHARD, 3), Place(SHARD, 4)}


def test_only_the_last_owner_is_asked_and_only_for_the_time_that_it_held_the_shard() -> None:
    taken = [
        HandOff(0, 0, SHARD, "free", -1),
        HandOff(10, 1, SHARD, "stolen", 1),
        HandOff(11, 0, SHARD, "free", 1),
        HandOff(20, 1, SHARD, "free", 4),
    ]
    books = [[_begun(1, 5), _begun(2, 9), _begun(2, 12), _begun(5, 19)], [_begun(6, 21)]]
    assert [handlings.open_at(one, taken, books) for one in taken[1:]] == [
        {Place(SHARD, 2)},
        set(),
        {Place(SHARD, 5)},
    ]


def test_a_record_counts_once_for_each_time_it_was_begun() -> None:
    done = Handling("done", 2.0, "reader", Place(SHARD, 1), "o1")
    assert handlings.times_begun([_begun(1, 1), done, _begun(1, 3), _begun(2, 4)]) == {
        Place(SHARD, 1): 2,
        Place(SHARD, 2): 1,
    }


def test_a_book_is_read_as_it_was_written(tmp_path: Path) -> None:
    book = tmp_path / "book"
    book.write_text(json.dumps(["begun", 1.5, "reader", SHARD, 2**100, "shop/o1"]) + "\n")
    assert handlings.read(book) == [Handling("begun", 1.5, "reader", Place(SHARD, 2**100), "o1")]


def test_takes_come_from_the_logs_in_the_order_of_time() -> None:
    class Worker:
        def __init__(self, *lines: dict[str, Any]) -> None:
            self.log_lines = lambda: list(lines)

    def line(second: int, checkpoint: str) -> dict[str, Any]:
        timestamp = f"1970-01-01T00:00:{second:02}.000Z"
        return {
            "ts": timestamp,
            "event": "lease_taken",
            "shard_id": SHARD,
            "how": "free",
            "checkpoint": checkpoint,
        }

    late, early = Worker(line(9, "77")), Worker({"event": "ready"}, line(3, "TRIM_HORIZON"))
    assert handlings.hand_offs([late, early]) == [  # type: ignore[list-item]
        HandOff(3.0, 1, SHARD, "free", -1),
        HandOff(9.0, 0, SHARD, "free", 77),
    ]
