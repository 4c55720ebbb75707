"""The bench's comparison of ledgers: what counts as lost, twice, taken over and stalled."""

from __future__ import annotations

import pytest

from bench.consumer.handler import LedgerHandler, data_of
from bench.consumer.ledger import (
    ENTRY,
    Difference,
    Handled,
    Reshard,
    Sent,
    again,
    difference,
    entries,
    owners,
    reshard,
    takeover_s,
)

PARENT, LEFT, RIGHT = "parent", "left", "right"


def test_difference_counts_lost_twice_and_unknown() -> None:
    assert difference([1, 2, 3, 4], [1, 2, 2, 2, 9]) == Difference(sent=4, lost=2, twice=2, unknown=1)


def test_difference_of_equal_ledgers_is_nothing() -> None:
    assert difference([1, 2], [2, 1]) == Difference(sent=2, lost=0, twice=0, unknown=0)


def test_an_entry_that_a_kill_cut_short_is_left_out() -> None:
    data = ENTRY.pack(1.5, 7) + ENTRY.pack(2.5, 8)
    assert entries(data[:-3], "a") == [Handled(7, 1.5, "a")]


async def test_the_handler_writes_what_entries_reads(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("ledger") / "one"
    handler = LedgerHandler(str(path))
    await handler.handle(data_of(123, 64))
    await handler.handle(data_of(4_000_000_000, 64).decode())
    assert [one.number for one in entries(path.read_bytes(), "a")] == [123, 4_000_000_000]


async def test_the_handler_stalls_from_the_first_record_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("ledger") / "one"
    handler = LedgerHandler(str(path), stall_s=0.05)
    await handler.handle(data_of(1, 64))
    await handler.handle(data_of(2, 64))
    first, second = entries(path.read_bytes(), "a")
    assert second.at_s - first.at_s < 0.05


def test_the_owner_of_a_shard_is_who_handled_its_newest_record() -> None:
    sent = [Sent(1, 0, "s0"), Sent(2, 1, "s0"), Sent(3, 1, "s1")]
    handled = [Handled(2, 6, "b"), Handled(1, 5, "a"), Handled(3, 2, "a")]
    assert owners(sent, handled, since_s=0) == {"s0": "b", "s1": "a"}
    assert owners(sent, handled, since_s=4) == {"s0": "b"}


def test_a_takeover_ends_with_the_last_shard() -> None:
    sent = [Sent(1, 0, "s0"), Sent(2, 0, "s1"), Sent(3, 0, "s2")]
    handled = [Handled(1, 13, "b"), Handled(2, 15, "b"), Handled(1, 11, "a"), Handled(3, 30, "b")]
    assert takeover_s(sent, handled, "a", 10, {"s0", "s1"}) == 5


def test_a_shard_that_nobody_takes_is_no_takeover() -> None:
    sent = [Sent(1, 0, "s0"), Sent(2, 0, "s1")]
    handled = [Handled(1, 13, "b"), Handled(2, 9, "b"), Handled(2, 14, "a")]
    assert takeover_s(sent, handled, "a", 10, {"s0", "s1"}) is None
    assert takeover_s(sent, handled, "a", 10, set()) is None


def test_a_repeat_is_a_lost_worker_s_where_another_handled_it_too() -> None:
    handled = [
        Handled(1, 5, "a"),
        Handled(2, 9, "a"),
        Handled(3, 9.5, "a"),
        Handled(1, 8, "b"),
        Handled(2, 12, "b"),
    ]
    assert again(handled, "a", since_s=8) == 1
    assert again(handled, "a", since_s=0) == 2


def test_a_reshard_is_measured_by_the_slowest_child() -> None:
    sent = [Sent(1, 0, PARENT), Sent(2, 1, LEFT), Sent(3, 2, RIGHT), Sent(4, 3, RIGHT)]
    handled = [Handled(1, 4, "a"), Handled(2, 5, "a"), Handled(3, 9, "a"), Handled(4, 9.5, "a")]
    assert reshard(sent, handled, PARENT, [LEFT, RIGHT]) == Reshard(stall_s=7, after_parent_s=5)


def test_a_repeat_of_the_parent_does_not_move_its_end() -> None:
    sent = [Sent(1, 0, PARENT), Sent(2, 1, LEFT)]
    handled = [Handled(1, 1, "a"), Handled(2, 3, "a"), Handled(1, 8, "b")]
    assert reshard(sent, handled, PARENT, [LEFT]) == Reshard(stall_s=2, after_parent_s=2)


def test_a_child_that_is_never_read_has_no_figure() -> None:
    sent = [Sent(1, 0, PARENT), Sent(2, 1, LEFT), Sent(3, 1, RIGHT)]
    handled = [Handled(1, 1, "a"), Handled(2, 3, "a")]
    assert reshard(sent, handled, PARENT, [LEFT, RIGHT]) == Reshard(None, None)
