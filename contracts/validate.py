"""The pure reference: what a document's verdict is, with every fault named.

Rules that JSON leaves open, the same for every reader: the bytes are UTF-8 without a byte order mark; NaN,
Infinity and lone surrogates are no JSON; of a key given twice the last one counts; a whole number is written
without fraction and exponent; nesting ends at 32 levels; fields that a contract does not name are not looked
at beyond that.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from contracts.model import (
    Array,
    Boolean,
    Contract,
    Date,
    Decimal,
    Double,
    Int32,
    Int64,
    String,
    Struct,
    Timestamp,
    Type,
)
from contracts.scalars import decimal_check, is_date, is_timestamp

MAX_DEPTH = 32
MAX_DETAILS = 100

# A string that never ends counts as one to the end of the text: no second look at its bytes.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+\\?(?:"|\Z)|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_DOUBLE = 310  # digits and sign of the largest number of 64 bits, written as a whole one


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where a document breaks its contract.

    Args:
        pointer: JSON Pointer (RFC 6901) to the value, or to where a missing one should be; "" for the whole.
        reason: a stable code, then mostly ": " and a text for people; never content of the document.
    """

    pointer: str
    reason: str

    @property
    def code(self) -> str:
        """The stable part of the reason."""
        return self.reason.partition(":")[0]


class ContractViolation(ValueError):
    """A document is not what its contract says, and never will be.

    Args:
        reason: `invalid_json` or `contract_violation`.
        message: one sentence for people, without the document's content.
        details: the first 100 faults in document order; empty for invalid_json.
    """

    def __init__(self, reason: str, message: str, details: list[Fault]) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.details = details


def check(contract: Contract, data: bytes | bytearray | memoryview) -> Any:
    """Parse a document and hold it against its contract.

    Returns:
        the document as Python's json module gives it.

    Raises:
        ContractViolation: it is no JSON, or breaks the contract.
    """
    value = parse(data)
    found = faults(contract, value)
    if found:
        more = f", the first {MAX_DETAILS} listed" if len(found) > MAX_DETAILS else ""
        message = f"{len(found)} fault{'s' if len(found) > 1 else ''} against {contract.title}{more}"
        raise ContractViolation("contract_violation", message, found[:MAX_DETAILS])
    return value


def parse(data: bytes | bytearray | memoryview) -> Any:
    """Parse one JSON document under the rules above, in time linear in its size.

    Raises:
        ContractViolation: `invalid_json`.
    """
    try:
        text = str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise _invalid_json(f"not UTF-8 at byte {error.start}") from None
    if too_deep(text):
        raise _invalid_json(f"nested deeper than {MAX_DEPTH} levels")
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_int=_whole_number)
    except json.JSONDecodeError as error:
        raise _invalid_json(f"not JSON at character {error.pos}") from None
    except RecursionError:
        raise _invalid_json("nested too deep") from None
    if "\\u" in text and has_lone_surrogate(value):
        raise _invalid_json("a lone surrogate is no character")
    return value


def too_deep(text: str) -> bool:
    """Say whether brackets outside strings nest deeper than MAX_DEPTH."""
    depth = 0
    for match in _TOKEN.finditer(text):
        mark = match.group()
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif mark in "]}":
            depth -= 1
    return False


def faults(contract: Contract, value: object) -> list[Fault]:
    """List every fault of a parsed document, in the order of the contract's fields and of items."""
    return list(type_faults(contract.struct, value))


def type_faults(type_: Type, value: object, pointer: str = "") -> Iterator[Fault]:
    """List every fault of one value against one type.

    Args:
        pointer: where the value is, a prefix of every fault's pointer.
    """
    return _CHECKS[type(type_)](type_, value, pointer)


def _invalid_json(message: str) -> ContractViolation:
    return ContractViolation("invalid_json", message, [])


def _no_constant(name: str) -> NoReturn:
    raise _invalid_json(f"{name} is no JSON number")


def _whole_number(digits: str) -> int | float:
    # Python refuses to read thousands of digits as int; such a number fits no type of ours, whatever it is.
    if len(digits) <= _LONGEST_DOUBLE:
        return int(digits)
    return -math.inf if digits.startswith("-") else math.inf


def has_lone_surrogate(value: object) -> bool:
    """Say whether a text or a name anywhere in it holds half of a pair of code units, which is no character."""
    if isinstance(value, str):
        return _SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(has_lone_surrogate(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(map(has_lone_surrogate, value))


def _struct(type_: Struct, value: object, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(pointer, "type: expected an object")
        return
    for field in type_.fields:
        place = f"{pointer}/{field.name}"
        if field.name not in value:
            if field.required:
                yield Fault(place, "required: missing")
        elif value[field.name] is None:
            if not field.nullable:
                yield Fault(place, "type: must not be null")
        else:
            yield from type_faults(field.type, value[field.name], place)


def _array(type_: Array, value: object, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield Fault(pointer, "type: expected an array")
        return
    if len(value) < type_.min_items:
        yield Fault(pointer, f"too_few_items: at least {type_.min_items}")
    if len(value) > type_.max_items:
        # Its items stay unread: the contract bounds the answer, not the hostile document.
        yield Fault(pointer, f"too_many_items: at most {type_.max_items}")
        return
    first_seen: dict[str, int] = {}
    for index, item in enumerate(value):
        yield from type_faults(type_.items, item, f"{pointer}/{index}")
        if type_.unique_key is None or not isinstance(item, dict):
            continue
        key = item.get(type_.unique_key)
        if isinstance(key, str) and first_seen.setdefault(key, index) != index:
            place = f"{pointer}/{index}/{type_.unique_key}"
            yield Fault(place, f"duplicate: same as {pointer}/{first_seen[key]}/{type_.unique_key}")


def _string(type_: String, value: object, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(pointer, "type: expected a string")
    elif type_.enum:
        if value not in type_.enum:
            yield Fault(pointer, f"not_in_enum: one of {', '.join(type_.enum)}")
    elif type_.max_length is not None and len(value) > type_.max_length:
        yield Fault(pointer, f"too_long: at most {type_.max_length} characters")
    elif len(value) < type_.min_length:
        yield Fault(pointer, f"too_short: at least {type_.min_length} characters")
    elif type_.matcher is not None and type_.matcher.match(value) is None:
        yield Fault(pointer, f"pattern: must match {type_.pattern}")


def _integer(type_: Int32 | Int64, value: object, pointer: str) -> Iterator[Fault]:
    if value in (math.inf, -math.inf):
        yield Fault(pointer, f"too_{'large' if value == math.inf else 'small'}: not within 64 bits")
    elif not isinstance(value, int) or isinstance(value, bool):
        yield Fault(pointer, "type: expected a whole number, without fraction and exponent")
    elif value < type_.minimum:
        yield Fault(pointer, f"too_small: at least {type_.minimum}")
    elif value > type_.maximum:
        yield Fault(pointer, f"too_large: at most {type_.maximum}")


def _double(_: Double, value: object, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, int | float) or isinstance(value, bool):
        yield Fault(pointer, "type: expected a number")
    elif not _fits_double(value):
        yield Fault(pointer, "not_finite: too large for 64 bits")


def _fits_double(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number past the largest double
        return False


def _boolean(_: Boolean, value: object, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, bool):
        yield Fault(pointer, "type: expected true or false")


def _date(_: Date, value: object, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(pointer, "type: expected a string")
    elif not is_date(value):
        yield Fault(pointer, "not_a_date: expected a day as YYYY-MM-DD")


def _timestamp(_: Timestamp, value: object, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(pointer, "type: expected a string")
    elif not is_timestamp(value):
        yield Fault(pointer, "not_a_timestamp: expected UTC as YYYY-MM-DDTHH:MM:SS.mmmZ")


def _decimal(type_: Decimal, value: object, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(pointer, "type: expected a decimal as a string")
    elif not decimal_check(type_.precision, type_.scale)(value):
        whole = type_.precision - type_.scale
        yield Fault(
            pointer, f"not_a_decimal: at most {whole} digits, a point and {type_.scale} more, no exponent"
        )


_CHECKS: dict[type[Type], Callable[[Any, object, str], Iterator[Fault]]] = {
    Struct: _struct,
    Array: _array,
    String: _string,
    Int32: _integer,
    Int64: _integer,
    Double: _double,
    Boolean: _boolean,
    Date: _date,
    Timestamp: _timestamp,
    Decimal: _decimal,
}
