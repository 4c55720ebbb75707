"""What a sender may leave out or write otherwise, and every fault with its JSON Pointer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import codec
from services.order_ingest import intake, request
from services.order_ingest.refusal import Refusal

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def line(**changes: Any) -> dict[str, Any]:
    return {"stock_code": "85123A", "description": "LANTERN", "quantity": 6, "unit_price": "2.55"} | changes


def order(**changes: Any) -> dict[str, Any]:
    return {
        "order_id": "536365",
        "ordered_at": "2010-12-01T08:26:00Z",
        "customer_id": "17850",
        "country": "United Kingdom",
        "currency": "GBP",
        "lines": [line()],
    } | changes


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


def refused(body: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        request.decode(body)
    return caught.value


@pytest.mark.parametrize(
    ("given_time", "expected"),
    [
        ("2010-12-01T08:26:00Z", "2010-12-01T08:26:00.000Z"),
        ("2010-12-01t08:26:00.5z", "2010-12-01T08:26:00.500Z"),
        ("2010-12-01T08:26:00.123999Z", "2010-12-01T08:26:00.123Z"),
        ("2010-12-01T00:26:00+05:30", "2010-11-30T18:56:00.000Z"),
        ("1969-12-31T23:00:00-01:00", "1970-01-01T00:00:00.000Z"),
        ("2099-12-31T23:59:59.999Z", "2099-12-31T23:59:59.999Z"),
    ],
)
def test_times_with_any_offset_come_out_in_utc_to_the_millisecond(given_time: str, expected: str) -> None:
    new = request.decode(encoded(order(ordered_at=given_time)))
    assert [one.ordered_at for one in new.lines] == [expected]


@given(
    moment=st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)),  # noqa: DTZ001 - the offset is drawn apart
    offset_minutes=st.integers(-23 * 60, 23 * 60),
)
def test_a_time_keeps_its_instant(moment: datetime, offset_minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    normalised = request.instant(aware.isoformat())
    assert normalised is not None
    assert abs(datetime.fromisoformat(normalised) - aware.astimezone(UTC)) < timedelta(milliseconds=1)


def test_defaults_are_filled_in() -> None:
    document = order(
        lines=[without(line(), "description"), line(line_id="7", ordered_at="2010-12-01T08:27:00Z")]
    )
    new = request.decode(encoded(document))
    assert new.kind == "sale"
    assert [one.line_id for one in new.lines] == ["1", "7"]
    assert [one.description for one in new.lines] == [None, "LANTERN"]
    assert [one.ordered_at for one in new.lines] == ["2010-12-01T08:26:00.000Z", "2010-12-01T08:27:00.000Z"]


def test_a_guest_a_price_below_zero_and_any_text_are_kept() -> None:
    odd = line(description='  Päckchen \t"x"  ', quantity=-(2**31), unit_price="-0.0010", stock_code="£ 1")
    new = request.decode(encoded(order(customer_id=None, kind="adjustment", lines=[odd])))
    assert new.customer_id is None
    assert new.kind == "adjustment"
    kept = new.lines[0]
    assert (kept.description, kept.quantity, kept.unit_price, kept.stock_code) == tuple(
        odd[name] for name in ("description", "quantity", "unit_price", "stock_code")
    )


@pytest.mark.parametrize("raw", [False, True], ids=["escaped", "utf-8"])
def test_a_record_holds_its_contract_whatever_way_was_taken(raw: bool) -> None:
    document = order(lines=[line(description="Crème ☕ 💐"), line(line_id="x")])
    body = json.dumps(document, ensure_ascii=not raw).encode()
    records = intake.records_of(body, "web", TRACE)
    decoded = codec.decoder("order", 1)(records.data[0])
    assert decoded.source == "web"
    assert decoded.trace == TRACE
    assert [one.description for one in decoded.lines] == ["Crème ☕ 💐", "LANTERN"]
    assert records.key == "web/536365"


FAULTS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("a missing field", without(order(), "country"), ["/country"]),
    ("customer left out", without(order(), "customer_id"), ["/customer_id"]),
    ("empty customer", order(customer_id=""), ["/customer_id"]),
    ("bad order id", order(order_id="a/b"), ["/order_id"]),
    ("newline after the id", order(order_id="a\n"), ["/order_id"]),
    ("unknown field", order(source="other"), ["/source"]),
    ("unknown field of a line", order(lines=[line(price="1")]), ["/lines/0/price"]),
    ("unknown field with a slash", order(**{"a/b~c": 1}), ["/a~1b~0c"]),
    ("no line", order(lines=[]), ["/lines"]),
    ("lines no array", order(lines={}), ["/lines"]),
    ("line no object", order(lines=[line(), 5]), ["/lines/1"]),
    ("price a number", order(lines=[line(unit_price=2.55)]), ["/lines/0/unit_price"]),
    ("price with exponent", order(lines=[line(unit_price="1e3")]), ["/lines/0/unit_price"]),
    ("price with plus", order(lines=[line(unit_price="+1")]), ["/lines/0/unit_price"]),
    ("price too exact", order(lines=[line(unit_price="0.00001")]), ["/lines/0/unit_price"]),
    ("price too large", order(lines=[line(unit_price="123456789012345")]), ["/lines/0/unit_price"]),
    ("price with other digits", order(lines=[line(unit_price="\u0661")]), ["/lines/0/unit_price"]),
    ("quantity a fraction", order(lines=[line(quantity=1.0)]), ["/lines/0/quantity"]),
    ("quantity a boolean", order(lines=[line(quantity=True)]), ["/lines/0/quantity"]),
    ("quantity over 32 bits", order(lines=[line(quantity=2**31)]), ["/lines/0/quantity"]),
    ("quantity huge", order(lines=[line(quantity=10**400)]), ["/lines/0/quantity"]),
    ("kind null", order(kind=None), ["/kind"]),
    ("kind unknown", order(kind="gift"), ["/kind"]),
    ("time without offset", order(ordered_at="2010-12-01T08:26:00"), ["/ordered_at"]),
    ("leap second", order(ordered_at="2016-12-31T23:59:60Z"), ["/ordered_at"]),
    ("before 1970", order(ordered_at="1969-12-31T23:59:59.999Z"), ["/ordered_at"]),
    ("after 2099", order(ordered_at="2100-01-01T00:00:00Z"), ["/ordered_at"]),
    ("day that is none", order(ordered_at="2011-02-29T00:00:00Z"), ["/ordered_at"]),
    ("line's own time", order(lines=[line(ordered_at="yesterday")]), ["/lines/0/ordered_at"]),
    ("time null", order(lines=[line(ordered_at=None)]), ["/lines/0/ordered_at"]),
    ("line id null", order(lines=[line(line_id=None)]), ["/lines/0/line_id"]),
    ("line id empty", order(lines=[line(line_id="")]), ["/lines/0/line_id"]),
    ("line id twice", order(lines=[line(line_id="a"), line(line_id="a")]), ["/lines/1/line_id"]),
    ("line id of an ordinal", order(lines=[line(line_id="2"), line()]), ["/lines/1/line_id"]),
    ("control character", order(lines=[line(stock_code="a\u0007")]), ["/lines/0/stock_code"]),
    ("C1 control character", order(country="a\u0085"), ["/country"]),
    ("null character", order(lines=[line(description="a\0")]), ["/lines/0/description"]),
    ("description too long", order(lines=[line(description="x" * 1001)]), ["/lines/0/description"]),
    (
        "all at once",
        order(currency="gbp", lines=[line(quantity="6"), without(line(), "stock_code")]),
        ["/currency", "/lines/0/quantity", "/lines/1/stock_code"],
    ),
]


@pytest.mark.parametrize(
    ("document", "pointers"), [pair[1:] for pair in FAULTS], ids=[pair[0] for pair in FAULTS]
)
def test_every_fault_is_told_with_its_pointer(document: dict[str, Any], pointers: list[str]) -> None:
    refusal = refused(encoded(document))
    assert (refusal.status, refusal.code) == (422, "contract_violation")
    assert [detail.pointer for detail in refusal.details] == pointers


def test_at_most_100_faults_are_listed() -> None:
    refusal = refused(encoded(order(lines=[line(quantity=None) for _ in range(150)])))
    assert len(refusal.details) == 100
    assert "more than 100" in refusal.message


def test_too_many_lines_are_too_large() -> None:
    refusal = refused(encoded(order(lines=[0] * 20_001)))
    assert (refusal.status, refusal.code, refusal.order_id) == (413, "too_large", "536365")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xef\xbb\xbf{}",
        b'{"order_id":"\xff"}',
        b'{"order_id":"\xed\xa0\x80"}',
        b'{"order_id":"\\ud800"}',
        b'{"quantity":NaN}',
        b"[" * 500_000,
        b'{"a":' * 100_000,
        encoded(order()) + b"x",
    ],
    ids=range(10),
)
def test_what_is_no_json_is_400(body: bytes) -> None:
    assert (refused(body).status, refused(body).code) == (400, "invalid_json")


@pytest.mark.parametrize("value", [[], "order", 5, None, True])
def test_json_that_is_no_object_is_422(value: Any) -> None:
    assert refused(encoded(value)).status == 422


def test_of_a_key_given_twice_the_last_one_counts_on_both_ways() -> None:
    tail = encoded(order())[1:]
    assert request.decode(b'{"order_id":"first",' + tail).order_id == "536365"
    assert request.decode(b'{"order_id":5,' + tail).order_id == "536365"


def test_nothing_of_a_refused_order_but_its_id_goes_back() -> None:
    refusal = refused(encoded(order(customer_id="secret customer", lines=[line(description=["secret"])])))
    assert b"secret" not in refusal.line()
    assert refusal.order_id == "536365"
    assert refused(encoded(order(order_id="not an id"))).order_id is None


_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
_values = st.sampled_from(
    ["1", "-0.5", "2010-12-01T08:26:00Z", "2010-12-01T08:26:00.000Z", "a\u0001", "\u0085", "ä", 1, 2.0]
)
_lines = st.lists(
    st.dictionaries(
        st.sampled_from(
            ["line_id", "stock_code", "description", "quantity", "unit_price", "ordered_at", "x"]
        ),
        _values | _scalars,
    ).map(lambda changes: line() | changes),
    max_size=3,
)


@given(
    changes=st.dictionaries(
        st.sampled_from(["order_id", "ordered_at", "customer_id", "country", "currency", "kind", "x"]),
        _values | _scalars,
        max_size=2,
    ),
    lines=_lines,
)
def test_what_is_taken_holds_the_contract_and_all_else_is_refused_with_a_pointer(
    changes: dict[str, Any], lines: list[dict[str, Any]]
) -> None:
    verdict = judged(encoded(order(lines=lines) | changes))
    if isinstance(verdict, Refusal):
        assert verdict.status == 400 or verdict.details
    else:
        for data in verdict.data:
            codec.decoder("order", 1)(data)


def judged(body: bytes) -> intake.Records | Refusal:
    try:
        return intake.records_of(body, "web", TRACE)
    except Refusal as refusal:
        return refusal
