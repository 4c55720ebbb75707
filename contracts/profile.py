"""Reads a JSON Schema into the model, and refuses everything outside the closed profile.

The profile is a subset of JSON Schema 2020-12, so that any validator can read the files, with annotations of
our own: `format` int32, int64, double, timestamp and decimal, `precision` and `scale` of a decimal, `unit`,
`uniqueKey`, the field of an array's items that no two of them share, and `search`, how a search index treats a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from contracts.model import (
    INT32,
    INT64,
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

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DOCUMENT_KEYWORDS = {"$schema", "$id", "title", "description", "type", "required", "properties"}
_FIELD_KEYWORDS = {"description", "unit", "search"}
_SEARCH = ("exact", "words", "both", "address", "none")
_KEYWORDS: dict[tuple[str, str | None], set[str]] = {
    ("string", None): {"type", "minLength", "maxLength", "pattern", "enum"},
    ("string", "timestamp"): {"type", "format"},
    ("string", "date"): {"type", "format"},
    ("string", "decimal"): {"type", "format", "precision", "scale"},
    ("integer", "int32"): {"type", "format", "minimum", "maximum"},
    ("integer", "int64"): {"type", "format", "minimum", "maximum"},
    ("number", "double"): {"type", "format"},
    ("boolean", None): {"type"},
    ("array", None): {"type", "items", "minItems", "maxItems", "uniqueKey"},
    ("object", None): {"type", "required", "properties"},
}
_PLAIN: dict[str | None, Type] = {
    "timestamp": Timestamp(),
    "date": Date(),
    "double": Double(),
    None: Boolean(),
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FIELD_NAME = re.compile(r"@?[a-z][a-z0-9_]{0,62}")  # the Elastic Common Schema has one name with an @


class ProfileError(ValueError):
    """A schema, stream or table file says something that the closed profile does not know."""


def contract(name: str, version: int, schema: Mapping[str, Any]) -> Contract:
    """Read one schema document.

    Raises:
        ProfileError: naming the place and what is wrong; the first fault found.
    """
    place = f"{name}/{version}"
    _only(schema, _DOCUMENT_KEYWORDS, place)
    expected = {
        "$schema": DIALECT,
        "$id": f"urn:cadabra:contract:{name}:{version}",
        "title": place,
        "type": "object",
    }
    for keyword, value in expected.items():
        if schema.get(keyword) != value:
            raise ProfileError(f"{place}: {keyword} must be {value!r}")
    if not _NAME.fullmatch(name):
        raise ProfileError(f"{place}: the name must match {_NAME.pattern}")
    description = _text(schema, "description", place)
    return Contract(name, version, description, _struct(schema, place), schema)


def _struct(schema: Mapping[str, Any], place: str) -> Struct:
    properties = schema.get("properties")
    required = schema.get("required", [])
    if not isinstance(properties, Mapping) or not properties:
        raise ProfileError(f"{place}: an object needs properties")
    if (
        not isinstance(required, list)
        or len(set(required)) != len(required)
        or not set(required) <= set(properties)
    ):
        raise ProfileError(f"{place}: required must list properties, each once")
    return Struct(
        tuple(_field(name, value, name in required, f"{place}#/{name}") for name, value in properties.items())
    )


def _field(name: str, schema: Mapping[str, Any], required: bool, place: str) -> Field:
    if not _FIELD_NAME.fullmatch(name):
        raise ProfileError(f"{place}: the name must match {_FIELD_NAME.pattern}")
    if not isinstance(schema, Mapping):
        raise ProfileError(f"{place}: a field is an object")
    json_type, nullable = _json_type(schema, place)
    read = _type(json_type, schema, _FIELD_KEYWORDS, place)
    unit = _text(schema, "unit", place) if "unit" in schema else None
    if unit is None and isinstance(read, Int32 | Int64 | Double | Decimal | Timestamp):
        raise ProfileError(f"{place}: a number or a time states its unit")
    return Field(
        name,
        read,
        required,
        nullable,
        _text(schema, "description", place),
        unit,
        _search(schema, read, place),
    )


def _search(schema: Mapping[str, Any], type_: Type, place: str) -> str:
    search = schema.get("search", "exact")
    if search not in _SEARCH or ("search" in schema and not isinstance(type_, String)):
        raise ProfileError(f"{place}: search is for a text, and one of {', '.join(_SEARCH)}")
    return str(search)


def _json_type(schema: Mapping[str, Any], place: str) -> tuple[str, bool]:
    value = schema.get("type")
    if isinstance(value, str):
        return value, False
    if isinstance(value, list) and len(value) == 2 and value[1] == "null" and isinstance(value[0], str):
        return value[0], True
    raise ProfileError(f"{place}: type must be one name, or [name, 'null']")


def _type(json_type: str, schema: Mapping[str, Any], also: set[str], place: str) -> Type:
    form = schema.get("format")
    keywords = _KEYWORDS.get((json_type, form))
    if keywords is None:
        raise ProfileError(f"{place}: type {json_type!r} with format {form!r} is outside the profile")
    _only(schema, keywords | also, place)
    match json_type, form:
        case "object", _:
            return _struct(schema, place)
        case "array", _:
            return _array(schema, place)
        case "string", None:
            return _string(schema, place)
        case "string", "decimal":
            return _decimal(schema, place)
        case "integer", _:
            low, high = INT32 if form == "int32" else INT64
            minimum, maximum = _limit(schema, "minimum", low, place), _limit(schema, "maximum", high, place)
            if not low <= minimum <= maximum <= high:
                raise ProfileError(f"{place}: minimum and maximum must fit {form}")
            return Int32(minimum, maximum) if form == "int32" else Int64(minimum, maximum)
    return _PLAIN[form]


def _string(schema: Mapping[str, Any], place: str) -> String:
    enum = schema.get("enum", [])
    if (
        not isinstance(enum, list)
        or not all(isinstance(text, str) for text in enum)
        or len(set(enum)) != len(enum)
    ):
        raise ProfileError(f"{place}: enum must be a list of different strings")
    if enum and set(schema) & {"pattern", "minLength", "maxLength"}:
        raise ProfileError(f"{place}: an enum needs no other limit")
    if "enum" in schema:
        if not enum:
            raise ProfileError(f"{place}: enum must name a value")
        return String(enum=tuple(enum))
    low, high = _limit(schema, "minLength", 0, place), _limit(schema, "maxLength", -1, place)
    if not 0 <= low <= high:
        raise ProfileError(f"{place}: a string states maxLength, and minLength at most that")
    return String(low, high, _pattern(schema, place))


def _pattern(schema: Mapping[str, Any], place: str) -> str | None:
    if "pattern" not in schema:
        return None
    pattern = _text(schema, "pattern", place)
    if not (pattern.startswith("^") and pattern.endswith("$")) or re.search(
        r"\\[a-zA-Z]", pattern.replace(r"\u", "")
    ):
        raise ProfileError(f"{place}: a pattern goes from ^ to $ and names its characters (no \\d, \\w, \\s)")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ProfileError(f"{place}: pattern is no expression: {error}") from None
    return pattern


def _decimal(schema: Mapping[str, Any], place: str) -> Decimal:
    precision, scale = _limit(schema, "precision", 0, place), _limit(schema, "scale", -1, place)
    if not (1 <= precision <= 38 and 0 <= scale < precision):
        raise ProfileError(f"{place}: precision is 1 to 38 and scale from 0 to below it")
    return Decimal(precision, scale)


def _array(schema: Mapping[str, Any], place: str) -> Array:
    items = schema.get("items")
    if not isinstance(items, Mapping):
        raise ProfileError(f"{place}: an array needs items")
    json_type, nullable = _json_type(items, f"{place}/items")
    if nullable:
        raise ProfileError(f"{place}/items: an item cannot be null")
    low, high = _limit(schema, "minItems", 0, place), _limit(schema, "maxItems", -1, place)
    if not 0 <= low <= high:
        raise ProfileError(f"{place}: an array states maxItems, and minItems at most that")
    read = Array(_type(json_type, items, set(), f"{place}/items"), low, high, schema.get("uniqueKey"))
    if read.unique_key is not None and not _is_key(read.items, read.unique_key):
        raise ProfileError(f"{place}: uniqueKey must name a required string field of the items")
    return read


def _is_key(items: Type, name: str) -> bool:
    fields = items.fields if isinstance(items, Struct) else ()
    return any(
        f.name == name and f.required and not f.nullable and isinstance(f.type, String) for f in fields
    )


def _only(schema: Mapping[str, Any], keywords: set[str], place: str) -> None:
    for keyword in schema:
        if keyword not in keywords:
            raise ProfileError(f"{place}: keyword {keyword!r} is outside the profile here")


def _limit(schema: Mapping[str, Any], keyword: str, default: int, place: str) -> int:
    value = schema.get(keyword, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ProfileError(f"{place}: {keyword} must be a whole number")
    return value


def _text(schema: Mapping[str, Any], keyword: str, place: str) -> str:
    value = schema.get(keyword)
    if not isinstance(value, str) or not value.strip():
        raise ProfileError(f"{place}: {keyword} must be a text")
    return value
