"""The saved objects hold together: ids, references, fields of the contract."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from services.log_indexer import saved_objects
from services.log_indexer.preparation import template
from tests.unit.log_indexer.dashboards import exported, remembered, text, visualisations

MAPPINGS = template()["template"]["mappings"]
FIELDS = {name: kind for name, kind, _ in saved_objects.fields(MAPPINGS)}


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    return exported()


def test_the_same_command_prints_the_same_bytes() -> None:
    assert text("shop") == remembered("shop")


def test_ids_differ_and_begin_with_the_family(objects: list[dict[str, Any]]) -> None:
    ids = [(saved["type"], saved["id"]) for saved in objects]
    assert len(set(ids)) == len(ids)
    assert all(object_id.startswith("shop-access-logs") for _, object_id in ids)


def test_another_namespaces_objects_live_beside_them(objects: list[dict[str, Any]]) -> None:
    assert not {saved["id"] for saved in objects} & {saved["id"] for saved in exported("other")}


def test_every_reference_leads_to_an_object_that_came_before(objects: list[dict[str, Any]]) -> None:
    known: set[tuple[str, str]] = set()
    for saved in objects:
        assert {(one["type"], one["id"]) for one in saved["references"]} <= known
        known.add((saved["type"], saved["id"]))


def test_every_name_that_an_object_refers_by_is_one_of_its_references(objects: list[dict[str, Any]]) -> None:
    for saved in objects:
        names = {one["name"] for one in saved["references"]}
        used = set(
            re.findall(
                r'\\?"(?:panelRefName|indexRefName)\\?":\\?"([^"\\]+)', json.dumps(saved["attributes"])
            )
        )
        assert used == names


def test_the_pattern_has_the_contracts_fields_with_their_types(objects: list[dict[str, Any]]) -> None:
    pattern = objects[0]
    assert pattern["attributes"]["title"] == "shop-access-logs-*"
    assert pattern["attributes"]["timeFieldName"] == "@timestamp"
    listed = {one["name"]: one for one in json.loads(pattern["attributes"]["fields"])}
    assert {name: one["esTypes"][0] for name, one in listed.items() if not name.startswith("_")} == FIELDS
    kinds = {
        name: listed[name]["type"] for name in ("@timestamp", "source.ip", "log.offset", "user_agent.bot")
    }
    assert list(kinds.values()) == ["date", "ip", "number", "boolean"]
    assert listed["url.path"]["aggregatable"]
    assert not listed["url.path.words"]["aggregatable"]
    assert listed["url.path.words"]["subType"] == {"multi": {"parent": "url.path"}}


def test_every_field_that_is_drawn_shown_or_searched_by_is_in_the_template(
    objects: list[dict[str, Any]],
) -> None:
    for saved in objects:
        unknown = set(_fields_of(saved)) - FIELDS.keys()
        assert not unknown, f"{saved['id']}: {unknown}"


def _fields_of(saved: dict[str, Any]) -> Iterator[str]:
    attributes = saved["attributes"]
    yield from attributes.get("columns", ())
    source = json.loads(attributes.get("kibanaSavedObjectMeta", {}).get("searchSourceJSON", "{}"))
    query = source.get("query", {}).get("query", "")
    yield from re.findall(r"([a-z_.@]+):", query.replace("_exists_:", "")) or re.findall(
        r"_exists_:(\S+)", query
    )
    for aggregation in json.loads(attributes.get("visState", "{}")).get("aggs", ()):
        if "field" in aggregation["params"]:
            yield aggregation["params"]["field"]


def test_what_is_grouped_by_can_be(objects: list[dict[str, Any]]) -> None:
    for _, state in visualisations(objects):
        for aggregation in state["aggs"]:
            field = aggregation["params"].get("field")
            assert field is None or FIELDS[field] != "match_only_text"


def test_aggregations_order_by_a_metric_that_is_there(objects: list[dict[str, Any]]) -> None:
    for _, state in visualisations(objects):
        metrics = {one["id"] for one in state["aggs"] if one["schema"] == "metric"}
        assert metrics
        assert all(one["params"].get("orderBy", "1") in metrics for one in state["aggs"])


def test_the_dashboards_panels_do_not_overlap_and_stay_in_its_columns(objects: list[dict[str, Any]]) -> None:
    [dashboard] = [saved for saved in objects if saved["type"] == "dashboard"]
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(dashboard["attributes"]["panelsJSON"]):
        place = panel["gridData"]
        assert place["x"] + place["w"] <= 48
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
