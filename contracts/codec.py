"""The hot path: bytes to typed records and back, with the same verdicts as `contracts.validate`.

A typed decoder accepts what is plainly right; whatever it is not sure of goes to the pure reference, whose
verdict counts and which names every fault. So the fast path may only ever be stricter, and a property test
holds it to that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal, TypeVar, overload

import msgspec
from msgspec import Meta, Struct

from contracts import catalog, recommendations, validate
from contracts.access_log import AccessLogEntry
from contracts.recommendations import Recommendations, RecommendedArticle, RecommendedList
from contracts.scalars import decimal_check, is_date, is_timestamp
from contracts.validate import ContractViolation, Fault

__all__ = [
    "AccessLogEntry",
    "ContractViolation",
    "Fault",
    "Order",
    "OrderLine",
    "OrderRateAlarm",
    "Recommendations",
    "RecommendedArticle",
    "RecommendedList",
    "Rejected",
    "RejectedDetail",
    "decoder",
    "encode",
    "verify",
]

_PRINTABLE = r"^[^\u0000-\u001f\u007f-\u009f]+\Z"
_IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z"
_TRACEPARENT = r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z"

Identifier = Annotated[str, Meta(min_length=1, max_length=64, pattern=_IDENTIFIER)]
Hash = Annotated[str, Meta(min_length=32, max_length=32, pattern=r"^[0-9a-f]{32}\Z")]
Country = Annotated[str, Meta(min_length=1, max_length=64, pattern=_PRINTABLE)]
Currency = Annotated[str, Meta(min_length=3, max_length=3, pattern=r"^[A-Z]{3}\Z")]
Kind = Literal["sale", "cancellation", "adjustment"]
# The patterns of a line's texts are held by `_no_control` over the whole record: three expressions a line
# would be two thirds of the cost of decoding.
LineId = Annotated[str, Meta(min_length=1, max_length=320)]
StockCode = Annotated[str, Meta(min_length=1, max_length=64)]
Description = Annotated[str, Meta(max_length=1000)]
Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Traceparent = Annotated[str, Meta(min_length=55, max_length=55, pattern=_TRACEPARENT)]
Position = Annotated[str, Meta(min_length=1, max_length=128)]
NotNegative = Annotated[int, Meta(ge=0, le=2**63 - 1)]
RuleName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]{0,63}\Z")]
Resolution = Annotated[str, Meta(min_length=6, max_length=9, pattern=r"^(recovered|merged|withdrawn)\Z")]
CountedKey = Annotated[
    str, Meta(min_length=1, max_length=72, pattern=r"^(total|country:[^\u0000-\u001f\u007f-\u009f]+)\Z")
]
Reason = Literal[
    "invalid_json",
    "contract_violation",
    "conflicting_duplicate",
    "poison",
    "csv_malformed",
    "invalid_encoding",
    "file_changed",
    "line_too_long",
    "too_large",
    "bad_aggregate",
    "unmappable",
]


class OrderLine(Struct, frozen=True, kw_only=True, gc=False):
    """One line of an order; the fields are those of `order/1`, by name, so that its encoding is canonical."""

    description: Description | None
    line_id: LineId
    ordered_at: str
    quantity: Int32
    stock_code: StockCode
    unit_price: str


class Order(Struct, frozen=True, kw_only=True):
    """One order or one part of it: a record of `order/1`."""

    order_id: Identifier
    source: Identifier
    event_id: Hash
    ordered_at: str
    ingested_at: str
    customer_id: Identifier | None
    country: Country
    currency: Currency
    kind: Kind
    lines: Annotated[list[OrderLine], Meta(min_length=1, max_length=20_000)]
    trace: Traceparent | None = None


class OrderContent(Struct, frozen=True):
    """What an event_id is the hash of: a part's content by name; its encoding is the canonical JSON."""

    country: str
    currency: str
    customer_id: str | None
    kind: str
    lines: list[OrderLine]
    order_id: str
    ordered_at: str
    source: str


class RejectedDetail(Struct, frozen=True, gc=False):
    """One fault of rejected bytes; the fields are those of `rejected/1`."""

    pointer: Annotated[str, Meta(max_length=256)]
    reason: Annotated[str, Meta(max_length=256)]


class Rejected(Struct, frozen=True, kw_only=True):
    """A dead letter: a record of `rejected/1`."""

    rejected_id: Hash
    reason: Reason
    message: Annotated[str, Meta(max_length=1000)]
    service: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]{0,63}\Z")]
    stream: Position | None
    shard_id: Position | None
    sequence_number: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[0-9]{1,128}\Z")] | None
    file: Annotated[str, Meta(min_length=1, max_length=1024)] | None
    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None
    source: Annotated[str, Meta(min_length=1, max_length=64)] | None
    details: Annotated[list[RejectedDetail], Meta(max_length=validate.MAX_DETAILS)]
    data: Annotated[str, Meta(max_length=699_052, pattern=r"^[A-Za-z0-9+/]*={0,2}\Z")]
    chunk: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    chunks: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    size_bytes: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    rejected_at: str
    trace: Traceparent | None = None


class OrderRateAlarm(Struct, frozen=True, kw_only=True, gc=False):
    """One state change of one incident: a record of `order_rate_alarm/1`."""

    incident_id: Hash
    rule: RuleName
    key: CountedKey
    direction: Literal["surge", "drop", "silence"]
    state: Literal["firing", "resolved"]
    rank: NotNegative
    resolution: Resolution | None
    merged_into: Hash | None
    started_at: str
    window_start: str
    window_end: str
    observed: NotNegative
    expected: float | None
    expected_low: float | None
    expected_high: float | None
    probability: float | None
    severity: Literal["info", "warning", "critical"]
    value_at_stake: str | None
    currency: Currency | None
    baseline_version: Identifier | None
    detected_at: str


_T = TypeVar("_T", Order, Rejected, OrderRateAlarm, AccessLogEntry, Recommendations)
_is_price = decimal_check(18, 4)
_is_value = decimal_check(18, 2)
_has_control = re.compile(r"[\u0000-\u001f\u007f-\u009f]").search
_encoder = msgspec.json.Encoder()
Bytes = bytes | bytearray | memoryview


def _order_holds(order: Order, text: str) -> bool:
    if not (is_timestamp(order.ordered_at) and is_timestamp(order.ingested_at)):
        return False
    moment = order.ordered_at
    for line in order.lines:
        # Lines of one order mostly share its time: one comparison instead of one look-up.
        if line.ordered_at != moment:
            moment = line.ordered_at
            if not is_timestamp(moment):
                return False
        if not _is_price(line.unit_price):
            return False
    if len({line.line_id for line in order.lines}) != len(order.lines):
        return False
    return _no_control(text) or all(map(_line_holds, order.lines))


def _no_control(text: str) -> bool:
    # JSON takes characters below U+0020 only as escapes, so without a backslash there are none.
    return "\\" not in text and text.isascii() and "\x7f" not in text


def _line_holds(line: OrderLine) -> bool:
    described = line.description is None or "\0" not in line.description
    return described and not _has_control(line.line_id) and not _has_control(line.stock_code)


def _rejected_holds(rejected: Rejected, _: str) -> bool:
    return is_timestamp(rejected.rejected_at)


def _alarm_holds(alarm: OrderRateAlarm, _: str) -> bool:
    times = (alarm.started_at, alarm.window_start, alarm.window_end, alarm.detected_at)
    return all(map(is_timestamp, times)) and (alarm.value_at_stake is None or _is_value(alarm.value_at_stake))


def _entry_holds(entry: AccessLogEntry, _: str) -> bool:
    return is_timestamp(entry.timestamp) and is_timestamp(entry.event.created) and is_date(entry.index_day)


def _recommendations_hold(record: Recommendations, _: str) -> bool:
    return recommendations.holds(record)


def _deep(text: str, objects: int, arrays: int) -> bool:
    # With exactly the brackets that the record itself needs nothing else can be nested; else count properly.
    return (text.count("{") != objects or text.count("[") != arrays) and validate.too_deep(text)


def _brackets(
    record: Order | Rejected | OrderRateAlarm | AccessLogEntry | Recommendations,
) -> tuple[int, int]:
    """How many objects and arrays the record's own fields are written with."""
    match record:
        case Order():
            return len(record.lines) + 1, 1
        case Rejected():
            return len(record.details) + 1, 1
        case AccessLogEntry():
            return record.objects(), 0 if record.extra is None else 1
        case Recommendations():
            lists = len(record.lists)
            return 1 + lists + sum(len(one.items) for one in record.lists), 1 + lists
    return 1, 0


def _decoder(
    name: str, version: int, type_: type[_T], holds: Callable[[_T, str], bool]
) -> Callable[[Bytes], _T]:
    fast = msgspec.json.Decoder(type_)
    contract = catalog.contract(name, version)

    def decode(data: Bytes) -> _T:
        try:
            text = str(data, "utf-8")
            record = fast.decode(text)
            if holds(record, text) and not _deep(text, *_brackets(record)):
                return record
        except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError):
            pass
        return msgspec.convert(validate.check(contract, data), type_)

    return decode


_DECODERS = {
    ("order", 1): _decoder("order", 1, Order, _order_holds),
    ("rejected", 1): _decoder("rejected", 1, Rejected, _rejected_holds),
    ("order_rate_alarm", 1): _decoder("order_rate_alarm", 1, OrderRateAlarm, _alarm_holds),
    ("access_log_entry", 1): _decoder("access_log_entry", 1, AccessLogEntry, _entry_holds),
    ("recommendations", 1): _decoder("recommendations", 1, Recommendations, _recommendations_hold),
}


@overload
def decoder(name: Literal["order"], version: Literal[1]) -> Callable[[Bytes], Order]: ...
@overload
def decoder(name: Literal["rejected"], version: Literal[1]) -> Callable[[Bytes], Rejected]: ...
@overload
def decoder(name: Literal["order_rate_alarm"], version: Literal[1]) -> Callable[[Bytes], OrderRateAlarm]: ...
@overload
def decoder(name: Literal["access_log_entry"], version: Literal[1]) -> Callable[[Bytes], AccessLogEntry]: ...
@overload
def decoder(name: Literal["recommendations"], version: Literal[1]) -> Callable[[Bytes], Recommendations]: ...
def decoder(
    name: str, version: int
) -> (
    Callable[[Bytes], Order]
    | Callable[[Bytes], Rejected]
    | Callable[[Bytes], OrderRateAlarm]
    | Callable[[Bytes], AccessLogEntry]
    | Callable[[Bytes], Recommendations]
):
    """Give the function that reads records of this contract.

    Returns:
        a function from one record's bytes to its typed record. It raises ContractViolation for bytes that are
        no JSON or break the contract, with every fault; it ignores fields that the contract does not name.

    Raises:
        KeyError: no typed record is declared for this contract.
    """
    return _DECODERS[name, version]  # type: ignore[return-value]


def encode(
    record: Order | OrderContent | OrderLine | Rejected | OrderRateAlarm | AccessLogEntry | Recommendations,
) -> bytes:
    """Write a record, or a piece of one, as JSON in UTF-8 without blanks; checks nothing."""
    return _encoder.encode(record)


def verify(record: Order | Rejected) -> bytes:
    """Write a record that was built in this process, once it is sure that its contract holds.

    Raises:
        ContractViolation: with every fault; nothing was written.
    """
    data = encode(record)
    name: Literal["order", "rejected"] = "order" if isinstance(record, Order) else "rejected"
    _DECODERS[name, 1](data)
    return data
