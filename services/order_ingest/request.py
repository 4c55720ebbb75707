"""From a request's bytes to a normalised order, or to every fault in it.

A typed decoder takes what is plainly right. Whatever it doubts goes to `contracts.validate`, the same reference
that judges records, with the freedoms that a sender has over a record: any RFC 3339 offset, defaults for
`kind`, `line_id`, `description` and the lines' `ordered_at`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Annotated, Any, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from contracts import catalog, model, validate
from contracts.codec import (
    Country,
    Currency,
    Description,
    Identifier,
    Int32,
    Kind,
    LineId,
    OrderLine,
    StockCode,
)
from contracts.order import MAX_LINES
from contracts.scalars import canonical_timestamp, decimal_check
from services.kernel.core.errors import Detail
from services.order_ingest.refusal import Refusal

MAX_FAULTS = 100
FIRST_DAY, DAY_AFTER_LAST = "1970-01-01", "2100-01-01"
_SHOWN_NAME_CHARACTERS = 64
_TIME_REASON = (
    "not_a_timestamp: expected an RFC 3339 time with an offset, not a leap second, from 1970 to 2099"
)


class _Line(Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A line as sent; its fields stand in the record's order, so that once filled in it is written as one."""

    description: Description | None = None
    line_id: LineId | UnsetType = UNSET
    ordered_at: str | UnsetType = UNSET
    quantity: Int32
    stock_code: StockCode
    unit_price: str


class OrderRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/orders`, as sent."""

    order_id: Identifier
    ordered_at: str
    customer_id: Identifier | None
    country: Country
    currency: Currency
    lines: Annotated[list[_Line], Meta(min_length=1, max_length=MAX_LINES)]
    kind: Kind = "sale"


class NewOrder(Struct, frozen=True):
    """An order as the contract wants it: defaults filled in, times in UTC to the millisecond."""

    order_id: str
    customer_id: str | None
    country: str
    currency: str
    kind: Kind
    lines: list[OrderLine]


def decode(body: bytes | bytearray) -> NewOrder:
    """Read one order.

    Raises:
        Refusal: 400 (no JSON), 413 (too many lines) or 422 (not an order); with every fault and
            its JSON Pointer, the first 100.
    """
    try:
        order = _normalised(_fast.decode(body), _plain(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        order = None
    return order or _decode_slowly(body)


def instant(text: str) -> str | None:
    """Rewrite an RFC 3339 time in UTC to the millisecond; None if it is none, or not of 1970 to 2099."""
    moment = canonical_timestamp(text)
    return moment if moment is not None and FIRST_DAY <= moment < DAY_AFTER_LAST else None


_fast = msgspec.json.Decoder(OrderRequest)
_is_price = decimal_check(18, 4)
_has_control = re.compile(r"[\u0000-\u001f\u007f-\u009f]").search


def _plain(body: bytes | bytearray) -> bool:
    """Whether no text in it can hold a control character: JSON takes those below U+0020 only as escapes."""
    return b"\\" not in body and body.isascii() and b"\x7f" not in body


def _normalised(request: OrderRequest, plain: bool) -> NewOrder | None:
    """Fill in the defaults; None where the slow path has to find out what is wrong."""
    placed = instant(request.ordered_at)
    if placed is None:
        return None
    lines = request.lines
    for ordinal, line in enumerate(lines, 1):
        if line.ordered_at is UNSET:
            line.ordered_at = placed
        elif (moment := instant(line.ordered_at)) is not None:
            line.ordered_at = moment
        else:
            return None
        if not _is_price(line.unit_price) or not (plain or _texts_hold(line)):
            return None
        if line.line_id is UNSET:
            line.line_id = str(ordinal)
    if len({line.line_id for line in lines}) != len(lines):
        return None
    # Now every field is there, and a line of 20,000 need not be made twice: encoded it is an OrderLine.
    whole = cast("list[OrderLine]", lines)
    return NewOrder(
        request.order_id, request.customer_id, request.country, request.currency, request.kind, whole
    )


def _texts_hold(line: _Line) -> bool:
    if line.description is not None and "\0" in line.description:
        return False
    return not _has_control(line.stock_code) and (line.line_id is UNSET or not _has_control(line.line_id))


def _decode_slowly(body: bytes | bytearray) -> NewOrder:
    try:
        value = validate.parse(body)
    except validate.ContractViolation as error:
        raise Refusal(400, "invalid_json", error.message) from None
    _refuse_too_many_lines(value)
    _fill_in(value)
    found = list(islice(_faults(value), MAX_FAULTS + 1))
    if found:
        raise _refused(value, found)
    order = _normalised(msgspec.convert(value, OrderRequest), plain=False)
    if order is None:
        raise AssertionError("the typed path doubts an order in which the reference finds no fault")
    return order


def _refuse_too_many_lines(value: Any) -> None:
    lines = value.get("lines") if isinstance(value, dict) else None
    if isinstance(lines, list) and len(lines) > MAX_LINES:
        detail = Detail("/lines", f"too_many_items: at most {MAX_LINES}")
        message = f"an order has at most {MAX_LINES} lines"
        raise Refusal(413, "too_large", message, (detail,), order_id=_order_id(value))


def _fill_in(value: Any) -> None:
    """Put defaults and canonical times where a sender may leave them out or write them otherwise."""
    if not isinstance(value, dict):
        return
    _rewrite_time(value)
    lines = value.get("lines")
    for ordinal, line in enumerate(lines if isinstance(lines, list) else (), 1):
        if isinstance(line, dict):
            line.setdefault("line_id", str(ordinal))
            _rewrite_time(line)


def _rewrite_time(holder: dict[str, Any]) -> None:
    given = holder.get("ordered_at")
    if isinstance(given, str):
        holder["ordered_at"] = instant(given) or "not of 1970 to 2099"


def _faults(value: Any) -> Iterator[Detail]:
    for fault in validate.type_faults(_REQUEST, value):
        yield Detail(fault.pointer, _TIME_REASON if fault.code == "not_a_timestamp" else fault.reason)
    if isinstance(value, dict):
        yield from _unknown(value, _REQUEST, "")
        lines = value.get("lines")
        for index, line in enumerate(lines if isinstance(lines, list) else ()):
            if isinstance(line, dict):
                yield from _unknown(line, _LINE, f"/lines/{index}")


def _unknown(holder: dict[str, Any], struct: model.Struct, pointer: str) -> Iterator[Detail]:
    known = {field.name for field in struct.fields}
    for name in [name for name in holder if name not in known]:
        escaped = name[:_SHOWN_NAME_CHARACTERS].replace("~", "~0").replace("/", "~1")
        yield Detail(f"{pointer}/{escaped}", "unknown: an order has no such field")


def _refused(value: Any, found: list[Detail]) -> Refusal:
    more = f"more than {MAX_FAULTS}, the first listed" if len(found) > MAX_FAULTS else str(len(found))
    message = f"not an order as the API describes it; faults: {more}"
    return Refusal(422, "contract_violation", message, found[:MAX_FAULTS], order_id=_order_id(value))


def _order_id(value: Any) -> str | None:
    """The order's own id for its answer, only where it is one: nothing else of a refused body goes back."""
    given = value.get("order_id") if isinstance(value, dict) else None
    valid = given is not None and not any(validate.type_faults(_REQUEST.field("order_id").type, given))
    return given if valid else None


def _request_struct() -> tuple[model.Struct, model.Struct]:
    """The record's contract, less what the platform adds, with what a sender may leave out."""
    record = catalog.contract("order", 1).struct
    lines = record.field("lines")
    if not isinstance(lines.type, model.Array) or not isinstance(lines.type.items, model.Struct):
        raise TypeError("order/1 has no list of lines")
    line = _optional(lines.type.items, {"description", "line_id", "ordered_at"})
    whole = model.Struct(
        tuple(
            replace(field, type=replace(lines.type, items=line)) if field.name == "lines" else field
            for field in record.fields
            if field.name in OrderRequest.__struct_fields__
        )
    )
    return _optional(whole, {"kind"}), line


def _optional(struct: model.Struct, names: set[str]) -> model.Struct:
    return model.Struct(
        tuple(replace(field, required=field.required and field.name not in names) for field in struct.fields)
    )


_REQUEST, _LINE = _request_struct()
