"""The fast path's verdicts are the pure reference's, for valid, broken and hostile documents."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts import catalog, codec, validate
from contracts.codec import ContractViolation
from contracts.model import Array, Double, Struct, Type

ORDER: dict[str, Any] = {
    "order_id": "536365",
    "source": "shop",
    "event_id": "0" * 32,
    "ordered_at": "2010-12-01T08:26:00.000Z",
    "ingested_at": "2010-12-01T08:26:01.123Z",
    "customer_id": "17850",
    "country": "United Kingdom",
    "currency": "GBP",
    "kind": "sale",
    "lines": [
        {
            "line_id": str(number),
            "stock_code": "85123A",
            "description": "WHITE HANGING HEART T-LIGHT HOLDER",
            "quantity": 6,
            "unit_price": "2.55",
            "ordered_at": "2010-12-01T08:26:00.000Z",
        }
        for number in (1, 2)
    ],
    "trace": None,
}
REJECTED: dict[str, Any] = {
    "rejected_id": "a" * 32,
    "reason": "csv_malformed",
    "message": "seven columns, not eight",
    "service": "order_file_ingest",
    "stream": None,
    "shard_id": None,
    "sequence_number": None,
    "file": "orders-1.csv",
    "offset": 4096,
    "source": "shop",
    "details": [{"pointer": "/lines/0", "reason": "type: expected an object"}],
    "data": "AAEC",
    "chunk": 0,
    "chunks": 1,
    "size_bytes": 3,
    "rejected_at": "2010-12-01T08:26:01.123Z",
    "trace": None,
}
ALARM: dict[str, Any] = {
    "incident_id": "b" * 32,
    "rule": "learned",
    "key": "country:Germany",
    "direction": "surge",
    "state": "firing",
    "rank": 5_176_000_000_000,
    "resolution": None,
    "merged_into": None,
    "started_at": "2011-03-01T10:00:00.000Z",
    "window_start": "2011-03-01T10:05:00.000Z",
    "window_end": "2011-03-01T10:15:00.000Z",
    "observed": 31,
    "expected": 6.25,
    "expected_low": 1.0,
    "expected_high": 15.0,
    "probability": 1.5e-9,
    "severity": "critical",
    "value_at_stake": "9101.50",
    "currency": "GBP",
    "baseline_version": "2011-03-01",
    "detected_at": "2011-03-01T10:12:03.456Z",
}
ENTRY: dict[str, Any] = json.loads(
    (catalog.ROOT / "examples/access_log_entry/1/combined_and_enriched.valid.json").read_bytes()
) | {"extra": [{"name": "%p", "value": "443"}], "error": {"type": "cut_off"}}
RECOMMENDATIONS: dict[str, Any] = json.loads(
    (catalog.ROOT / "examples/recommendations/1/customer.valid.json").read_bytes()
)
DOCUMENTS = {
    ("access_log_entry", 1): ENTRY,
    ("order", 1): ORDER,
    ("rejected", 1): REJECTED,
    ("order_rate_alarm", 1): ALARM,
    ("recommendations", 1): RECOMMENDATIONS,
}
DECODERS: dict[tuple[str, int], Callable[[bytes], Any]] = {
    ("order", 1): codec.decoder("order", 1),
    ("rejected", 1): codec.decoder("rejected", 1),
    ("order_rate_alarm", 1): codec.decoder("order_rate_alarm", 1),
    ("access_log_entry", 1): codec.decoder("access_log_entry", 1),
    ("recommendations", 1): codec.decoder("recommendations", 1),
}

_text = st.text(st.characters(codec="utf-8"), max_size=70)
_ODD: list[Any] = [
    None, True, 0, -1, 6.0, 1e300, 2**31, 2**31 - 1, -(2**31), 2**63, 10**30,
    "", "x" * 65, "a b", "a\n", "\x7f", "\x85", "\x00", "é", "😀", "\u2028", "[{", "]}", "\\", '"',
    "2.55", "-0.0001", "1e3", "+1", ".5", "5.", "\u0663", "12345678901234", "123456789012345", "1.12345",
    "2011-02-29T00:00:00.000Z", "2012-02-29T00:00:00.000Z", "2010-12-01T08:26:60.000Z",
    "2010-12-01T08:26:00Z", "0000-01-01T00:00:00.000Z", "2010-12-01t08:26:00.000z", "2010-12-01T08:26:00.000Z\n",
    "GBP", "GBP\n", "gbp", "sale", "00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    [], {}, [[]], [None], [{}],
]  # fmt: skip
_odd = st.sampled_from(_ODD)
_value = st.one_of(_odd, _text, st.integers(), st.floats(allow_nan=False, allow_infinity=False))


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    keys: list[str | int] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    found = [(*path, key) for key in keys]
    for key in keys:
        found += _places(value[key], (*path, key))
    return found


@st.composite
def mutated(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """A valid document with up to three places set to something else, removed, doubled or added."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, 3))):
        places = _places(changed)
        if not places:
            break
        *path, last = draw(st.sampled_from(places))
        parent: Any = changed
        for key in path:
            parent = parent[key]
        action = draw(st.sampled_from(["set", "set", "remove", "double", "add"]))
        if action == "set":
            parent[last] = copy.deepcopy(draw(_value))  # what was drawn may be changed by the next mutation
        elif action == "remove":
            del parent[last]
        elif action == "double" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[int(last)]))
        elif isinstance(parent, dict):
            parent[draw(st.sampled_from(["new_field", "é", "Lines"]))] = copy.deepcopy(draw(_value))
    return changed


def reference(name: str, version: int, data: bytes) -> ContractViolation | None:
    """The pure verdict."""
    try:
        validate.check(catalog.contract(name, version), data)
    except ContractViolation as violation:
        return violation
    return None


def _as_read(value: Any, type_: Type) -> Any:
    """What a reader sees: known fields alone, none of them null unless it must be there, doubles as such."""
    if value is None:
        return None
    match type_:
        case Struct(fields):
            seen = {f.name: _as_read(value[f.name], f.type) for f in fields if f.name in value}
            return {f.name: seen[f.name] for f in fields if f.required or seen.get(f.name) is not None}
        case Array(items):
            return [_as_read(item, items) for item in value]
        case Double():
            return float(value)  # a whole number is one too, to 53 bits
    return value


def assert_same_verdict(name: str, version: int, data: bytes) -> None:
    """The decoder accepts exactly what the reference accepts, and tells the same faults."""
    expected = reference(name, version, data)
    if expected is None:
        record = DECODERS[name, version](data)
        struct = catalog.contract(name, version).struct
        assert _as_read(validate.parse(data), struct) == _as_read(json.loads(codec.encode(record)), struct)
        assert reference(name, version, codec.encode(record)) is None
        assert DECODERS[name, version](codec.encode(record)) == record
        return
    with pytest.raises(ContractViolation) as caught:
        DECODERS[name, version](data)
    assert (caught.value.reason, caught.value.message, caught.value.details) == (
        expected.reason,
        expected.message,
        expected.details,
    )


@pytest.mark.parametrize("contract", DOCUMENTS, ids="/".join(["{0[0]}", "{0[1]}"]).format)
def test_a_valid_document_is_accepted(contract: tuple[str, int]) -> None:
    """The documents that everything here starts from have no fault."""
    assert reference(*contract, json.dumps(DOCUMENTS[contract]).encode()) is None
    assert_same_verdict(*contract, json.dumps(DOCUMENTS[contract]).encode())


@settings(max_examples=400, deadline=None)
@given(mutated(ORDER), st.booleans())
def test_mutated_orders_get_the_reference_verdict(document: dict[str, Any], ascii_only: bool) -> None:
    """Whatever changes in an order, both paths agree."""
    assert_same_verdict("order", 1, json.dumps(document, ensure_ascii=ascii_only).encode())


@settings(max_examples=200, deadline=None)
@given(mutated(REJECTED), st.booleans())
def test_mutated_rejects_get_the_reference_verdict(document: dict[str, Any], ascii_only: bool) -> None:
    """Whatever changes in a dead letter, both paths agree."""
    assert_same_verdict("rejected", 1, json.dumps(document, ensure_ascii=ascii_only).encode())


@settings(max_examples=200, deadline=None)
@given(mutated(ALARM), st.booleans())
def test_mutated_alarms_get_the_reference_verdict(document: dict[str, Any], ascii_only: bool) -> None:
    """Whatever changes in an alarm, both paths agree."""
    assert_same_verdict("order_rate_alarm", 1, json.dumps(document, ensure_ascii=ascii_only).encode())


@settings(max_examples=200, deadline=None)
@given(mutated(ENTRY), st.booleans())
def test_mutated_log_entries_get_the_reference_verdict(document: dict[str, Any], ascii_only: bool) -> None:
    """Whatever changes in a log entry, both paths agree."""
    assert_same_verdict("access_log_entry", 1, json.dumps(document, ensure_ascii=ascii_only).encode())


@settings(max_examples=200, deadline=None)
@given(mutated(RECOMMENDATIONS), st.booleans())
def test_mutated_recommendations_get_the_reference_verdict(
    document: dict[str, Any], ascii_only: bool
) -> None:
    """Whatever changes in a record of recommendations, both paths agree."""
    assert_same_verdict("recommendations", 1, json.dumps(document, ensure_ascii=ascii_only).encode())


@pytest.mark.parametrize("pointer", ["/lists/1/name", "/lists/0/items/1/stock_code"])
def test_a_list_or_an_article_given_twice_is_refused(pointer: str) -> None:
    """Of lists the name and of articles the code is said once, wherever the second stands."""
    document = copy.deepcopy(RECOMMENDATIONS)
    (document["lists"] if pointer.endswith("name") else document["lists"][0]["items"]).insert(
        1,
        copy.deepcopy(document["lists"][0] if pointer.endswith("name") else document["lists"][0]["items"][0]),
    )
    with pytest.raises(ContractViolation) as caught:
        DECODERS["recommendations", 1](json.dumps(document).encode())
    assert [(fault.pointer, fault.code) for fault in caught.value.details] == [(pointer, "duplicate")]
    assert_same_verdict("recommendations", 1, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("day", "accepted"), [("2012-02-29", True), ("2011-02-29", False), ("2011-11-17T", False), ("", False)]
)
def test_a_last_day_exists(day: str, accepted: bool) -> None:
    """Days are held to the calendar, on the fast path too."""
    document = copy.deepcopy(RECOMMENDATIONS)
    document["lists"][1]["items"][0]["last_on"] = day
    data = json.dumps(document).encode()
    assert (reference("recommendations", 1, data) is None) == accepted
    assert_same_verdict("recommendations", 1, data)


def test_the_articles_of_a_list_are_found_by_its_name() -> None:
    """A list that is not there is an empty one."""
    record = codec.decoder("recommendations", 1)(json.dumps(RECOMMENDATIONS).encode())
    assert [one.stock_code for one in record.articles("buy_again")] == ["85123A"]
    assert record.articles("popular") == ()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mangled_bytes_get_the_reference_verdict(data: st.DataObject) -> None:
    """Cut, overwritten and inserted bytes are read alike."""
    whole = bytearray(json.dumps(ORDER, ensure_ascii=False).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(whole)))
        until = place + data.draw(st.sampled_from([0, 1, 1, 40]))
        piece = st.sampled_from(
            [b"", b"\xff", b'"', b"\\", b"[", b"]}", b"\\ud800", b"\\u0000", b"\x00", b",", b"NaN"]
        )
        whole[place:until] = data.draw(piece)
    assert_same_verdict("order", 1, bytes(whole))


def _with(text: str) -> bytes:
    return json.dumps(ORDER).encode()[:-1] + b"," + text.encode("utf-8", "surrogatepass") + b"}"


HOSTILE = {
    "empty": b"",
    "null": b"null",
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(ORDER).encode(),
    "invalid UTF-8 in an unknown field": json.dumps(ORDER).encode()[:-1] + b',"x":"\xff"}',
    "an encoded surrogate": _with('"x":"\ud800"'),
    "an escaped lone surrogate in an unknown field": _with('"x":"\\ud800"'),
    "an escaped lone surrogate as a key": _with('"\\udc00":1'),
    "NaN": _with('"x":NaN'),
    "-Infinity": _with('"x":-Infinity'),
    "arrays without end": _with('"x":' + "[" * 200_000),
    "arrays, closed": _with('"x":' + "[" * 200_000 + "]" * 200_000),
    "objects": _with('"x":' + '{"a":' * 50_000 + "1" + "}" * 50_000),
    "33 levels": _with('"x":' + "[" * 32 + "]" * 32),
    "deep, hidden behind brackets in strings": _with('"x":' + '["]",' * 40 + "1" + "]" * 40),
    "escaped quotes without end": _with('"x":"' + '\\"' * 300_000),
    "trailing": json.dumps(ORDER).encode() + b"x",
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_bytes_are_invalid_json(case: str) -> None:
    """Bombs and broken text end as `invalid_json`, whatever they break on the way."""
    if case == "null":
        assert_same_verdict("order", 1, HOSTILE[case])
        return
    with pytest.raises(ContractViolation) as caught:
        codec.decoder("order", 1)(HOSTILE[case])
    assert caught.value.reason == "invalid_json"
    assert caught.value.details == []
    assert_same_verdict("order", 1, HOSTILE[case])


@pytest.mark.parametrize(
    "addition",
    [
        '"x":' + "9" * 5000,
        '"x":-' + "9" * 5000,
        '"x":1e999',
        '"x":"\\ud83d\\ude00"',
        '"x":' + "[" * 31 + "]" * 31,
        '"x":"[[[{{{"',
        '"kind":7,"kind":"sale"',
        '"lines":[],"lines":' + json.dumps(ORDER["lines"]),
    ],
)
def test_what_is_odd_but_right_is_accepted(addition: str) -> None:
    """Unknown fields may hold any JSON, and of a key given twice the last one counts."""
    assert reference("order", 1, _with(addition)) is None
    assert_same_verdict("order", 1, _with(addition))


def test_a_thousand_digits_are_too_large_a_quantity() -> None:
    """A number that Python refuses to read is a fault with a pointer, not an error."""
    data = json.dumps(ORDER).replace('"quantity": 6', '"quantity": ' + "9" * 5000, 1).encode()
    with pytest.raises(ContractViolation) as caught:
        codec.decoder("order", 1)(data)
    assert [(fault.pointer, fault.code) for fault in caught.value.details] == [
        ("/lines/0/quantity", "too_large")
    ]


@pytest.mark.parametrize(
    ("number", "accepted"),
    [(10**20, True), (-(10**30), True), (10**308, True), (10**309, False), (10**400, False), (1e308, True)],
)
def test_a_double_may_be_written_as_a_whole_number_of_any_length(number: float, accepted: bool) -> None:
    """What is within 64 bits of a double is taken by both paths, however it is written."""
    data = json.dumps(ALARM | {"expected": number}).encode()
    assert (reference("order_rate_alarm", 1, data) is None) == accepted
    assert_same_verdict("order_rate_alarm", 1, data)


def test_a_line_id_given_twice_points_to_the_second() -> None:
    """The second of two equal line identities is the fault."""
    document = copy.deepcopy(ORDER)
    document["lines"].append(document["lines"][0])
    with pytest.raises(ContractViolation) as caught:
        codec.decoder("order", 1)(json.dumps(document).encode())
    assert caught.value.details == [
        validate.Fault("/lines/2/line_id", "duplicate: same as /lines/0/line_id"),
    ]


def test_faults_are_listed_up_to_a_hundred() -> None:
    """A long list is cut, and the message says how many there were."""
    document = ORDER | {"lines": [{} for _ in range(50)]}
    with pytest.raises(ContractViolation) as caught:
        codec.decoder("order", 1)(json.dumps(document).encode())
    assert len(caught.value.details) == 100
    assert "300 faults" in caught.value.message


@given(st.text(max_size=300))
@example('\x00\x1f\x7f\x80 "\\/\b\f\n\r\t\u2028')
def test_verify_refuses_what_a_service_built_wrong(description: str) -> None:
    """A record built in this process is held to the same contract before it leaves."""
    line = codec.OrderLine(**{**ORDER["lines"][0], "description": description})
    order = codec.decoder("order", 1)(json.dumps(ORDER).encode())
    built = msgspec.structs.replace(order, lines=[line])
    if "\x00" in description:
        with pytest.raises(ContractViolation):
            codec.verify(built)
    else:
        assert codec.decoder("order", 1)(codec.verify(built)) == built
