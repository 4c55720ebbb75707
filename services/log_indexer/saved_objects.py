"""Saved objects as OpenSearch Dashboards imports them: NDJSON, one object a line, ids that never change.

Source: the export format of OpenSearch Dashboards 2.x (Stack Management, Saved objects), which is that of Kibana 7.10.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_INDEX_REFERENCE = "kibanaSavedObjectMeta.searchSourceJSON.index"
# The version of each type's format; an importing Dashboards brings older ones up to its own.
_FORMATS = {
    "index-pattern": "7.6.0",
    "search": "7.9.3",
    "visualization": "7.10.0",
    "dashboard": "7.9.3",
}
# What a document has beside its own fields.
_METADATA_FIELDS = ("_id", "_index", "_score", "_source", "_type")
_TYPES = {
    "keyword": "string",
    "match_only_text": "string",
    "integer": "number",
    "long": "number",
    "double": "number",
}


@dataclass(frozen=True)
class Search:
    """A saved search.

    Args:
        name: its id within the family.
        query: in Lucene's query syntax.
        columns: fields that its table shows.
    """

    name: str
    title: str
    query: str
    columns: Sequence[str]


@dataclass(frozen=True)
class Visualisation:
    """A saved visualisation.

    Args:
        kind: its type in Dashboards: `histogram`, `line`, `area`, `pie`, `table`, `metric`.
        aggregations: in Dashboards' own form: type, schema (`metric`, `segment`, `group`, `bucket`), params.
        params: what its kind draws by.
        query: in Lucene's query syntax, empty for everything.
    """

    name: str
    title: str
    kind: str
    aggregations: Sequence[Mapping[str, Any]]
    params: Mapping[str, Any] = field(default_factory=dict)
    query: str = ""


@dataclass(frozen=True)
class Panel:
    """A visualisation's or a search's place on the dashboard, in a grid of 48 columns."""

    shown: Visualisation | Search
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Dashboard:
    """A dashboard over the last so much time, such as `now-24h`."""

    name: str
    title: str
    description: str
    panels: Sequence[Panel]
    time_from: str


def ndjson(
    family: str,
    mappings: Mapping[str, Any],
    searches: Sequence[Search],
    visualisations: Sequence[Visualisation],
    dashboard: Dashboard,
) -> str:
    """Write all objects, each one after those that it refers to.

    Args:
        family: physical name of the index family; every id begins with it.
        mappings: of the index template, of which the pattern's fields are made.
    """
    objects = [
        _index_pattern(family, mappings),
        *(_search(family, search) for search in searches),
        *(_visualisation(family, visualisation) for visualisation in visualisations),
        _dashboard(family, dashboard),
    ]
    return "".join(json.dumps(one, separators=(",", ":"), ensure_ascii=False) + "\n" for one in objects)


def fields(mappings: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """Every field of a mapping with its type and, of a second form of a field, the field it is a form of."""
    yield from _fields(mappings["properties"], "")


def _fields(properties: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, str | None]]:
    for name, mapping in properties.items():
        if "properties" in mapping:
            yield from _fields(mapping["properties"], f"{prefix}{name}.")
            continue
        yield f"{prefix}{name}", mapping["type"], None
        for form, second in mapping.get("fields", {}).items():
            yield f"{prefix}{name}.{form}", second["type"], f"{prefix}{name}"


def _object(
    kind: str, object_id: str, attributes: Mapping[str, Any], references: Sequence[Any]
) -> dict[str, Any]:
    return {
        "id": object_id,
        "type": kind,
        "attributes": attributes,
        "references": references,
        "migrationVersion": {kind: _FORMATS[kind]},
    }


def _index_pattern(family: str, mappings: Mapping[str, Any]) -> dict[str, Any]:
    listed = [_pattern_field(name, kind, parent) for name, kind, parent in fields(mappings)]
    listed += [_metadata_field(name) for name in _METADATA_FIELDS]
    attributes = {
        "title": f"{family}-*",
        "timeFieldName": "@timestamp",
        "fields": _text(sorted(listed, key=lambda one: str(one["name"]))),
    }
    return _object("index-pattern", family, attributes, [])


def _pattern_field(name: str, kind: str, parent: str | None) -> dict[str, Any]:
    aggregatable = kind != "match_only_text"
    described = {
        "name": name,
        "type": _TYPES.get(kind, kind),
        "esTypes": [kind],
        "count": 0,
        "scripted": False,
        "searchable": True,
        "aggregatable": aggregatable,
        "readFromDocValues": aggregatable and parent is None,
    }
    return described if parent is None else {**described, "subType": {"multi": {"parent": parent}}}


def _metadata_field(name: str) -> dict[str, Any]:
    kind = {"_score": "number", "_source": "_source"}.get(name, "string")
    found_by = name in ("_id", "_index", "_type")
    return {
        "name": name,
        "type": kind,
        "esTypes": [name] if found_by or name == "_source" else [],
        "count": 0,
        "scripted": False,
        "searchable": found_by,
        "aggregatable": found_by,
        "readFromDocValues": False,
    }


def _source(query: str, indexed: bool = True) -> dict[str, str]:
    source: dict[str, Any] = {"query": {"query": query, "language": "lucene"}, "filter": []}
    if indexed:
        source["indexRefName"] = _INDEX_REFERENCE
    return {"searchSourceJSON": _text(source)}


def _pattern_reference(family: str) -> dict[str, str]:
    return {"name": _INDEX_REFERENCE, "type": "index-pattern", "id": family}


def _search(family: str, search: Search) -> dict[str, Any]:
    attributes = {
        "title": search.title,
        "description": "",
        "hits": 0,
        "columns": list(search.columns),
        "sort": [["@timestamp", "desc"]],
        "version": 1,
        "kibanaSavedObjectMeta": _source(search.query),
    }
    return _object("search", f"{family}-{search.name}", attributes, [_pattern_reference(family)])


def _visualisation(family: str, visualisation: Visualisation) -> dict[str, Any]:
    aggregations = [
        {"id": str(number), "enabled": True, **aggregation}
        for number, aggregation in enumerate(visualisation.aggregations, 1)
    ]
    state = {
        "title": visualisation.title,
        "type": visualisation.kind,
        "aggs": aggregations,
        "params": {"type": visualisation.kind, **visualisation.params},
    }
    attributes = {
        "title": visualisation.title,
        "description": "",
        "visState": _text(state),
        "uiStateJSON": "{}",
        "version": 1,
        "kibanaSavedObjectMeta": _source(visualisation.query),
    }
    return _object(
        "visualization", f"{family}-{visualisation.name}", attributes, [_pattern_reference(family)]
    )


def _dashboard(family: str, dashboard: Dashboard) -> dict[str, Any]:
    panels, references = [], []
    for number, panel in enumerate(dashboard.panels):
        place = {"x": panel.x, "y": panel.y, "w": panel.width, "h": panel.height, "i": str(number)}
        name = f"panel_{number}"
        panels.append(
            {"panelIndex": str(number), "gridData": place, "embeddableConfig": {}, "panelRefName": name}
        )
        kind = "search" if isinstance(panel.shown, Search) else "visualization"
        references.append({"name": name, "type": kind, "id": f"{family}-{panel.shown.name}"})
    attributes = {
        "title": dashboard.title,
        "description": dashboard.description,
        "hits": 0,
        "panelsJSON": _text(panels),
        "optionsJSON": _text({"useMargins": True, "hidePanelTitles": False}),
        "version": 1,
        "timeRestore": True,
        "timeFrom": dashboard.time_from,
        "timeTo": "now",
        "refreshInterval": {"pause": False, "value": 30_000},
        "kibanaSavedObjectMeta": _source("", indexed=False),
    }
    return _object("dashboard", f"{family}-{dashboard.name}", attributes, references)


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
