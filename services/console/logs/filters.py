"""From a query string to OpenSearch's query language: allow-listed fields, bounded work, values of the right kind.

What goes to OpenSearch is built here, never a part of what was typed but values: there is no way to a script, an
unnamed field or OpenSearch's own parser of query strings. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from services.console.logs.fields import ANYWHERE, ANYWHERE_WHOLE, FIELDS, STATUS, Kind, LogField
from services.console.logs.syntax import Clause, Group, Node, Not, parse
from services.console.logs.time_range import milliseconds
from services.console.logs.tokens import QuerySyntaxError, Range, Text

MAX_WILDCARDS = 4
"""In one term; each may make OpenSearch look at every term of the field again."""
MIN_LITERAL_START = 2
"""Literal characters before the first wildcard of a pattern."""
_INT64 = range(-(2**63), 2**63)
_STATUSES = range(1000)
_NUMBER = re.compile(r"-?[0-9]{1,19}\Z")
_CLASS = re.compile(r"([1-5])[xX]{2}\Z")
_FLAGS = {"true": True, "false": False}

Filter = dict[str, Any]


def filter_of(text: str) -> Filter:
    """Translate a query string.

    Returns:
        A query of OpenSearch's language; one that matches everything where the text is empty.

    Raises:
        QuerySyntaxError: with the place and the reason.
    """
    node = parse(text)
    return {"match_all": {}} if node is None else _of_node(node)


def _of_node(node: Node) -> Filter:
    match node:
        case Group():
            kind = "filter" if node.all_of else "should"
            asked: Filter = {kind: [_of_node(inner) for inner in node.inner]}
            if not node.all_of:
                asked["minimum_should_match"] = 1
            return {"bool": asked}
        case Not():
            return {"bool": {"must_not": [_of_node(node.inner)]}}
        case Clause():
            return _anywhere(node.value) if node.field is None else _of_clause(node, node.field)


def _of_clause(clause: Clause, name: str) -> Filter:
    field = FIELDS.get(name)
    if field is None:
        known = ", ".join(sorted(field.short for field in set(FIELDS.values()) if field.short))
        raise QuerySyntaxError(
            clause.name_at,
            f"there is no field {name}; a text with a colon goes into quotes; fields are {known}",
        )
    value = clause.value
    if isinstance(value, Range):
        return _range(field, value)
    if value.parts == ("", "") and value.wildcards == "*":
        return {"exists": {"field": field.path.removesuffix(".words")}}
    return _TRANSLATIONS[field.kind](field, value)


def _anywhere(value: Text | Range) -> Filter:
    if isinstance(value, Range):
        raise QuerySyntaxError(value.at, "a range needs a field before it")
    words = [_words(FIELDS[name], value) for name in ANYWHERE]
    whole = [] if value.wildcards else [{"term": {name: value.parts[0]}} for name in ANYWHERE_WHOLE]
    return {"bool": {"should": [*words, *whole], "minimum_should_match": 1}}


def _term(field: LogField, value: Text) -> Filter:
    if not value.wildcards:
        return {"term": {field.path: value.parts[0]}}
    _check_pattern(value)
    if value.wildcards == "*" and value.parts[1] == "":
        return {"prefix": {field.path: {"value": value.parts[0]}}}
    return {"wildcard": {field.path: {"value": _pattern(value)}}}


def _words(field: LogField, value: Text) -> Filter:
    if value.quoted:
        return {"match_phrase": {field.path: value.parts[0]}}
    if not value.wildcards:
        return {"match": {field.path: {"query": value.parts[0], "operator": "and"}}}
    _check_pattern(value)
    if value.wildcards != "*" or value.parts[1] != "":
        raise QuerySyntaxError(value.at, "a word has a wildcard only at its end, and it is *")
    return {"prefix": {field.path: {"value": value.parts[0].lower()}}}


def _number(field: LogField, value: Text) -> Filter:
    plain = _plain(value)
    if field.path == STATUS and (hundreds := _CLASS.match(plain)) is not None:
        low = int(hundreds[1]) * 100
        return {"range": {field.path: {"gte": low, "lt": low + 100}}}
    return {"term": {field.path: _whole(field, plain, value.at)}}


def _address(field: LogField, value: Text) -> Filter:
    plain = _plain(value)
    try:
        ipaddress.ip_network(plain, strict=False)
    except ValueError:
        raise QuerySyntaxError(value.at, "an IP address, or a network such as 10.0.0.0/8") from None
    return {"term": {field.path: plain}}


def _flag(field: LogField, value: Text) -> Filter:
    flag = _FLAGS.get(_plain(value).lower())
    if flag is None:
        raise QuerySyntaxError(value.at, "true or false")
    return {"term": {field.path: flag}}


def _time(field: LogField, value: Text) -> Filter:
    raise QuerySyntaxError(
        value.at, f"a time is asked for by a range: {field.path}:[2026-01-02T10:00:00Z TO *]"
    )


_TRANSLATIONS = {
    Kind.TERM: _term,
    Kind.WORDS: _words,
    Kind.NUMBER: _number,
    Kind.ADDRESS: _address,
    Kind.FLAG: _flag,
    Kind.TIME: _time,
}


def _range(field: LogField, value: Range) -> Filter:
    bounds: dict[str, Any] = {}
    ends = (
        ("gte" if value.includes_low else "gt", value.low),
        ("lte" if value.includes_high else "lt", value.high),
    )
    for sign, end in ends:
        if end is not None:
            bounds[sign] = _end(field, end)
    if not bounds:
        return {"exists": {"field": field.path}}
    if field.kind is Kind.TIME:
        bounds["format"] = "epoch_millis"
    return {"range": {field.path: bounds}}


def _end(field: LogField, end: Text) -> int | str:
    plain = _plain(end)
    match field.kind:
        case Kind.NUMBER:
            return _whole(field, plain, end.at)
        case Kind.TIME:
            return _moment(plain, end.at)
        case Kind.ADDRESS:
            try:
                return str(ipaddress.ip_address(plain))
            except ValueError:
                raise QuerySyntaxError(end.at, "an IP address") from None
    raise QuerySyntaxError(end.at, f"{field.path} is no number, address or time: it has no ranges")


def _check_pattern(value: Text) -> None:
    if value.parts[0] == "":
        raise QuerySyntaxError(value.at, "a term does not begin with a wildcard")
    if len(value.parts[0]) < MIN_LITERAL_START:
        raise QuerySyntaxError(value.at, f"a wildcard stands behind {MIN_LITERAL_START} characters at least")
    if len(value.wildcards) > MAX_WILDCARDS:
        raise QuerySyntaxError(value.at, f"a term has at most {MAX_WILDCARDS} wildcards")


def _pattern(value: Text) -> str:
    literal = [re.sub(r"([\\*?])", r"\\\1", part) for part in value.parts]
    return literal[0] + "".join(
        wildcard + part for wildcard, part in zip(value.wildcards, literal[1:], strict=True)
    )


def _plain(value: Text) -> str:
    if value.wildcards:
        raise QuerySyntaxError(value.at, "this field takes no wildcards")
    return value.parts[0]


def _whole(field: LogField, text: str, at: int) -> int:
    numbers = _STATUSES if field.path == STATUS else _INT64
    if _NUMBER.match(text) is None or int(text) not in numbers:
        raise QuerySyntaxError(at, f"a whole number from {numbers[0]} to {numbers[-1]}")
    return int(text)


def _moment(text: str, at: int) -> int:
    found = milliseconds(text)
    if found is None:
        raise QuerySyntaxError(at, "a time such as 2026-01-02T10:00:00Z")
    return found
