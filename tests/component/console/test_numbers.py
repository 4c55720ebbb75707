"""Every number of the console beside a count of our own over the same entries."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from services.console.logs.fields import FACETS, SUMMARY_FACETS
from tests.component.console.conftest import Console
from tests.log_entries import Entry, real_entries

Test = Callable[[Entry], bool]


def value(entry: Entry, path: str) -> Any:
    """What an entry has at a path with dots, None where it has nothing."""
    node: Any = entry
    for step in path.split("."):
        node = node.get(step) if isinstance(node, dict) else None
    return node


def status(entry: Entry) -> int:
    """The status, 0 where there is none."""
    return value(entry, "http.response.status_code") or 0


def size(entry: Entry) -> int:
    """The size, 0 where there is none."""
    return value(entry, "http.response.body.bytes") or 0


def agent(entry: Entry) -> str:
    """The agent, "" where there is none."""
    return value(entry, "user_agent.original") or ""


QUERIES: list[tuple[str, Test]] = [
    ("", lambda _: True),
    ("status:404", lambda one: status(one) == 404),
    ("status:4xx", lambda one: 400 <= status(one) < 500),
    ("status:[300 TO 400}", lambda one: 300 <= status(one) < 400),
    ("NOT status:[200 TO 299]", lambda one: not 200 <= status(one) < 300),
    ("size:>=1000000", lambda one: size(one) >= 1_000_000),
    ("path:/presentations/*", lambda one: (value(one, "url.path") or "").startswith("/presentations/")),
    (
        'path:"/favicon.ico" OR path:/robots.txt',
        lambda one: value(one, "url.path") in ("/favicon.ico", "/robots.txt"),
    ),
    ("path:/blog/*/ssl*.html", lambda one: _blog_ssl(value(one, "url.path") or "")),
    ("bot:true -status:200", lambda one: value(one, "user_agent.bot") is True and status(one) != 200),
    (
        "(country:DE OR country:FR) method:POST",
        lambda one: _country(one) in ("DE", "FR") and _method(one) == "POST",
    ),
    ("NOT referrer:*", lambda one: value(one, "http.request.referrer") is None),
    ("ip:66.249.64.0/19", lambda one: _in_network(value(one, "source.ip"))),
    (
        "time:[2015-05-18T00:00:00Z TO 2015-05-18T23:59:59.999Z]",
        lambda one: one["@timestamp"][:10] == "2015-05-18",
    ),
    ("error:no_match", lambda one: "error" in one),
    ("user_agent.original.words:googlebot", lambda one: "googlebot" in agent(one).lower()),
]


def _blog_ssl(path: str) -> bool:
    return path.startswith("/blog/") and "/ssl" in path[6:] and path.endswith(".html")


def _country(entry: Entry) -> Any:
    return value(entry, "source.geo.country_iso_code")


def _method(entry: Entry) -> Any:
    return value(entry, "http.request.method")


def _in_network(address: str | None) -> bool:
    if address is None:
        return False
    first, second, third, _ = map(int, address.split("."))
    return (first, second) == (66, 249) and 64 <= third < 96


def matching(test: Test) -> list[Entry]:
    """The entries of the real log that pass."""
    return [entry for entry in real_entries() if test(entry)]


@pytest.mark.parametrize(("query", "test"), QUERIES, ids=[query for query, _ in QUERIES])
async def test_a_query_finds_what_it_says(console: Console, query: str, test: Test) -> None:
    wanted = matching(test)
    assert wanted, "a query that finds nothing proves nothing"
    summary = await console.found("/v1/logs/summary", q=query)
    assert summary["total"] == len(wanted)
    assert summary["bytes"]["total"] == sum(map(size, wanted))
    assert summary["bytes"]["largest"] == max(map(size, wanted))
    classes = Counter(f"{status(entry) // 100}xx" if status(entry) else "other" for entry in wanted)
    assert {name: count for name, count in summary["classes"].items() if count} == classes


@pytest.mark.parametrize("query", ["", "status:404"])
async def test_the_histogram_has_every_entry_in_its_step_and_class(console: Console, query: str) -> None:
    wanted = matching(dict(QUERIES)[query])
    steps = (await console.found("/v1/logs/histogram", q=query, interval="1h"))["steps"]
    assert len(steps) == 4 * 24
    hours = Counter(entry["@timestamp"][:13] for entry in wanted)
    assert {step["at"][:13]: step["total"] for step in steps if step["total"]} == hours
    assert all(sum(step["classes"].values()) == step["total"] for step in steps)
    assert sum(step["classes"]["4xx"] for step in steps) == sum(400 <= status(one) < 500 for one in wanted)


@pytest.mark.parametrize("name", sorted(FACETS))
async def test_a_facet_counts_every_value(console: Console, name: str) -> None:
    path = FACETS[name].path
    counts = Counter(value(entry, path) for entry in real_entries())
    missing = counts.pop(None, 0)
    facet = await console.found(f"/v1/logs/facets/{name}", limit="1000")
    found = {one["value"]: one["count"] for one in facet["values"]}
    assert facet["error_at_most"] == 0
    assert facet["missing"] == missing
    assert sum(found.values()) + facet["others"] + missing == len(real_entries())
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert found == {one: counts[one] for one in found}
    assert sorted(found.values(), reverse=True) == [count for _, count in counts.most_common(1000)]
    sent = Counter[Any]()
    for entry in real_entries():
        sent[value(entry, path)] += size(entry)
    assert all(one["bytes"] == sent[one["value"]] for one in facet["values"])


async def test_the_summarys_facets_are_the_first_of_the_facets(console: Console) -> None:
    summary = await console.found("/v1/logs/summary", limit="5")
    assert set(summary["facets"]) == set(SUMMARY_FACETS)
    for name, facet in summary["facets"].items():
        alone = await console.found(f"/v1/logs/facets/{name}", limit="5")
        assert facet == {key: alone[key] for key in facet}


async def test_what_was_not_found_most_often(console: Console) -> None:
    wanted = Counter(value(one, "url.path") for one in real_entries() if status(one) == 404)
    found = (await console.found("/v1/logs/summary", limit="50"))["not_found"]
    assert [one["count"] for one in found] == [count for _, count in wanted.most_common(50)]
    assert all(wanted[one["value"]] == one["count"] for one in found)


async def test_percentiles_are_close_to_those_of_all_sizes(console: Console) -> None:
    sizes = sorted(size(one) for one in real_entries() if value(one, "http.response.body.bytes") is not None)
    found = (await console.found("/v1/logs/summary"))["bytes"]
    assert found["answers"] == len(sizes)
    for name, percentile in found["percentiles"].items():
        exact = sizes[math.ceil(float(name[1:]) / 100 * len(sizes)) - 1]
        assert percentile == pytest.approx(exact, rel=0.001), name


async def test_visitors_are_close_to_the_different_ones(console: Console) -> None:
    entries = [one for one in real_entries() if value(one, "source.address")]
    pairs = {(value(one, "source.address"), agent(one)) for one in entries}
    found = (await console.found("/v1/logs/summary"))["visitors"]
    assert found["addresses"] == pytest.approx(len({address for address, _ in pairs}), rel=0.01)
    assert found["agents"] == pytest.approx(len({one for _, one in pairs if one}), rel=0.01)
    assert found["address_and_agent"] == pytest.approx(len(pairs), rel=0.01)
    assert found["uncounted_entries"] == 0


@pytest.mark.parametrize(
    ("query", "limit"), [("status:404", "50"), ("method:POST", "500"), ("bot:true", "499")]
)
async def test_pages_have_every_entry_once_newest_first(console: Console, query: str, limit: str) -> None:
    tests = {**dict(QUERIES), "method:POST": lambda one: _method(one) == "POST"}
    tests["bot:true"] = lambda one: value(one, "user_agent.bot") is True
    wanted = matching(tests[query])
    found: list[Any] = []
    parameters = {"q": query, "limit": limit}
    while True:
        page = await console.found("/v1/logs/entries", **parameters)
        assert page["total"] == {"value": len(wanted), "exact": True}
        found += page["entries"]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
    assert len({one["id"] for one in found}) == len(found) == len(wanted)
    times = [one["entry"]["@timestamp"] for one in found]
    assert times == sorted(times, reverse=True)
    assert sorted((one["entry"] for one in found), key=_offset) == sorted(wanted, key=_offset)


def _offset(entry: Entry) -> int:
    return int(entry["log"]["offset"])


async def test_a_part_of_a_day_has_its_entries_alone(console: Console) -> None:
    within = {"from": "2015-05-18T10:30:00Z", "to": "2015-05-19T00:00:00Z"}
    wanted = [one for one in real_entries() if "2015-05-18T10:30" <= one["@timestamp"] < "2015-05-19"]
    assert (await console.found("/v1/logs/summary", **within))["total"] == len(wanted) > 0
