"""One suite for every OpenSearch that we have: documents, indices, and on the real engine what only that can do."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.kernel.adapters.opensearch import (
    Effect,
    MissingIndex,
    NewDocument,
    OpenSearch,
    Outcome,
    QueryRefused,
)
from services.kernel.adapters.opensearch_bulk import MAX_REQUEST_BYTES
from services.kernel.core.errors import InvalidRecord, Refused, TimedOut
from tests.memory.opensearch import MemoryOpenSearch

DAY = "2026.11.27"
MAPPINGS = {
    "dynamic": "strict",
    "properties": {
        "status": {"type": "integer"},
        "path": {"type": "keyword", "ignore_above": 1024},
        "at": {"type": "date"},
        "url": {"properties": {"path": {"type": "keyword"}}},
        "extra": {"properties": {"name": {"type": "keyword"}}},
    },
}


def template(namespace: str) -> dict[str, Any]:
    shape = {"settings": {"number_of_shards": 1, "number_of_replicas": 0}, "mappings": MAPPINGS}
    return {"index_patterns": [f"{namespace}-logs-*"], "template": shape}


@pytest.fixture(params=["memory", "engine"])
async def search(request: pytest.FixtureRequest, namespace: str) -> AsyncIterator[OpenSearch]:
    """An OpenSearch in which the indices of this test come into being by name alone, with the template above."""
    if request.param == "memory":
        memory = MemoryOpenSearch()
        await memory.put_template(f"{namespace}-logs", template(namespace))
        yield memory
        return
    async with ready(request.getfixturevalue("opensearch_endpoint"), namespace) as client:
        yield client


@pytest.fixture
async def engine(opensearch_endpoint: str, namespace: str) -> AsyncIterator[OpenSearch]:
    """The real one alone, with the same template."""
    async with ready(opensearch_endpoint, namespace) as client:
        yield client


class ready:
    """A client of the engine with the test's template in place."""

    def __init__(self, endpoint: str, namespace: str) -> None:
        self._opened = OpenSearch.open(endpoint, "us-east-1")
        self._namespace = namespace

    async def __aenter__(self) -> OpenSearch:
        client = await self._opened.__aenter__()
        await client.put_template(f"{self._namespace}-logs", template(self._namespace))
        await client.set_auto_create(f"-{self._namespace}-logs-*,+*")
        return client

    async def __aexit__(self, *error: object) -> None:
        await self._opened.__aexit__(None, None, None)


@pytest.fixture
async def index(search: OpenSearch, namespace: str) -> str:
    """An index that is there."""
    name = f"{namespace}-logs-{DAY}"
    assert await search.create_index(name)
    return name


def document(index: str, id: str, **fields: object) -> NewDocument:
    return NewDocument(index, id, json.dumps(fields).encode())


def reasons(outcomes: list[Outcome]) -> list[str | Effect]:
    """The effect of each document, or the code of its fault."""
    return [one.reason if isinstance(one, InvalidRecord) else effect(one) for one in outcomes]


def effect(outcome: Outcome) -> Effect:
    assert isinstance(outcome, Effect), outcome
    return outcome


async def test_a_document_is_created_once(search: OpenSearch, index: str) -> None:
    first = [document(index, "a", status=200), document(index, "b", status=404)]
    assert await search.bulk_create(first) == [Effect.CREATED, Effect.CREATED]

    again = [document(index, "b", status=500), document(index, "c"), document(index, "c")]
    assert await search.bulk_create(again) == [Effect.ALREADY_THERE, Effect.CREATED, Effect.ALREADY_THERE]

    await search.refresh(index)
    (info,) = await search.indices(index)
    assert (info.name, info.documents, info.health) == (index, 3, "green")
    assert info.size_bytes > 0


async def test_an_index_is_given_the_fields_that_it_lacks(search: OpenSearch, index: str) -> None:
    newer = document(index, "a", url={"path": "/", "query": "q"}, agent="x", status=200)
    assert reasons(await search.bulk_create([newer])) == ["unmappable"]
    more = {"agent": {"type": "keyword"}, "url": {"properties": {"query": {"type": "keyword"}}}}
    for _ in range(2):
        await search.put_mapping(index, {"properties": {**MAPPINGS["properties"], **more}})  # type: ignore[dict-item]
    assert reasons(await search.bulk_create([newer])) == [Effect.CREATED]
    assert reasons(await search.bulk_create([document(index, "b", other=1)])) == ["unmappable"]


async def test_an_index_that_is_not_there_has_no_mapping(search: OpenSearch, namespace: str) -> None:
    with pytest.raises(MissingIndex):
        await search.put_mapping(f"{namespace}-logs-none", {"properties": {}})


async def test_a_field_keeps_its_type(engine: OpenSearch, namespace: str) -> None:
    name = f"{namespace}-logs-{DAY}"
    await engine.create_index(name)
    with pytest.raises(Refused):
        await engine.put_mapping(name, {"properties": {"status": {"type": "keyword"}}})


async def test_no_document_is_no_request(search: OpenSearch) -> None:
    assert await search.bulk_create([]) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b'{"status": 200',
        b"[]",
        b'"text"',
        b'{"unknown": 1}',
        b'{"url": "not an object"}',
        b'{"url": {"unknown": 1}}',
        b'{"extra": [{"name": "a"}, {"unknown": 1}]}',
        b'{"path": "\xff"}',
        b'{"status":\n200}',
        b'{"status": 200}\n{"delete": {"_index": "x", "_id": "a"}}',
    ],
)
async def test_a_document_that_is_wrong_takes_no_other_with_it(
    search: OpenSearch, index: str, body: bytes
) -> None:
    batch = [document(index, "a"), NewDocument(index, "wrong", body), document(index, "z", url={"path": "/"})]

    assert reasons(await search.bulk_create(batch)) == [Effect.CREATED, "unmappable", Effect.CREATED]


async def test_an_id_that_no_index_takes_is_the_documents_fault(search: OpenSearch, index: str) -> None:
    batch = [document(index, id) for id in ("", "é" * 257, "x" * 512)]

    assert reasons(await search.bulk_create(batch)) == ["unmappable", "unmappable", Effect.CREATED]


async def test_what_no_request_can_hold_is_too_large_and_the_rest_is_cut(
    search: OpenSearch, index: str
) -> None:
    filled = b'{"path": "%b"}' % (b"x" * (4 * 1024 * 1024))
    large = [NewDocument(index, str(number), filled) for number in range(4)]
    too_large = NewDocument(index, "4", b'{"path": "%b"}' % (b"x" * MAX_REQUEST_BYTES))

    outcomes = await search.bulk_create([*large, too_large])

    assert reasons(outcomes) == [*[Effect.CREATED] * 4, "too_large"]


async def test_writing_makes_no_index(search: OpenSearch, index: str, namespace: str) -> None:
    gone = f"{namespace}-logs-1999.01.01"

    outcomes = await search.bulk_create([document(gone, "a"), document(index, "a")])

    assert isinstance(outcomes[0], MissingIndex)
    assert (outcomes[0].index, outcomes[1]) == (gone, Effect.CREATED)
    assert [info.name for info in await search.indices(f"{namespace}-*")] == [index]


async def test_indices_are_made_and_deleted_once(search: OpenSearch, index: str, namespace: str) -> None:
    other = f"{namespace}-logs-2026.11.26"
    assert await search.create_index(other)
    assert not await search.create_index(other)
    assert [info.name for info in await search.indices(f"{namespace}-logs-*")] == [other, index]

    assert await search.delete_index(other)
    assert not await search.delete_index(other)
    assert [info.name for info in await search.indices(f"{namespace}-logs-*")] == [index]


async def test_an_index_is_merged_and_one_that_is_not_there_is_named(search: OpenSearch, index: str) -> None:
    for number in range(3):
        await search.bulk_create([document(index, str(number))])
        await search.refresh(index)

    await search.force_merge(index)

    assert [info.segments for info in await search.indices(index)] == [1]
    with pytest.raises(MissingIndex, match=f"{index}-gone"):
        await search.force_merge(f"{index}-gone")


async def test_a_name_that_could_stand_for_several_deletes_nothing(engine: OpenSearch) -> None:
    for name in ("*", "a,b", "_all", "-a", "logs-*", "", "Logs", "a/b"):
        with pytest.raises(ValueError, match="no name of one index"):
            await engine.delete_index(name)


async def test_rules_of_automatic_creation_are_added_to_those_that_stand(
    engine: OpenSearch, namespace: str
) -> None:
    ours = [f"-{namespace}-{letter}-*" for letter in "ab"]
    for rule in [*ours, ours[0]]:
        await engine.set_auto_create(f"{rule},+*")

    outcomes = await engine.bulk_create(
        [document(f"{namespace}-{name}-1", "1") for name in ("a", "b", "c", "logs")]
    )

    assert [isinstance(one, MissingIndex) for one in outcomes] == [True, True, False, True]


_numbers = itertools.count()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(st.one_of(st.binary(max_size=40), st.text(max_size=20).map(str.encode)), max_size=6))
async def test_any_bytes_harm_no_document_around_them(
    engine: OpenSearch, namespace: str, bodies: list[bytes]
) -> None:
    name = f"{namespace}-logs-{DAY}"
    await engine.create_index(name)
    batch = [document(name, f"good-{next(_numbers)}")]
    for body in bodies:
        batch += [
            NewDocument(name, f"any-{next(_numbers)}", body),
            document(name, f"good-{next(_numbers)}"),
        ]

    outcomes = dict(zip((one.id for one in batch), await engine.bulk_create(batch), strict=True))

    for id, outcome in outcomes.items():
        assert outcome is Effect.CREATED or (id.startswith("any") and isinstance(outcome, InvalidRecord)), id


@pytest.fixture
async def filled(engine: OpenSearch, namespace: str) -> str:
    """A pattern under which 200 documents can be found, of two indices."""
    for day in ("2026.11.26", "2026.11.27"):
        name = f"{namespace}-logs-{day}"
        await engine.create_index(name)
        await engine.bulk_create(
            [document(name, str(number), status=200 + number, path=f"/{number}") for number in range(100)]
        )
    await engine.refresh(f"{namespace}-logs-*")
    return f"{namespace}-logs-*"


async def test_search_and_count_see_what_was_refreshed(engine: OpenSearch, filled: str) -> None:
    found = await engine.search(
        filled,
        {
            "size": 1,
            "query": {"query_string": {"query": "status:>=290"}},
            "aggs": {"paths": {"terms": {"field": "path", "size": 3}}},
        },
        timeout_s=10,
    )

    assert found["hits"]["total"]["value"] == 20
    assert len(found["aggregations"]["paths"]["buckets"]) == 3
    assert await engine.count(filled) == 200
    assert await engine.count(filled, {"query": {"term": {"status": 299}}}) == 2


async def test_an_index_that_is_not_there_holds_nothing_unless_it_has_to_be(
    engine: OpenSearch, filled: str
) -> None:
    gone = filled.replace("-logs-*", "-gone")
    assert await engine.count(f"{filled},{gone}") == 200
    assert (await engine.search(gone, {}, timeout_s=10))["hits"]["total"]["value"] == 0
    with pytest.raises(MissingIndex, match="gone"):
        await engine.search(gone, {}, timeout_s=10, ignore_missing=False)


async def test_a_query_that_cannot_be_understood_is_told_in_opensearchs_words(
    engine: OpenSearch, filled: str
) -> None:
    with pytest.raises(QueryRefused) as refused:
        await engine.search(filled, {"query": {"query_string": {"query": "status:["}}}, timeout_s=10)
    assert refused.value.reason == "Failed to parse query [status:[]"
    with pytest.raises(QueryRefused):
        await engine.count(filled, {"quarry": {}})


async def test_a_search_that_takes_too_long_is_given_up(engine: OpenSearch, filled: str) -> None:
    with pytest.raises(TimedOut):
        await engine.search(filled, {}, timeout_s=0.001)


async def test_the_cluster_tells_how_it_is(engine: OpenSearch, filled: str) -> None:
    assert await engine.health() in ("green", "yellow")
