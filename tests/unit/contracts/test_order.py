"""An order's identity, partition, kind, and the cut into parts."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from time import process_time
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts import codec, order
from contracts.codec import Order, OrderLine

T = "2010-12-01T08:26:00.000Z"
HEADER: dict[str, Any] = {
    "order_id": "536365",
    "source": "shop",
    "customer_id": "17850",
    "country": "United Kingdom",
    "currency": "GBP",
    "kind": "sale",
    "ingested_at": T,
}
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


def line(line_id: str, **changes: Any) -> OrderLine:
    """A plain line."""
    fields: dict[str, Any] = {
        "stock_code": "85123A",
        "description": "HEART",
        "quantity": 6,
        "unit_price": "2.55",
    }
    return OrderLine(line_id=line_id, ordered_at=T, **{**fields, **changes})


def lines_of(parts: list[Order]) -> list[OrderLine]:
    """All lines, part after part."""
    return [one for part in parts for one in part.lines]


_text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=1000)
_lines = st.lists(
    st.builds(
        line,
        line_id=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=320),
        description=st.none() | _text,
        quantity=st.integers(-(2**31), 2**31 - 1),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda one: one.line_id,
)


@settings(deadline=None)
@given(_lines, st.integers(8_000, 30_000), st.sampled_from([None, TRACE]))
def test_parts_are_full_whole_and_within_the_limit(
    lines: list[OrderLine], max_bytes: int, trace: str | None
) -> None:
    """No part is above the limit, none could take the next one's first line, none is lost or moved."""
    parts = order.parts(**HEADER, lines=lines, max_bytes=max_bytes, trace=trace)
    assert lines_of(parts) == lines
    for part in parts:
        assert len(codec.encode(part)) <= max_bytes
        assert codec.decoder("order", 1)(codec.verify(part)) == part
    for part, following in pairwise(parts):
        fuller = msgspec.structs.replace(part, lines=[*part.lines, following.lines[0]], trace=TRACE)
        assert len(codec.encode(fuller)) > max_bytes


@settings(deadline=None)
@given(_lines, st.integers(8_000, 30_000))
def test_how_a_part_came_changes_neither_cut_nor_identity(lines: list[OrderLine], max_bytes: int) -> None:
    """A retry with another time and trace gives the same parts with the same event_ids."""
    first = order.parts(**HEADER, lines=lines, max_bytes=max_bytes)
    again = order.parts(
        **{**HEADER, "ingested_at": "2024-01-01T00:00:00.999Z"}, lines=lines, max_bytes=max_bytes, trace=TRACE
    )
    assert [part.event_id for part in first] == [part.event_id for part in again]
    assert [part.lines for part in first] == [part.lines for part in again]


@settings(deadline=None)
@given(_lines)
@example([line("1", description='\x01\x1f\x7f\x80 "\\/\b\f\n\r\t\u2028\ud7ff\ue000\U0010ffff')])
def test_event_id_needs_only_the_standard_library(lines: list[OrderLine]) -> None:
    """The fast path's event_id is the pure function of the decoded record."""
    for part in order.parts(**HEADER, lines=lines, max_bytes=20_000, trace=TRACE):
        assert part.event_id == order.event_id(json.loads(codec.encode(part)))


def test_event_id_is_for_ever() -> None:
    """A change of this value would make every re-delivery a new event."""
    [part] = order.parts(**HEADER, lines=[line("1"), line("2", description=None, unit_price="-0.001")])
    assert part.event_id == "b89848d9cd048ddcb92e0ab818ffef71"


@pytest.mark.parametrize(
    "change",
    [
        {"order_id": "536366"},
        {"source": "other"},
        {"customer_id": None},
        {"country": "France"},
        {"currency": "EUR"},
        {"kind": "adjustment"},
        {"lines": [line("1", unit_price="2.550")]},
        {"lines": [line("1", description=None)]},
        {"lines": [line("1"), line("2")]},
    ],
)
def test_other_content_is_another_event(change: dict[str, Any]) -> None:
    """Every field of the content counts."""
    plain = {**HEADER, "lines": [line("1")]}
    assert order.parts(**plain)[0].event_id != order.parts(**{**plain, **change})[0].event_id


def test_20_000_plain_lines_go_through_in_linear_time() -> None:
    """The largest order is cut into parts of at most 200 KiB; four times the lines cost far less than ten times."""
    lines = [line(f"{number:05}") for number in range(order.MAX_LINES)]
    parts = order.parts(**HEADER, lines=lines)
    assert lines_of(parts) == lines
    assert max(len(codec.encode(part)) for part in parts) <= order.MAX_PART_BYTES
    assert len(parts) == 14
    assert cost_s(lines) < 10 * cost_s(lines[:5_000])


def cost_s(lines: list[OrderLine]) -> float:
    """The least of five tries, in CPU seconds."""
    costs_s = []
    for _ in range(5):
        started = process_time()
        order.parts(**HEADER, lines=lines)
        costs_s.append(process_time() - started)
    return min(costs_s)


def test_lines_with_maximal_fields_go_through() -> None:
    """Fields as long as they may be, in characters of four bytes and in escapes, still fit; of many parts."""
    wide = {"description": "\x01" * 1000, "stock_code": "😀" * 64, "unit_price": "-12345678901234.1234"}
    lines = [line(f"{number:05}" + "😀" * 315, quantity=-(2**31), **wide) for number in range(1_000)]
    header = {
        **HEADER,
        "country": "😀" * 64,
        "order_id": "o" * 64,
        "source": "s" * 64,
        "customer_id": "c" * 64,
    }
    parts = order.parts(**{**header, "kind": "cancellation"}, lines=lines, trace=TRACE)
    assert lines_of(parts) == lines
    assert len(parts) > 5
    assert max(len(codec.encode(part)) for part in parts) <= order.MAX_PART_BYTES
    assert codec.decoder("order", 1)(codec.verify(parts[-1])) == parts[-1]


def test_a_part_has_at_most_20_000_lines_whatever_its_size() -> None:
    """The contract's limit holds also where the bytes would allow more."""
    lines = [line(str(number)) for number in range(20_001)]
    parts = order.parts(**HEADER, lines=lines, max_bytes=2**30)
    assert [len(part.lines) for part in parts] == [20_000, 1]


def test_a_part_has_the_time_of_its_earliest_line() -> None:
    """Each part's time is that of its own lines, wherever the earliest stands."""
    early = msgspec.structs.replace(line("2"), ordered_at="2010-12-01T08:25:59.999Z")
    [part] = order.parts(**HEADER, lines=[line("1"), early])
    assert part.ordered_at == "2010-12-01T08:25:59.999Z"


def test_the_cut_is_exact_at_the_limit() -> None:
    """An order that fits to the byte is one part, one byte less makes two."""
    lines = [line("1"), line("2")]
    [whole] = order.parts(**HEADER, lines=lines, trace=TRACE)
    size_bytes = len(codec.encode(whole))
    assert len(order.parts(**HEADER, lines=lines, max_bytes=size_bytes)) == 1
    assert len(order.parts(**HEADER, lines=lines, max_bytes=size_bytes - 1)) == 2


def test_what_cannot_be_cut_is_refused() -> None:
    """No line, or a line above the limit, is the caller's error."""
    with pytest.raises(ValueError, match="without a line"):
        order.parts(**HEADER, lines=[])
    with pytest.raises(ValueError, match="line 1 does not fit"):
        order.parts(**HEADER, lines=[line("1"), line("2", description="x" * 1000)], max_bytes=1000)


@pytest.mark.parametrize(
    ("invoice_no", "quantity", "kind"),
    [
        ("536365", 6, "sale"),
        ("536589", -10, "sale"),
        ("C536379", -1, "cancellation"),
        ("A563186", 1, "adjustment"),
        ("", 1, "sale"),
    ],
)
def test_kind_of_invoice(invoice_no: str, quantity: int, kind: str) -> None:
    """The number tells the kind, the quantity does not."""
    assert order.kind_of_invoice(invoice_no, quantity) == kind


def test_partition_key_is_the_order() -> None:
    """All parts of one sender's order share a shard."""
    assert order.partition_key("shop", "536365") == "shop/536365"


def test_the_pure_part_loads_without_msgspec() -> None:
    """A job that cannot carry compiled code still validates, reads the catalogue and names events."""
    program = (
        "import sys; sys.modules['msgspec'] = None\n"
        "from contracts import catalog, order, scalars, validate, __main__\n"
        "catalog.load(); print(order.partition_key('a', 'b'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "a/b\n"
