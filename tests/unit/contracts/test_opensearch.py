"""The index template that OpenSearch is given."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from contracts import catalog
from contracts.model import Array, Contract, Field, String, Struct
from contracts.profile import ProfileError
from contracts.render import opensearch
from contracts.render.docs import fields


def template() -> dict[str, Any]:
    rendered = json.loads(opensearch.render(catalog.load())["opensearch/access-logs.json"])
    return dict(rendered["template"])


def mapped(path: str) -> Any:
    found: Any = template()["mappings"]
    for name in path.split("."):
        found = found["properties"][name]
    return found


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("@timestamp", {"type": "date", "format": "strict_date_time"}),
        ("index_day", {"type": "date", "format": "strict_date"}),
        ("source.ip", {"type": "ip"}),
        ("http.response.status_code", {"type": "integer"}),
        ("http.response.body.bytes", {"type": "long"}),
        ("user_agent.bot", {"type": "boolean"}),
        ("event.original", {"type": "match_only_text"}),
        ("block", {"type": "keyword", "index": False, "doc_values": False}),
        ("url.path", {"type": "keyword", "fields": {"words": {"type": "match_only_text"}}}),
        ("extra.value", {"type": "keyword"}),
    ],
)
def test_a_field_is_mapped_by_its_type_and_use(path: str, type_: dict[str, Any]) -> None:
    assert mapped(path) == type_


def test_every_field_of_the_contract_is_mapped_and_nothing_else_is_taken() -> None:
    for path, field in fields(catalog.contract("access_log_entry", 1).struct):
        holds_fields = isinstance(field.type, Struct | Array)
        assert ("properties" in mapped(path.replace("[]", ""))) == holds_fields
    assert template()["mappings"]["dynamic"] == "strict"


def test_a_day_has_the_settings_of_its_family() -> None:
    assert template()["settings"] == {
        "index.number_of_shards": 1,
        "index.auto_expand_replicas": "0-1",
        "index.refresh_interval": "1s",
    }


def test_a_term_that_lucene_could_not_hold_is_refused() -> None:
    whole = catalog.load()
    long = Field("text", String(0, 8192), False, True, "A text.")
    day = next(one for one in whole.contracts["access_log_entry", 1].struct.fields if one.name == "index_day")
    contract = Contract("access_log_entry", 1, "", Struct((day, long)), {})

    with pytest.raises(ProfileError, match="text: a term has at most 8191 characters"):
        opensearch.render(dataclasses.replace(whole, contracts={("access_log_entry", 1): contract}))
