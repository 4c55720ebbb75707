"""The verdicts of `contracts.validate` at a fraction of the cost, in pure Python, for a zip carries nothing compiled.

A document is looked at by columns: of all lines the quantities, then the prices, each in a few calls that run in C.
Texts that were right once are remembered, for those of a shop repeat. What is not plainly right goes to the reference,
whose verdict counts; a property test holds the two to each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from contracts import validate
from contracts.model import (
    Array,
    Boolean,
    Contract,
    Date,
    Decimal,
    Double,
    Field,
    Int32,
    Int64,
    String,
    Struct,
    Timestamp,
    Type,
)
from contracts.scalars import decimal_check, is_timestamp

_REMEMBERED = 16_384
_LONGEST_REMEMBERED = 128
_LARGE = 10**18
_TEXTS = {String, Date, Timestamp, Decimal}

Parser = Callable[[bytes], Any]


class _Unsure(Exception):
    """Not plainly right."""


class _Look(NamedTuple):
    """Looks at values of one type; gives how many objects and arrays they are made of.

    Args:
        one, many: raise `_Unsure`, or what Python raises where a value is of another type.
    """

    one: Callable[[Any], int]
    many: Callable[[Sequence[Any]], int]


def reader(contract: Contract, strict: Parser | None = None) -> Callable[[bytes], Any]:
    """Give the function that reads documents of this contract.

    Args:
        strict: a faster parser, as `orjson.loads`. It may refuse more than ours with a ValueError, and nothing less:
            bytes that are not UTF-8, NaN, half a surrogate pair.

    Returns:
        a function with the answers and errors of `validate.check`.
    """
    look = _struct(contract.struct).one
    parsed = _plain if strict is None else _strict(strict)

    def read(data: bytes) -> Any:
        try:
            return parsed(look, data)
        except (_Unsure, ValueError, KeyError, TypeError, RecursionError):
            return validate.check(contract, data)

    return read


def _plain(look: Callable[[Any], int], data: bytes) -> Any:
    text = str(data, "utf-8")
    if "NaN" in text or "Infinity" in text:
        raise _Unsure
    value = json.loads(text)
    containers = look(value)
    # With exactly the brackets that the fields themselves need nothing else can be nested; else count properly.
    if text.count("{") + text.count("[") != containers and validate.too_deep(text):
        raise _Unsure
    if "\\u" in text and validate.has_lone_surrogate(value):
        raise _Unsure
    return value


def _strict(parser: Parser) -> Callable[[Callable[[Any], int], bytes], Any]:
    def parsed(look: Callable[[Any], int], data: bytes) -> Any:
        value = parser(data)
        containers = look(value)
        if data.count(b"{") + data.count(b"[") != containers and validate.too_deep(str(data, "utf-8")):
            raise _Unsure
        return value

    return parsed


def _struct(type_: Struct) -> _Look:
    looks = [(field, _field(field)) for field in type_.fields]
    required = [(field.name, look) for field, look in looks if field.required]
    optional = [(field.name, look) for field, look in looks if not field.required]
    columns = [look.many for _, look in required]
    # Always several, or it would give no tuple; the first one twice does no harm.
    names = [name for name, _ in required]
    row = itemgetter(*names, *names[:1]) if names else None

    def one(value: Any) -> int:
        if type(value) is not dict:
            raise _Unsure
        containers = 1
        for name, look in required:
            containers += look.one(value[name])
        for name, look in optional:
            if name in value:
                containers += look.one(value[name])
        return containers

    def many(values: Sequence[Any]) -> int:
        containers = len(values)
        if row is None:
            if set(map(type, values)) != {dict}:
                raise _Unsure
        else:  # of what is no object a text cannot be the index
            for look_at, column in zip(columns, zip(*map(row, values), strict=True), strict=False):
                containers += look_at(column)
        for name, look in optional:
            containers += look.many([value[name] for value in values if name in value])
        return containers

    return _Look(one, _unless_empty(many))


def _field(field: Field) -> _Look:
    look = _type(field.type, field.nullable)
    if not field.nullable or type(field.type) in _TEXTS:
        return look

    def one(value: Any) -> int:
        return 0 if value is None else look.one(value)

    def many(values: Sequence[Any]) -> int:
        return look.many([value for value in values if value is not None] if None in values else values)

    return _Look(one, many)


def _type(type_: Type, nullable: bool = False) -> _Look:
    match type_:
        case Struct():
            return _struct(type_)
        case Array():
            return _array(type_)
        case Int32() | Int64():
            return _by_columns(_integers(type_))
        case Double():
            return _by_columns(_doubles)
        case Boolean():
            return _by_columns(_booleans)
    return _texts(type_, nullable)


def _array(type_: Array) -> _Look:
    items, key = _type(type_.items), itemgetter(type_.unique_key) if type_.unique_key else None

    def one(value: Any) -> int:
        if type(value) is not list or not type_.min_items <= len(value) <= type_.max_items:
            raise _Unsure
        containers = 1 + items.many(value)
        if key is not None and len(set(map(key, value))) != len(value):
            raise _Unsure
        return containers

    return _Look(one, lambda values: sum(map(one, values)))


def _integers(type_: Int32 | Int64) -> Callable[[Sequence[Any]], int]:
    def many(values: Sequence[Any]) -> int:
        if set(map(type, values)) != {int} or min(values) < type_.minimum or max(values) > type_.maximum:
            raise _Unsure
        return 0

    return _unless_empty(many)


def _doubles(values: Sequence[Any]) -> int:
    # The reference takes a whole number of very many digits for an endless one.
    if not set(map(type, values)) <= {int, float} or not all(-_LARGE < value < _LARGE for value in values):
        raise _Unsure
    return 0


def _booleans(values: Sequence[Any]) -> int:
    if not set(map(type, values)) <= {bool}:
        raise _Unsure
    return 0


def _texts(type_: Type, nullable: bool) -> _Look:
    always = {None} if nullable else set()
    known: set[str | None] = set(always)
    right = _right(type_)

    def one(value: Any) -> int:
        if value not in known:
            if type(value) is not str or not right(value):
                raise _Unsure
            if len(value) <= _LONGEST_REMEMBERED:
                if len(known) >= _REMEMBERED:
                    known.clear()
                    known.update(always)
                known.add(value)
        return 0

    def many(values: Sequence[Any]) -> int:
        if not known.issuperset(values):
            for value in set(values).difference(known):
                one(value)
        return 0

    return _Look(one, many)


def _right(type_: Type) -> Callable[[str], bool]:
    """What the reference says of a text, without the faults' names where that is dear."""
    match type_:
        case Timestamp():
            return is_timestamp
        case Decimal(precision, scale):
            return decimal_check(precision, scale)
        case String(enum=(), min_length=least, max_length=int() as most):
            matches = type_.matcher.match if type_.matcher else None
            return lambda value: (
                least <= len(value) <= most and (matches is None or matches(value) is not None)
            )
    return lambda value: not any(True for _ in validate.type_faults(type_, value))


def _by_columns(many: Callable[[Sequence[Any]], int]) -> _Look:
    return _Look(lambda value: many((value,)), many)


def _unless_empty(many: Callable[[Sequence[Any]], int]) -> Callable[[Sequence[Any]], int]:
    return lambda values: many(values) if values else 0
