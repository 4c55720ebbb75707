"""The closed profile: what is outside it is refused with its place; what is inside means what it says."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from contracts import catalog, codec, profile, validate
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
from contracts.profile import ProfileError

EVERY_TYPE: dict[str, Any] = {
    "$schema": profile.DIALECT,
    "$id": "urn:cadabra:contract:every:1",
    "title": "every/1",
    "description": "One field of each type.",
    "type": "object",
    "required": ["text"],
    "properties": {
        "text": {"type": "string", "maxLength": 3, "pattern": "^[a-z]*$", "description": "Text."},
        "word": {"type": "string", "enum": ["a", "b"], "description": "A word."},
        "small": {"type": "integer", "format": "int32", "maximum": 9, "unit": "1", "description": "Small."},
        "large": {"type": "integer", "format": "int64", "unit": "1", "description": "Large."},
        "real": {"type": "number", "format": "double", "unit": "1", "description": "Real."},
        "yes": {"type": ["boolean", "null"], "description": "Yes or no."},
        "day": {"type": "string", "format": "date", "description": "A day."},
        "at": {"type": "string", "format": "timestamp", "unit": "UTC", "description": "When."},
        "price": {"type": "string", "format": "decimal", "precision": 4, "scale": 2, "unit": "1", "description": "P."},
        "list": {
            "type": "array", "maxItems": 2, "description": "Some.",
            "items": {"type": "array", "maxItems": 2, "items": {"type": "boolean"}},
        },
        "inner": {
            "type": "object", "description": "More.", "properties": {"x": {"type": "boolean", "description": "X."}},
        },
    },
}  # fmt: skip
EVERY = profile.contract("every", 1, EVERY_TYPE)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("text", "abc", None), ("text", "abc\n", "too_long"), ("text", "ab\n", "pattern"), ("text", "A", "pattern"),
        ("text", None, "type"), ("word", "a", None), ("word", "c", "not_in_enum"), ("small", 9, None),
        ("small", 10, "too_large"), ("small", -(2**31) - 1, "too_small"), ("small", True, "type"),
        ("small", 1.0, "type"),
        ("large", 2**63 - 1, None), ("large", 2**63, "too_large"), ("large", math.inf, "too_large"),
        ("large", -math.inf, "too_small"), ("real", 1, None), ("real", 1.5, None), ("real", math.inf, "not_finite"),
        ("real", "1", "type"), ("real", True, "type"), ("yes", True, None), ("yes", None, None), ("yes", 1, "type"),
        ("day", "2012-02-29", None), ("day", "2011-02-29", "not_a_date"), ("day", 1, "type"),
        ("at", "2012-02-29T00:00:00.000Z", None), ("at", 1, "type"), ("price", "99.99", None),
        ("price", "100", "not_a_decimal"), ("price", 1, "type"), ("list", [[True], []], None), ("list", [1], "type"),
        ("list", [[], [], []], "too_many_items"), ("list", {}, "type"), ("inner", {"x": False}, None),
        ("inner", [], "type"),
    ],
)  # fmt: skip
def test_types_of_the_reference(field: str, value: object, code: str | None) -> None:
    """Each type takes its values and names what is wrong with others."""
    found = [fault.code for fault in validate.faults(EVERY, {"text": ""} | {field: value})]
    assert found == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("properties", "text", "format"), "email", "format 'email'"),
        (("properties", "text", "const"), "a", "'const'"),
        (("properties", "text", "default"), "a", "'default'"),
        (("properties", "text", "maxLength"), None, "maxLength"),
        (("properties", "text", "minLength"), 4, "minLength"),
        (("properties", "text", "pattern"), "[a-z]", "from ^ to $"),
        (("properties", "text", "pattern"), r"^\d$", r"\d"),
        (("properties", "text", "pattern"), "^($", "no expression"),
        (("properties", "text", "description"), " ", "description"),
        (("properties", "text", "type"), ["string", "integer"], "[name, 'null']"),
        (("properties", "text", "type"), "null", "outside the profile"),
        (("properties", "text"), True, "a field is an object"),
        (("properties", "word", "enum"), ["a", "a"], "different strings"),
        (("properties", "word", "enum"), [], "name a value"),
        (("properties", "word", "maxLength"), 3, "no other limit"),
        (("properties", "small", "format"), "int16", "int16"),
        (("properties", "text", "search"), "fast", "search is for a text"),
        (("properties", "small", "search"), "exact", "search is for a text"),
        (("properties", "small", "unit"), None, "unit"),
        (("properties", "small", "maximum"), 2**31, "fit int32"),
        (("properties", "small", "maximum"), 1.5, "whole number"),
        (("properties", "small", "exclusiveMaximum"), 9, "exclusiveMaximum"),
        (("properties", "price", "scale"), 5, "precision"),
        (("properties", "price", "pattern"), "^1$", "'pattern'"),
        (("properties", "list", "maxItems"), None, "maxItems"),
        (("properties", "list", "items"), None, "items"),
        (("properties", "list", "items", "type"), ["array", "null"], "cannot be null"),
        (("properties", "list", "uniqueKey"), "x", "uniqueKey"),
        (("properties", "inner", "additionalProperties"), False, "additionalProperties"),
        (("properties", "inner", "properties"), {}, "needs properties"),
        (("properties", "Upper"), {"type": "boolean", "description": "U."}, "Upper: the name"),
        (("required",), ["nowhere"], "required"),
        (("$schema",), "http://json-schema.org/draft-07/schema#", "$schema"),
        (("title",), "every/2", "title"),
        (("$defs",), {}, "$defs"),
        (("oneOf",), [], "oneOf"),
    ],
)
def test_outside_the_profile(path: tuple[str, ...], value: object, says: str) -> None:
    """A keyword, type or limit that no renderer could carry is refused, and the message says where."""
    schema: Any = copy.deepcopy(EVERY_TYPE)
    place = schema
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(ProfileError) as caught:
        profile.contract("every", 1, schema)
    assert str(caught.value).startswith("every/1")
    assert says in str(caught.value)


CONTRACTS = list(catalog.load().contracts.values())


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.title)
def test_any_json_schema_validator_reads_our_schemas(contract: Contract) -> None:
    """The files are JSON Schema 2020-12, and a foreign validator accepts every valid example."""
    schema = dict(contract.schema)
    assert jsonschema_rs.meta.is_valid(schema)
    foreign = jsonschema_rs.validator_for(schema)
    folder = catalog.ROOT / "examples" / contract.name / str(contract.version)
    for path in folder.glob("*.valid.json"):
        foreign.validate(json.loads(path.read_text("utf-8")))


STRUCTS: dict[str, type[msgspec.Struct]] = {
    "order/1": codec.Order,
    "rejected/1": codec.Rejected,
    "order_rate_alarm/1": codec.OrderRateAlarm,
    "access_log_entry/1": codec.AccessLogEntry,
    "recommendations/1": codec.Recommendations,
}


DECODED = {
    contract.title: contract for contract in map(catalog.load().contract_of, catalog.load().streams.values())
} | {"recommendations/1": catalog.contract("recommendations", 1)}


@pytest.mark.parametrize("contract", DECODED.values(), ids=DECODED)
def test_typed_records_are_declared_as_the_schema_says(contract: Contract) -> None:
    """Every field, type, limit and presence of a schema stands in the struct, and nothing else.

    Records of streams and recommendations are decoded one by one, by services; rows of files and tables never are:
    their engines hold them to the rendered columns.
    """
    declared = msgspec.inspect.type_info(STRUCTS[contract.title])
    assert shape_of(declared) == shape(contract.struct)


def shape(type_: Type) -> Any:
    """What the fast path must know of a type of the model."""
    match type_:
        case Struct(fields):
            return {f.name: (shape(f.type), f.nullable, f.required) for f in fields}
        case Array(items, low, high):
            return ("array", shape(items), low, high)
        case String(enum=enum) if enum:
            return ("enum", sorted(enum))
        case String(low, high):
            return ("text", low, high)
        case Int32(low, high) | Int64(low, high):
            return ("whole", low, high)
        case Timestamp() | Decimal() | Date():
            return ("text", 0, None)
        case Double():
            return "double"
        case Boolean():
            return "boolean"
    raise AssertionError(type_)


def shape_of(info: Any) -> Any:
    """The same of a type that msgspec decodes into."""
    match type(info).__name__:
        case "StructType":
            return {f.encode_name: (*nullable_shape(f.type), f.required) for f in info.fields}
        case "ListType":
            return ("array", shape_of(info.item_type), info.min_length or 0, info.max_length)
        case "LiteralType":
            return ("enum", sorted(info.values))
        case "StrType":
            return ("text", info.min_length or 0, info.max_length)
        case "IntType":
            return ("whole", info.ge, info.le)
        case "FloatType":
            return "double"
        case "BoolType":
            return "boolean"
    raise AssertionError(info)


def nullable_shape(info: Any) -> tuple[Any, bool]:
    """The shape of a field's type, and whether it may be null."""
    if isinstance(info, msgspec.inspect.UnionType):
        [inner] = [one for one in info.types if not isinstance(one, msgspec.inspect.NoneType)]
        return shape_of(inner), True
    return shape_of(info), False


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("streams/orders.toml", 'name = "orders"', 'name = "order"', "name"),
        ("streams/orders.toml", "version = 1", "version = 2", "no contract order/2"),
        ("streams/orders.toml", "{order_id}", "{customer_id}", "partition_key"),
        ("streams/orders.toml", "{source}/{order_id}", "all", "partition_key"),
        ("streams/orders.toml", 'dead_letter = "rejected"', 'dead_letter = "gone"', "no stream gone"),
        ("streams/orders.toml", "retention_hours = 168", "retention_hours = 12", "retention_hours"),
        ("streams/orders.toml", "retention_hours = 168", "", "retention_hours is missing"),
        (
            "streams/orders.toml",
            "retention_hours = 168",
            "retention_hours = 168\nspeed = 1",
            "unknown: speed",
        ),
        ("streams/orders.toml", "version = 1", "version = ", "orders.toml"),
        ("tables/order_history.toml", 'projection = "KEYS_ONLY"', 'projection = "SOME"', "projection"),
        ("tables/order_history.toml", 'type = "S"', 'type = "X"', "type"),
        ("indices/access-logs.toml", "version = 1", "version = 2", "no contract access_log_entry/2"),
        ("indices/access-logs.toml", '"index_day"', '"generation"', "day_field"),
        ("indices/access-logs.toml", "retention_days = 30", "retention_days = 0", "retention_days"),
        ("landing/orders.toml", "version = 1", "version = 2", "landing/orders/v2/"),
        ("landing/orders.toml", '"order_line"', '"gone"', "landing/orders.toml: there is no contract gone/1"),
        ("landing/orders.toml", '"ingested_hour"', '"day"', "partition must be ingested_hour"),
        ("lake/sales.order_lines.toml", "version = 1", "version = 2", "no contract order_line/2"),
        ("lake/sales.order_lines.toml", '"line_id"', '"description"', "order_lines.toml: identity"),
        ("lake/sales.order_lines.toml", "months(ordered_at)", "weeks(ordered_at)", "partition"),
        ("lake/sales.order_lines.toml", "months(ordered_at)", "months(country)", "partition"),
        ("lake/sales.order_lines.toml", "months(ordered_at)", "ordered_at", "partition"),
        ("lake/sales.order_lines.toml", "months(ordered_at)", "customer_id", "partition"),
        ("lake/sales.order_lines.toml", 'sort = ["ordered_at"', 'sort = ["gone"', "sort must name"),
        ("warehouse/dim_customer.toml", '"dim_customer"\nversion', '"gone"\nversion', "no contract gone/1"),
        ("warehouse/dim_customer.toml", '"customer_key"', '"valid_to"', "identity"),
        ("warehouse/dim_customer.toml", '"all"', '"some"', "dist_style"),
        ("warehouse/dim_customer.toml", '"all"', '"key"', "dist_key is missing"),
        ("warehouse/dim_customer.toml", '"all"', '"all"\ndist_key = "country"', "unknown: dist_key"),
        ("warehouse/dim_customer.toml", "sort_keys = [", 'sort_keys = ["gone", ', "sort_keys must name"),
        ("warehouse/fact_order_lines.toml", 'dist_key = "order_id"', 'dist_key = "gone"', "dist_key must"),
        ("schemas/order/1.json", '"int32"', '"int16"', "int16"),
        ("schemas/order/1.json", '"title": "order/1"', '"title": "order"', "title"),
    ],
)
def test_a_catalogue_that_does_not_fit_is_refused(
    copied: Path, file: str, old: str, new: str, says: str
) -> None:
    """The loader names the file and what is wrong there."""
    path = copied / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ProfileError, match=says):
        catalog.load(copied)


def test_the_catalogue_knows_who_writes_and_reads() -> None:
    """Streams and tables are by name, with their keys."""
    loaded = catalog.load()
    assert loaded.streams["orders"].consumers == ("dynamodb_writer", "order_rate_alarm", "lake_writer")
    assert loaded.lake_tables["sales.order_lines"].identity == ("source", "order_id", "line_id")
    assert {"lake_writer", "warehouse"} <= loaded.parties()
    assert loaded.contract_of(loaded.streams["rejected"]).title == "rejected/1"
    history = loaded.tables["order_history"]
    assert history.range is not None
    assert (history.hash.name, history.range.name, history.indexes[0].name) == (
        "order_id",
        "part",
        "by_customer",
    )
    assert "operator" in loaded.parties()
    with pytest.raises(KeyError, match="order/9"):
        catalog.contract("order", 9)


def test_a_lake_table_lies_in_a_namespace(copied: Path) -> None:
    (copied / "lake/sales.order_lines.toml").rename(copied / "lake/order_lines.toml")

    with pytest.raises(ProfileError, match=r"lake/order_lines\.toml: .*<namespace>\.<table>"):
        catalog.load(copied)


def test_a_lake_table_may_be_partitioned_by_a_column_as_it_is(copied: Path) -> None:
    path = copied / "lake/sales.order_lines.toml"
    path.write_text(path.read_text("utf-8").replace("months(ordered_at)", "country"), "utf-8")

    assert catalog.load(copied).lake_tables["sales.order_lines"].partition == "country"


def test_a_warehouse_table_holds_no_lists(copied: Path) -> None:
    path = copied / "warehouse/dim_country.toml"
    text = path.read_text("utf-8").replace('"dim_country"\nversion', '"rejected"\nversion')
    path.write_text(text.replace("country_key", "rejected_id"), "utf-8")

    with pytest.raises(ProfileError, match="details several"):
        catalog.load(copied)
