"""One rule unites an order's parts; arrival order, repeats and overlaps never show in the result."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.order_union import Conflict, Occurrence, union

TIMES = [f"2011-11-2{day}T10:00:00.000Z" for day in range(5)]


@dataclass(frozen=True)
class OneLine:
    line_id: str = "1"
    stock_code: str = "85123A"
    description: str | None = "LANTERN"
    quantity: int = 6
    unit_price: str = "2.55"
    ordered_at: str = TIMES[2]


@dataclass(frozen=True)
class OnePart:
    event_id: str = "a"
    lines: tuple[OneLine, ...] = (OneLine(),)
    customer_id: str | None = "17850"
    country: str = "United Kingdom"
    currency: str = "GBP"
    kind: str = "sale"
    order_id: str = "536365"
    source: str = "shop"


LINES = st.builds(
    OneLine,
    line_id=st.sampled_from(["1", "2", "10", "week.csv:9", "week.csv:88"]),
    quantity=st.integers(-2, 2),
    unit_price=st.sampled_from(["2.5", "2.50", "-1", "0.001"]),
    ordered_at=st.sampled_from(TIMES),
)


@st.composite
def parts_of_one_order(draw: st.DrawFn) -> list[tuple[int, OnePart]]:
    events = draw(st.lists(st.lists(LINES, min_size=1, max_size=4), min_size=1, max_size=5))
    pairs = []
    for at, lines in enumerate(events):
        part = OnePart(
            event_id=f"{at:032x}",
            lines=tuple(lines),
            customer_id=draw(st.sampled_from(["17850", None])),
            kind=draw(st.sampled_from(["sale", "cancellation"])),
        )
        numbers = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
        pairs += [(number, part) for number in numbers]
    return pairs


@given(parts_of_one_order(), st.randoms(use_true_random=False), st.integers(1, 3))
def test_any_permutation_and_repetition_gives_the_same_order(
    pairs: list[tuple[int, OnePart]], rng: random.Random, times: int
) -> None:
    again = pairs * times
    rng.shuffle(again)
    assert union(again) == union(pairs)


@given(parts_of_one_order(), st.randoms(use_true_random=False))
def test_how_a_part_was_cut_does_not_show_in_the_lines(
    pairs: list[tuple[int, OnePart]], rng: random.Random
) -> None:
    """Any overlapping re-cut of one part, under the same sequence numbers, unites to the same lines."""
    number, part = pairs[0]
    unique = tuple({line.line_id: line for line in part.lines}.values())
    whole = replace(part, lines=unique)
    at = rng.randrange(len(unique))
    head, tail = (
        replace(whole, event_id="h", lines=unique[: at + 1]),
        replace(whole, event_id="t", lines=unique[at:]),
    )
    assert union([(number, head), (number + 1, tail)]).lines == union([(number, whole)]).lines


@given(parts_of_one_order())
def test_each_line_identity_once_and_every_loser_named(pairs: list[tuple[int, OnePart]]) -> None:
    united = union(pairs)
    named = {line.line_id for _, part in pairs for line in part.lines}
    assert len(united.lines) == len(named) == len({line.line_id for line in united.lines})
    assert united.ordered_at == min(line.ordered_at for line in united.lines)
    for conflict in united.conflicts:
        winner, loser = conflict.winner, conflict.loser
        assert (winner.sequence_number, winner.event_id, winner.index) < (
            loser.sequence_number,
            loser.event_id,
            loser.index,
        )


def test_the_smallest_sequence_number_wins_and_gives_the_header() -> None:
    first = OnePart("b", (OneLine(quantity=1),), customer_id=None)
    second = OnePart("a", (OneLine(quantity=2), OneLine("2")), customer_id="17850")
    united = union([(8, second), (7, first)])
    assert [(line.line_id, line.quantity) for line in united.lines] == [("1", 1), ("2", 6)]
    assert united.customer_id is None
    assert united.conflicts == (Conflict("1", Occurrence(7, "b", 0), Occurrence(8, "a", 0)),)


def test_a_later_retry_of_an_event_changes_nothing_and_an_earlier_one_wins() -> None:
    ours, theirs = OnePart("a", (OneLine(quantity=1),)), OnePart("b", (OneLine(quantity=2),))
    assert union([(5, ours), (3, theirs), (9, ours)]).lines[0].quantity == 2
    assert union([(5, ours), (3, theirs), (1, ours)]).lines[0].quantity == 1


@pytest.mark.parametrize(
    "change",
    [
        {"stock_code": "X"},
        {"description": None},
        {"quantity": -6},
        {"unit_price": "2.551"},
        {"ordered_at": TIMES[3]},
    ],
)
def test_every_field_of_a_line_is_content(change: dict[str, object]) -> None:
    other = OnePart("b", (replace(OneLine(), **change),))  # type: ignore[arg-type]
    assert len(union([(1, OnePart()), (2, other)]).conflicts) == 1


@pytest.mark.parametrize(
    "change", [{"customer_id": None}, {"country": "France"}, {"currency": "EUR"}, {"kind": "adjustment"}]
)
def test_the_header_is_content_of_the_lines_that_two_parts_share(change: dict[str, object]) -> None:
    other = replace(OnePart("b"), **change)  # type: ignore[arg-type]
    assert len(union([(1, OnePart()), (2, other)]).conflicts) == 1
    apart = replace(other, lines=(OneLine("2"),))
    assert union([(1, OnePart()), (2, apart)]).conflicts == ()


def test_prices_are_compared_as_numbers_and_kept_as_written_first() -> None:
    united = union([(2, OnePart("b", (OneLine(unit_price="2.550"),))), (1, OnePart())])
    assert united.conflicts == ()
    assert united.lines[0].unit_price == "2.55"


def test_two_contents_of_one_line_in_one_part_conflict() -> None:
    united = union([(4, OnePart("a", (OneLine(), OneLine(quantity=7))))])
    assert united.conflicts == (Conflict("1", Occurrence(4, "a", 0), Occurrence(4, "a", 1)),)


def test_lines_stand_by_time_then_in_natural_order() -> None:
    ids = ["10", "9", "week.csv:100", "week.csv:20", "b", "01", "1"]
    lines = (*(OneLine(line_id) for line_id in ids), OneLine("0", ordered_at=TIMES[4]))
    assert [line.line_id for line in union([(1, OnePart("a", lines))]).lines] == [
        "01",
        "1",
        "9",
        "10",
        "b",
        "week.csv:20",
        "week.csv:100",
        "0",
    ]


def test_parts_of_different_orders_are_a_bug() -> None:
    with pytest.raises(ValueError, match="different orders"):
        union([(1, OnePart()), (2, replace(OnePart("b"), source="other"))])
    with pytest.raises(ValueError, match="at least one"):
        union([])
