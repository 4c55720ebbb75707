"""What the dashboard of the access logs shows: searches and visualisations by the names of the contract's fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.log_indexer.saved_objects import Dashboard, Panel, Search, Visualisation

_STATUS = "http.response.status_code"
_BYTES = "http.response.body.bytes"
_REQUEST = ("source.address", "http.request.method", "url.original", _STATUS, _BYTES)
_TOP = 20

SEARCHES = (
    Search("errors", "Server errors", f"{_STATUS}:>=500", _REQUEST),
    Search("refused", "Client errors", f"{_STATUS}:[400 TO 499]", _REQUEST),
    Search("not-found", "Not found", f"{_STATUS}:404", (*_REQUEST, "http.request.referrer")),
    Search("bots", "Bots", "user_agent.bot:true", (*_REQUEST, "user_agent.name")),
    Search("slow", "Slower than a second", "event.duration:>=1000000000", ("event.duration", *_REQUEST)),
    Search("large", "Larger than 1 MiB", f"{_BYTES}:>=1048576", _REQUEST),
    Search("unread", "Lines not read in full", "_exists_:error.type", ("error.type", "event.original")),
)


def _count() -> Mapping[str, Any]:
    return {"type": "count", "schema": "metric", "params": {}}


def _sum(field: str, label: str) -> Mapping[str, Any]:
    return {"type": "sum", "schema": "metric", "params": {"field": field, "customLabel": label}}


def _distinct(field: str, label: str) -> Mapping[str, Any]:
    return {"type": "cardinality", "schema": "metric", "params": {"field": field, "customLabel": label}}


def _over_time() -> Mapping[str, Any]:
    params = {
        "field": "@timestamp",
        "interval": "auto",
        "useNormalizedOpenSearchInterval": True,
        "drop_partials": False,
        "min_doc_count": 1,
        "extended_bounds": {},
    }
    return {"type": "date_histogram", "schema": "segment", "params": params}


def _top(field: str, label: str, schema: str = "bucket", size: int = _TOP) -> Mapping[str, Any]:
    params = {
        "field": field,
        "orderBy": "1",
        "order": "desc",
        "size": size,
        "otherBucket": False,
        "missingBucket": False,
        "customLabel": label,
    }
    return {"type": "terms", "schema": schema, "params": params}


def _by_status_class() -> Mapping[str, Any]:
    ranges = [{"from": first, "to": first + 100} for first in range(100, 600, 100)]
    return {"type": "range", "schema": "group", "params": {"field": _STATUS, "ranges": ranges}}


def _axes(kind: str, label: str, mode: str = "normal") -> Mapping[str, Any]:
    """How a chart over time is drawn: one axis each way, one series of its kind."""
    return {
        "grid": {"categoryLines": False},
        "categoryAxes": [
            {
                "id": "CategoryAxis-1",
                "type": "category",
                "position": "bottom",
                "show": True,
                "scale": {"type": "linear"},
                "labels": {"show": True, "filter": True, "truncate": 100},
                "title": {},
            }
        ],
        "valueAxes": [
            {
                "id": "ValueAxis-1",
                "name": "LeftAxis-1",
                "type": "value",
                "position": "left",
                "show": True,
                "scale": {"type": "linear", "mode": "normal"},
                "labels": {"show": True, "rotate": 0, "filter": False, "truncate": 100},
                "title": {"text": label},
            }
        ],
        "seriesParams": [
            {
                "show": True,
                "type": kind,
                "mode": mode,
                "data": {"label": label, "id": "1"},
                "valueAxis": "ValueAxis-1",
                "drawLinesBetweenPoints": True,
                "lineWidth": 2,
                "showCircles": True,
            }
        ],
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
    }


def _rows() -> Mapping[str, Any]:
    return {
        "perPage": 10,
        "showPartialRows": False,
        "showMetricsAtAllLevels": False,
        "sort": {"columnIndex": None, "direction": None},
        "showTotal": False,
        "totalFunc": "sum",
    }


def _donut() -> Mapping[str, Any]:
    labels = {"show": True, "values": True, "last_level": True, "truncate": 100}
    return {
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "isDonut": True,
        "labels": labels,
    }


REQUESTS = Visualisation(
    "requests",
    "Requests over time by status class",
    "histogram",
    (_count(), _over_time(), _by_status_class()),
    _axes("histogram", "Requests", "stacked"),
)
STATUS = Visualisation(
    "status", "Status codes", "pie", (_count(), _top(_STATUS, "Status", "segment")), _donut()
)
TRAFFIC = Visualisation(
    "bytes", "Bytes sent over time", "area", (_sum(_BYTES, "Bytes"), _over_time()), _axes("area", "Bytes")
)
VISITORS = Visualisation(
    "visitors",
    "Unique visitors over time",
    "line",
    (_distinct("source.address", "Visitors"), _over_time()),
    _axes("line", "Visitors"),
)
PATHS = Visualisation(
    "paths",
    "Top paths",
    "table",
    (_count(), _sum(_BYTES, "Bytes"), _distinct("source.address", "Visitors"), _top("url.path", "Path")),
    _rows(),
)
NOT_FOUND = Visualisation(
    "not-found-paths",
    "Top paths not found",
    "table",
    (_count(), _top("url.path", "Path")),
    _rows(),
    f"{_STATUS}:404",
)
AGENTS = Visualisation(
    "agents", "Top user agents", "table", (_count(), _top("user_agent.name", "User agent")), _rows()
)
COUNTRIES = Visualisation(
    "countries",
    "Countries",
    "table",
    (_count(), _distinct("source.address", "Visitors"), _top("source.geo.country_iso_code", "Country")),
    _rows(),
)
REFERRERS = Visualisation(
    "referrers", "Top referrers", "table", (_count(), _top("http.request.referrer", "Referrer")), _rows()
)
UNREAD = Visualisation(
    "unread-lines",
    "Lines not read in full, by reason",
    "table",
    (_count(), _top("error.type", "Reason")),
    _rows(),
    "_exists_:error.type",
)
VISUALISATIONS: Sequence[Visualisation] = (
    REQUESTS,
    STATUS,
    TRAFFIC,
    VISITORS,
    PATHS,
    NOT_FOUND,
    AGENTS,
    COUNTRIES,
    REFERRERS,
    UNREAD,
)
DASHBOARD = Dashboard(
    "overview",
    "Web server logs",
    "What the web servers were asked for, by whom, and how it went.",
    (
        Panel(REQUESTS, 0, 0, 32, 15),
        Panel(STATUS, 32, 0, 16, 15),
        Panel(TRAFFIC, 0, 15, 24, 12),
        Panel(VISITORS, 24, 15, 24, 12),
        Panel(PATHS, 0, 27, 24, 15),
        Panel(NOT_FOUND, 24, 27, 24, 15),
        Panel(AGENTS, 0, 42, 16, 15),
        Panel(COUNTRIES, 16, 42, 16, 15),
        Panel(REFERRERS, 32, 42, 16, 15),
        Panel(UNREAD, 0, 57, 16, 12),
        Panel(SEARCHES[0], 16, 57, 32, 12),
    ),
    "now-24h",
)
