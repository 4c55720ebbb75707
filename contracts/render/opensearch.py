"""Families of indices for OpenSearch: the body of each one's index template, as JSON, without its pattern of names.

Whoever puts it adds `index_patterns`, which hold the namespace. The mapping is strict: what the contract does not name
is refused, not guessed, so a template is released before the writers that need it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contracts.catalog import Catalog
from contracts.model import (
    Array,
    Boolean,
    Date,
    Decimal,
    Double,
    Field,
    Int32,
    Int64,
    SearchIndex,
    String,
    Struct,
    Timestamp,
    Type,
)
from contracts.profile import ProfileError

FOLDER = "opensearch"
MAX_TERM_CHARACTERS = 8191
"""Source: Lucene's IndexWriter.MAX_TERM_LENGTH, 32,766 bytes, of which a character in UTF-8 takes up to four."""
_WORDS = {"type": "match_only_text"}
_UNSEARCHED = {"type": "keyword", "index": False, "doc_values": False}
_SCALARS: Mapping[type[Type], Mapping[str, str]] = {
    String: {"type": "keyword"},
    Int32: {"type": "integer"},
    Int64: {"type": "long"},
    Double: {"type": "double"},
    Boolean: {"type": "boolean"},
    Date: {"type": "date", "format": "strict_date"},
    Timestamp: {"type": "date", "format": "strict_date_time"},
    Decimal: {"type": "keyword"},
}


def render(catalog: Catalog) -> Mapping[str, str]:
    """Write one file a family: its path below `generated/`, and its text.

    Raises:
        ProfileError: a text that is to be one term may be longer than a term.
    """
    return {f"{FOLDER}/{index.name}.json": _text(index, catalog) for index in catalog.indices.values()}


def _text(index: SearchIndex, catalog: Catalog) -> str:
    contract = catalog.contract_of(index)
    document = {
        "template": {
            "settings": {
                "index.number_of_shards": index.shards,
                "index.auto_expand_replicas": "0-1",
                "index.refresh_interval": f"{index.refresh_interval_s}s",
            },
            "mappings": {
                "_meta": {"contract": contract.title},
                "dynamic": "strict",
                "date_detection": False,
                "properties": _properties(contract.struct, f"indices/{index.name}.toml: "),
            },
        },
        "_meta": {"contract": contract.title, "generated_from": f"contracts/indices/{index.name}.toml"},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _properties(struct: Struct, place: str) -> dict[str, Any]:
    return {field.name: _field(field, f"{place}{field.name}") for field in struct.fields}


def _field(field: Field, place: str) -> Mapping[str, Any]:
    inner = field.type
    while isinstance(inner, Array):  # a field of OpenSearch holds one value or several
        inner = inner.items
    if isinstance(inner, Struct):
        return {"properties": _properties(inner, f"{place}.")}
    match field.search:
        case "words":
            return _WORDS
        case "address":
            return {"type": "ip"}
        case "none":
            return _UNSEARCHED
    if isinstance(inner, String) and (inner.max_length or 0) > MAX_TERM_CHARACTERS:
        raise ProfileError(f"{place}: a term has at most {MAX_TERM_CHARACTERS} characters")
    scalar = _SCALARS[type(inner)]
    return {**scalar, "fields": {"words": _WORDS}} if field.search == "both" else scalar
