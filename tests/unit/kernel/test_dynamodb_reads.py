"""Items as the service writes them come back with their bytes, and what is no item is an answer that is none."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.adapters import dynamodb_reads

VALUES = st.recursive(
    st.one_of(
        st.builds(lambda text: {"S": text}, st.text(max_size=5)),
        st.builds(lambda number: {"N": str(number)}, st.integers()),
        st.builds(lambda data: {"B": data}, st.binary(max_size=9)),
        st.builds(lambda data: {"BS": data}, st.lists(st.binary(max_size=9), max_size=3)),
        st.builds(lambda texts: {"SS": texts}, st.lists(st.text(max_size=5), max_size=3)),
        st.builds(lambda true: {"BOOL": true}, st.booleans()),
        st.just({"NULL": True}),
    ),
    lambda inner: st.one_of(
        st.builds(lambda values: {"L": values}, st.lists(inner, max_size=3)),
        st.builds(lambda values: {"M": values}, st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    ),
    max_leaves=8,
)


def wire(value: Any) -> Any:
    """A value as JSON carries it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [wire(one) for one in value]
    if isinstance(value, dict):
        return {name: wire(one) for name, one in value.items()}
    return value


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=5))
def test_what_was_written_is_read(item: dict[str, Any]) -> None:
    assert dynamodb_reads.item(wire(item)) == item
    assert dynamodb_reads.items([wire(item)] * 2) == [item] * 2
    assert dynamodb_reads.found({"Item": wire(item)}) == item


def test_nothing_is_nothing() -> None:
    assert dynamodb_reads.found({}) is None
    assert dynamodb_reads.items(None) == []


@pytest.mark.parametrize(
    "wired",
    [
        1,
        [],
        {"a": 1},
        {"a": {}},
        {"a": {"S": "x", "N": "1"}},
        {"a": {"B": "é"}},
        {"a": {"B": "abc"}},
        {"a": {"L": 1}},
    ],
)
def test_what_is_no_item_is_an_answer_that_is_none(wired: Any) -> None:
    with pytest.raises(ResponseParserError):
        dynamodb_reads.item(wired)
