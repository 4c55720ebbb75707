"""From query strings to OpenSearch's language: allow-listed fields, values of their kinds, nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import catalog
from contracts.render import opensearch
from services.console.logs.fields import ANYWHERE, ANYWHERE_WHOLE, FIELDS, Kind
from services.console.logs.filters import filter_of
from services.console.logs.tokens import QuerySyntaxError

TRANSLATED: list[tuple[str, dict[str, Any]]] = [
    ("", {"match_all": {}}),
    ("status:404", {"term": {"http.response.status_code": 404}}),
    ("http.response.status_code:404", {"term": {"http.response.status_code": 404}}),
    ("status:5xx", {"range": {"http.response.status_code": {"gte": 500, "lt": 600}}}),
    ("status:[400 TO 500}", {"range": {"http.response.status_code": {"gte": 400, "lt": 500}}}),
    ("status:[* TO *]", {"exists": {"field": "http.response.status_code"}}),
    ("size:>1000", {"range": {"http.response.body.bytes": {"gt": 1000}}}),
    ("path:/a/b", {"term": {"url.path": "/a/b"}}),
    ('path:"/a*"', {"term": {"url.path": "/a*"}}),
    ("path:/im*", {"prefix": {"url.path": {"value": "/im"}}}),
    (r"path:/a\?b*.png", {"wildcard": {"url.path": {"value": r"/a\?b*.png"}}}),
    ("referrer:*", {"exists": {"field": "http.request.referrer"}}),
    ("user_agent.original.words:*", {"exists": {"field": "user_agent.original"}}),
    (
        "user_agent.original.words:Chrome",
        {"match": {"user_agent.original.words": {"query": "Chrome", "operator": "and"}}},
    ),
    ("user_agent.original.words:Chro*", {"prefix": {"user_agent.original.words": {"value": "chro"}}}),
    ('event.original:"a b"', {"match_phrase": {"event.original": "a b"}}),
    ("ip:10.0.0.0/8", {"term": {"source.ip": "10.0.0.0/8"}}),
    ("ip:[10.0.0.1 TO 10.0.0.9]", {"range": {"source.ip": {"gte": "10.0.0.1", "lte": "10.0.0.9"}}}),
    ("bot:TRUE", {"term": {"user_agent.bot": True}}),
    (
        "time:[2026-01-02T00:00:00Z TO *]",
        {"range": {"@timestamp": {"gte": 1767312000000, "format": "epoch_millis"}}},
    ),
    ("NOT bot:true", {"bool": {"must_not": [{"term": {"user_agent.bot": True}}]}}),
    (
        "status:404 bot:false",
        {
            "bool": {
                "filter": [{"term": {"http.response.status_code": 404}}, {"term": {"user_agent.bot": False}}]
            }
        },
    ),
    (
        "host:(a OR b)",
        {
            "bool": {
                "should": [{"term": {"host.name": "a"}}, {"term": {"host.name": "b"}}],
                "minimum_should_match": 1,
            }
        },
    ),
]


@pytest.mark.parametrize(("text", "translated"), TRANSLATED, ids=[text for text, _ in TRANSLATED])
def test_a_query_string_becomes_this(text: str, translated: dict[str, Any]) -> None:
    assert filter_of(text) == translated


def test_a_word_without_a_field_is_looked_for_where_people_expect_it() -> None:
    found = filter_of("googlebot")["bool"]["should"]
    fields = [name for clause in found for inner in clause.values() for name in inner]
    assert fields == [*ANYWHERE, *ANYWHERE_WHOLE]


HOSTILE = [
    ("*:*", 1),
    ("*", 1),
    ("?x", 1),
    ("path:*.php", 6),
    ("path:/*/x", 6),
    ("path:/a*b*c*d*e*f", 6),
    ("_id:1", 1),
    ("_source:x", 1),
    ("_script:x", 1),
    ("script.source:x", 1),
    ("block:1", 1),
    ("http://x", 1),
    ("status:[a TO b]", 9),
    ("status:99999999999999999999", 8),
    ("status:1000", 8),
    ("status:-1", 8),
    ("size:9223372036854775808", 6),
    ("size:1e3", 6),
    ("status:4*", 8),
    ("bot:maybe", 5),
    ("ip:999.1.1.1", 4),
    ("ip:10.*", 4),
    ("path:[a TO b]", 7),
    ("[a TO b]", 1),
    ("time:2026", 6),
    ("time:[x TO *]", 7),
    ("user_agent.original.words:a*b", 27),
    ("user_agent.original.words:go*le", 27),
]


@pytest.mark.parametrize(("text", "at"), HOSTILE)
def test_what_costs_or_reaches_too_much_is_refused_with_its_place(text: str, at: int) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        filter_of(text)
    assert str(caught.value).startswith(f"at character {at}: "), str(caught.value)


PATHS = {field.path for field in FIELDS.values()} | {
    field.path.removesuffix(".words") for field in FIELDS.values()
}
LEAVES = {"term", "prefix", "wildcard", "match", "match_phrase", "range", "exists", "match_all"}
WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
QUERIES = st.lists(
    st.tuples(st.sampled_from([*FIELDS, "_id", "x"]), WORDS).map(":".join)
    | WORDS
    | st.sampled_from(["OR", "NOT", "("]),
    max_size=12,
).map(" ".join)


@given(QUERIES)
def test_whatever_is_typed_names_no_field_and_no_kind_of_query_that_is_not_allowed(text: str) -> None:
    try:
        found = filter_of(text)
    except QuerySyntaxError:
        return
    _check(found)
    json.dumps(found).encode()


def _check(found: dict[str, Any]) -> None:
    ((kind, inner),) = found.items()
    if kind != "bool":
        assert kind in LEAVES
        named = {inner["field"]} if kind == "exists" else set(inner)
        assert named <= PATHS
        return
    for occurs, clauses in inner.items():
        assert occurs in {"filter", "should", "must_not", "minimum_should_match"}
        for clause in clauses if isinstance(clauses, list) else ():
            _check(clause)


def test_every_field_is_one_of_the_index_and_of_its_kind() -> None:
    template = json.loads(opensearch.render(catalog.load())["opensearch/access-logs.json"])
    properties = template["template"]["mappings"]["properties"]
    kinds = {
        Kind.TERM: {"keyword"},
        Kind.WORDS: {"match_only_text"},
        Kind.NUMBER: {"integer", "long"},
        Kind.ADDRESS: {"ip"},
        Kind.FLAG: {"boolean"},
        Kind.TIME: {"date"},
    }
    for field in FIELDS.values():
        node: dict[str, Any] = {"properties": properties}
        for step in field.path.split("."):
            node = node.get("properties", node.get("fields", {}))[step]
        assert node["type"] in kinds[field.kind], field.path
        assert node.get("index", True)
