"""Parameters: defaults, bounds, and cursors that come back as they were given."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from services.console import requests
from services.console.logs import entries
from services.console.logs.entries import MAX_PAGE_BYTES, Position
from services.console.logs.time_range import DAY_MS, TimeRange, milliseconds
from services.console.requests import Allowed, InvalidQuery
from services.kernel.core.http_parameters import InvalidParameter

NOW_MS = milliseconds("2026-05-01T12:00:00Z") or 0
INT64 = st.integers(-(2**63), 2**63 - 1)


def test_without_parameters_it_is_the_last_day() -> None:
    asked = requests.asked({}, NOW_MS)
    assert asked.range == TimeRange(NOW_MS - DAY_MS, NOW_MS)
    assert asked.filter == {"match_all": {}}


def test_seven_days_of_any_time_are_taken_and_a_millisecond_more_is_not() -> None:
    given_range = {"from": "2015-05-17", "to": "2015-05-24"}
    assert requests.asked(given_range, NOW_MS).range.length_ms == 7 * DAY_MS
    with pytest.raises(InvalidParameter) as caught:
        requests.asked({**given_range, "to": "2015-05-24T00:00:00.001Z"}, NOW_MS)
    assert (caught.value.name, caught.value.reason) == ("from", "at most 7 days before `to`")


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-99-01"}, "to"),
        ({"from": "2026-01-02", "to": "2026-01-02"}, "from"),
        ({"from": "2026-01-03", "to": "2026-01-02"}, "from"),
        ({"from": "2026-06-01"}, "from"),
    ],
)
def test_a_range_that_is_none_is_refused(parameters: dict[str, str], name: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        requests.asked(parameters, NOW_MS)
    assert caught.value.name == name


def test_a_query_strings_fault_is_told_with_its_place() -> None:
    with pytest.raises(InvalidQuery) as caught:
        requests.asked({"q": "status:404 path:*x"}, NOW_MS)
    assert (caught.value.name, caught.value.reason) == (
        "q",
        "at character 17: a term does not begin with a wildcard",
    )


def test_steps_are_bounded() -> None:
    week = TimeRange(NOW_MS - 7 * DAY_MS, NOW_MS)
    assert requests.interval({}, week) == "3h"
    assert requests.interval({"interval": "30m"}, week) == "30m"
    for name in ("10m", "7m", ""):
        with pytest.raises(InvalidParameter):
            requests.interval({"interval": name}, week)


def test_a_parameter_that_nobody_knows_or_that_comes_twice_is_refused() -> None:
    allowed = Allowed(frozenset({"q"}))
    allowed.check(MultiDict([("q", "a")]))
    for parameters in ([("Q", "a")], [("q", "a"), ("q", "b")]):
        with pytest.raises(InvalidParameter):
            allowed.check(MultiDict(parameters))


@given(
    st.builds(
        Position,
        INT64,
        st.text(st.characters(codec="utf-8"), max_size=255),
        st.text("0f", max_size=32),
        INT64,
    )
)
def test_a_cursor_comes_back_as_the_position_that_it_was_made_of(position: Position) -> None:
    cursor = entries.cursor_of(position)
    found = entries.position_of(cursor)
    assert found == position or len(cursor) > entries.MAX_CURSOR_CHARACTERS


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.hex()))
def test_no_other_text_is_a_cursor(text: str) -> None:
    found = entries.position_of(text)
    assert found is None or entries.cursor_of(found) == text


def _answer(sizes: list[int]) -> dict[str, Any]:
    hits = [
        {
            "_id": str(at),
            "_source": {"event": {"original": "x" * size}},
            "sort": [1000 - at, "h", "0" * 32, at],
        }
        for at, size in enumerate(sizes)
    ]
    return {"hits": {"hits": hits, "total": {"value": len(hits), "relation": "eq"}}}


def test_a_page_ends_at_its_bytes_but_holds_an_entry_and_the_next_begins_after_it() -> None:
    page = entries.read(3, _answer([MAX_PAGE_BYTES + 1, 5, 5]))
    assert [one.id for one in page.entries] == ["0"]
    assert page.after == Position(1000, "h", "0" * 32, 0)
    page = entries.read(3, _answer([5, MAX_PAGE_BYTES, 5]))
    assert [one.id for one in page.entries] == ["0"]


def test_the_last_page_says_that_it_is_the_last() -> None:
    assert entries.read(3, _answer([5, 5])).after is None
    assert entries.read(2, _answer([5, 5])).after == Position(999, "h", "0" * 32, 1)
    assert entries.read(2, _answer([])).after is None


def test_more_matches_than_are_counted_are_told_as_such() -> None:
    answer = _answer([5])
    answer["hits"]["total"] = {"value": entries.MAX_COUNTED, "relation": "gte"}
    page = entries.read(1, answer)
    assert (page.total, page.total_is_exact) == (entries.MAX_COUNTED, False)
