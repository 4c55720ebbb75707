"""The verdicts of `contracts.validate` at a fraction of the cost, in pure Python, for a zip carries nothing compiled.

A document is looked at by columns: of all lines the quantities, then the prices, each in a few calls that run in C.
Texts that were right once are remembered, for those of a shop repeat. What is not plainly right goes to the reference,
whose verdict counts; a property test holds the two to each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from contracts import validate
from contracts.model import (
    Array,
    Boolean,
    Contract,
    Double,
    Field,
    Int32,
    Int64,
    Struct,
    Type,
)

_REMEMBERED = 16_384
_LONGEST_REMEMBERED = 128
_LARGE = 10**18

Column = Callable[[Sequence[Any]], int]
"""Looks at values of one type; gives how many objects and arrays they are made of. Raises `_Unsure`."""


class _Unsure(Exception):
    """Not plainly right."""


def reader(contract: Contract) -> Callable[[bytes], Any]:
    """Give the function that reads documents of this contract.

    Returns:
        a function with the answers and errors of `validate.check`.
    """
    column = _struct(contract.struct)

    def read(data: bytes) -> Any:
        try:
            return _read(column, data)
        except (_Unsure, ValueError, KeyError, TypeError, RecursionError):
            return validate.check(contract, data)

    return read


def _read(column: Column, data: bytes) -> Any:
    text = str(data, "utf-8")
    if "NaN" in text or "Infinity" in text:
        raise _Unsure
    value = json.loads(text)
    containers = column((value,))
    # With exactly the brackets that the fields themselves need nothing else can be nested; else count properly.
    if text.count("{") + text.count("[") != containers and validate.too_deep(text):
        raise _Unsure
    if "\\u" in text and validate.has_lone_surrogate(value):
        raise _Unsure
    return value


def _struct(type_: Struct) -> Column:
    fields = [(field.name, field.required, _field(field)) for field in type_.fields]

    def look(values: Sequence[Any]) -> int:
        if set(map(type, values)) != {dict}:
            raise _Unsure
        containers = len(values)
        for name, required, column in fields:
            if required:
                containers += column([value[name] for value in values])
            else:
                containers += column([value[name] for value in values if name in value])
        return containers

    return _unless_empty(look)


def _field(field: Field) -> Column:
    column = _column(field.type)
    if not field.nullable:
        return column

    def look(values: Sequence[Any]) -> int:
        return column([value for value in values if value is not None] if None in values else values)

    return look


def _column(type_: Type) -> Column:
    match type_:
        case Struct():
            return _struct(type_)
        case Array():
            return _array(type_)
        case Int32() | Int64():
            return _integers(type_)
        case Double():
            return _doubles
        case Boolean():
            return _booleans
    return _texts(type_)


def _array(type_: Array) -> Column:
    items, key = _column(type_.items), type_.unique_key

    def look(values: Sequence[Any]) -> int:
        if set(map(type, values)) != {list}:
            raise _Unsure
        containers = len(values)
        for value in values:
            if not type_.min_items <= len(value) <= type_.max_items:
                raise _Unsure
            containers += items(value)
            if key is not None and len({item[key] for item in value}) != len(value):
                raise _Unsure
        return containers

    return _unless_empty(look)


def _integers(type_: Int32 | Int64) -> Column:
    def look(values: Sequence[Any]) -> int:
        if set(map(type, values)) != {int} or min(values) < type_.minimum or max(values) > type_.maximum:
            raise _Unsure
        return 0

    return _unless_empty(look)


def _doubles(values: Sequence[Any]) -> int:
    # The reference takes a whole number of very many digits for an endless one.
    if not set(map(type, values)) <= {int, float} or not all(-_LARGE < value < _LARGE for value in values):
        raise _Unsure
    return 0


def _booleans(values: Sequence[Any]) -> int:
    if not set(map(type, values)) <= {bool}:
        raise _Unsure
    return 0


def _texts(type_: Type) -> Column:
    known: set[str] = set()

    def look(values: Sequence[Any]) -> int:
        if known.issuperset(values):
            return 0
        for value in values:
            if value in known:
                continue
            if type(value) is not str or any(True for _ in validate.type_faults(type_, value)):
                raise _Unsure
            if len(value) <= _LONGEST_REMEMBERED:
                if len(known) >= _REMEMBERED:
                    known.clear()
                known.add(value)
        return 0

    return look


def _unless_empty(look: Column) -> Column:
    def column(values: Sequence[Any]) -> int:
        return look(values) if values else 0

    return column
