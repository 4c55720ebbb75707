"""The API's description, OpenAPI 3.1, made from the contract of the record that an order becomes.

Source: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contracts import catalog
from services.order_ingest.body import MAX_BODY_BYTES

_JSON = "application/json"
_NDJSON = "application/x-ndjson"
_ERROR = {"$ref": "#/components/schemas/Error"}
_DECIMAL = r"^-?[0-9]{1,14}(\.[0-9]{1,4})?$"
_TRACEPARENT = {
    "traceparent": {
        "description": "The request's W3C trace, or the one that was started for it.",
        "schema": {"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
    }
}
_RETRY_AFTER = {
    "Retry-After": {"description": "Whole seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
}


def _field(schema: dict[str, Any]) -> dict[str, Any]:
    """One field of the contract in the words of plain JSON Schema."""
    kept = {
        key: value for key, value in schema.items() if key not in ("unit", "format", "precision", "scale")
    }
    match schema.get("format"):
        case "timestamp":
            return kept | {
                "format": "date-time",
                "description": f"{kept['description']} Any offset; from 1970 to 2099 in UTC, no leap second.",
            }
        case "decimal":
            return kept | {"pattern": _DECIMAL}
        case "int32":
            return kept | {"minimum": -(2**31), "maximum": 2**31 - 1}
        case _:
            return kept


def _order() -> dict[str, Any]:
    schema: Mapping[str, Any] = catalog.contract("order", 1).schema
    record = schema["properties"]
    lines = record["lines"]
    line_fields: dict[str, Any] = {
        name: _field(schema) for name, schema in lines["items"]["properties"].items()
    }
    line_fields["ordered_at"]["description"] += " By default the order's."
    line_fields["line_id"]["description"] += ' By default the line\'s ordinal, from "1".'
    line = {
        "type": "object",
        "additionalProperties": False,
        "required": ["stock_code", "quantity", "unit_price"],
        "properties": line_fields,
    }
    names = ("order_id", "ordered_at", "customer_id", "country", "currency", "kind")
    fields: dict[str, Any] = {name: _field(record[name]) for name in names}
    fields["kind"]["default"] = "sale"
    fields["lines"] = {
        "description": "The lines; no two have the same line_id.",
        "type": "array",
        "minItems": lines["minItems"],
        "maxItems": lines["maxItems"],
        "items": line,
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["order_id", "ordered_at", "customer_id", "country", "currency", "lines"],
        "properties": fields,
    }


def _error() -> dict[str, Any]:
    text = {"type": "string"}
    detail = {
        "type": "object",
        "required": ["pointer", "reason"],
        "properties": {"pointer": text, "reason": text},
    }
    fields = {"code": text, "message": text, "details": {"type": "array", "items": detail, "maxItems": 100}}
    inner = {"type": "object", "required": list(fields), "properties": fields}
    return {"type": "object", "required": ["error"], "properties": {"error": inner}}


def _refusal(description: str, retry: bool = False) -> dict[str, Any]:
    headers = _TRACEPARENT | (_RETRY_AFTER if retry else {})
    return {"description": description, "headers": headers, "content": {_JSON: {"schema": _ERROR}}}


_REFUSALS = {
    "401": _refusal("No valid token."),
    "403": _refusal("The token's role is not `sender`."),
    "415": _refusal("Another content type, or an encoded body."),
    "429": _refusal("More orders or bytes a second than a sender may send; nothing was taken.", retry=True),
    "503": _refusal(
        "Too much is under way, or the stream throttles or is away; not acknowledged, send again.", retry=True
    ),
}


def _single() -> dict[str, Any]:
    taken = {
        "type": "object",
        "required": ["order_id", "lines", "records"],
        "properties": {
            "order_id": {"type": "string"},
            "lines": {"type": "integer", "minimum": 1},
            "records": {"type": "integer", "minimum": 1},
        },
    }
    return {
        "operationId": "postOrder",
        "summary": "Hand in one order",
        "description": "Answers 202 once the stream has every part. Sending it again changes nothing.",
        "requestBody": {
            "required": True,
            "description": f"At most {MAX_BODY_BYTES} bytes.",
            "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Order"}}},
        },
        "responses": {
            "202": {
                "description": "The stream has the whole order.",
                "headers": _TRACEPARENT,
                "content": {_JSON: {"schema": taken}},
            },
            "400": _refusal("No JSON, or no HTTP."),
            "408": _refusal("The body came too slowly."),
            "413": _refusal("More than 1 MiB or 20,000 lines."),
            "422": _refusal("Not an order; every fault with its JSON Pointer, the first 100."),
            **_REFUSALS,
        },
    }


def _batch() -> dict[str, Any]:
    return {
        "operationId": "postOrders",
        "summary": "Hand in many orders in one stream",
        "description": "One order a line in; one answer a line out, in order of arrival, each once the stream has "
        "that order. Read the answers while you send. A line without order_id and with status 401, 408 or 503 at "
        "the end says that the batch was cut short: send again what has no answer.",
        "requestBody": {
            "required": True,
            "description": f"One Order a line, at most {MAX_BODY_BYTES} bytes each.",
            "content": {_NDJSON: {"schema": {"type": "string"}}},
        },
        "responses": {
            "200": {
                "description": "One answer line an order: `order_id`, `status`, and `error` unless it is 202.",
                "headers": _TRACEPARENT,
                "content": {_NDJSON: {"schema": {"type": "string"}}},
            },
            "400": _refusal("No HTTP."),
            **_REFUSALS,
        },
    }


def _described() -> dict[str, Any]:
    return {
        "operationId": "getDescription",
        "summary": "This document",
        "security": [],
        "responses": {
            "200": {
                "description": "The API's description.",
                "headers": _TRACEPARENT,
                "content": {_JSON: {"schema": {"type": "object"}}},
            }
        },
    }


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Cadabra order ingest",
        "version": "1.0.0",
        "description": "Takes orders and answers once the stream has them. An order's source is the token's subject.",
    },
    "security": [{"token": []}],
    "paths": {
        "/v1/orders": {"post": _single()},
        "/v1/orders:batch": {"post": _batch()},
        "/openapi.json": {"get": _described()},
    },
    "components": {
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        "schemas": {"Order": _order(), "Error": _error()},
    },
}
DOCUMENT_BYTES = json.dumps(DOCUMENT).encode()
