"""Saved objects as OpenSearch Dashboards would use them: every query and aggregation runs on the real OpenSearch."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from services.kernel.adapters.opensearch import NewDocument
from services.log_indexer.preparation import prepare
from services.log_indexer.settings import IndexSettings
from tests.component.log_path import LogPath, an_entry, log_path, today
from tests.engines import Engines
from tests.unit.log_indexer.dashboards import exported, visualisations

EXTRA: dict[str, Any] = {
    "event": {"created": f"{today()}T10:00:00.000Z", "duration": 2_000_000_000, "original": "cut"},
    "error": {"type": "cut_off"},
    "user_agent": {"name": "Googlebot", "bot": True},
    "source": {"address": "192.0.2.1", "geo": {"country_iso_code": "ES"}},
}


@pytest.fixture
async def path(engines: Engines, opensearch_endpoint: str, namespace: str) -> AsyncIterator[LogPath]:
    async with log_path(engines, opensearch_endpoint, namespace) as made:
        await prepare(made.opensearch, IndexSettings().index_days(f"{namespace}-access-logs"), today())
        await made.opensearch.create_index(made.index(today()))
        entries = [
            an_entry(
                number,
                **(EXTRA if number == 0 else {}),
                http={
                    "request": {"method": "GET", "referrer": "http://x/"},
                    "response": {"status_code": status, "body": {"bytes": 2_000_000}},
                },
            )
            for number, status in enumerate((200, 304, 404, 404, 500))
        ]
        documents = [
            NewDocument(made.index(today()), str(number), json.dumps(entry).encode())
            for number, entry in enumerate(entries)
        ]
        await made.opensearch.bulk_create(documents)
        await made.opensearch.refresh(made.pattern)
        yield made


def request(aggregations: list[dict[str, Any]], query: str) -> dict[str, Any]:
    """The search that Dashboards makes of a visualisation: buckets one in another, metrics in the innermost."""
    metrics = {one["id"]: one for one in aggregations if one["schema"] == "metric"}
    buckets = [one for one in aggregations if one["schema"] != "metric"]
    innermost = {
        number: {one["type"]: {"field": one["params"]["field"]}}
        for number, one in metrics.items()
        if one["type"] != "count"
    }
    nested: dict[str, Any] = innermost
    for bucket in reversed(buckets):
        params = bucket["params"]
        body: dict[str, Any] = {"field": params["field"]}
        if bucket["type"] == "date_histogram":
            body |= {"fixed_interval": "3h", "time_zone": "UTC", "min_doc_count": params["min_doc_count"]}
        elif bucket["type"] == "range":
            body |= {"ranges": params["ranges"], "keyed": True}
        else:
            by = params["orderBy"]
            order = "_count" if metrics[by]["type"] == "count" else by
            body |= {"size": params["size"], "order": {order: params["order"]}}
        nested = {bucket["id"]: {bucket["type"]: body, "aggs": nested}}
    wanted = {"query_string": {"query": query, "analyze_wildcard": True}} if query else {"match_all": {}}
    return {"size": 0, "query": wanted, "aggs": nested}


async def test_every_visualisation_draws_something(path: LogPath) -> None:
    drawn = {}
    for shown, state in visualisations(exported(path.namespace)):
        found = await path.opensearch.search(
            path.pattern, request(state["aggs"], _query(shown)), timeout_s=10
        )
        assert found["hits"]["total"]["value"] > 0, state["title"]
        drawn[state["title"]] = found["aggregations"]
        [bucket_id] = found["aggregations"]
        assert found["aggregations"][bucket_id]["buckets"], state["title"]
    [over_time] = drawn["Requests over time by status class"].values()
    classes = over_time["buckets"][0]["3"]["buckets"]
    assert {key: found["doc_count"] for key, found in classes.items() if found["doc_count"]} == {
        "200.0-300.0": 1,
        "300.0-400.0": 1,
        "400.0-500.0": 2,
        "500.0-600.0": 1,
    }
    [not_found] = drawn["Top paths not found"].values()
    assert sorted(bucket["key"] for bucket in not_found["buckets"]) == ["/2", "/3"]


async def test_every_saved_search_finds_what_it_is_named_after(path: LogPath) -> None:
    counts = {}
    for saved in exported(path.namespace):
        if saved["type"] == "search":
            query = {"query": {"query_string": {"query": _query(saved)}}}
            counts[saved["attributes"]["title"]] = await path.opensearch.count(path.pattern, query)
    assert counts == {
        "Server errors": 1,
        "Client errors": 2,
        "Not found": 2,
        "Bots": 1,
        "Slower than a second": 1,
        "Larger than 1 MiB": 5,
        "Lines not read in full": 1,
    }


def _query(saved: Mapping[str, Any]) -> str:
    source = json.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    return str(source["query"]["query"])
