"""OpenSearch: documents that are created once, indices by name, templates, and searches that end in time.

    async with OpenSearch.open(settings.opensearch_endpoint, settings.region) as search:
        for document, outcome in zip(documents, await search.bulk_create(documents), strict=True):
            ...  # Effect.CREATED, Effect.ALREADY_THERE, or an error as a value

Outcomes of one document: `Effect`, InvalidRecord (`unmappable`, `too_large`), Retryable, MissingIndex.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from services.kernel.adapters import opensearch_bulk as bulk
from services.kernel.adapters.opensearch_bulk import Effect, NewDocument, Outcome
from services.kernel.adapters.opensearch_errors import Answer, MissingIndex, QueryRefused, translate
from services.kernel.adapters.opensearch_transport import JSON, NDJSON, Transport, opened
from services.kernel.core.errors import TimedOut, Unavailable

__all__ = ["Effect", "IndexInfo", "MissingIndex", "NewDocument", "OpenSearch", "Outcome", "QueryRefused"]

FORCE_MERGE_TIMEOUT_S = 600.0
_AUTO_CREATE = "action.auto_create_index"
_EVERY_OTHER = {"true": ["+*"], "false": ["-*"]}
_WRITES = 5
_CANCELLED = "task_cancelled_exception"
_INDEX_COLUMNS = "index,status,health,pri,docs.count,pri.store.size,pri.segments.count"


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """One index.

    Args:
        documents, size_bytes, segments: of its primary shards; 0 where it is closed or its shards are away.
        shards: its primary shards.
        health: green, yellow or red.
    """

    name: str
    documents: int
    size_bytes: int
    segments: int
    shards: int = 1
    health: str = "green"


class OpenSearch:
    """One client of OpenSearch; safe for concurrent calls, never retries.

    Every method raises Throttled, Unavailable or TimedOut (what it asked for may have happened), Misconfigured
    (credentials, permissions), MissingIndex where it names an index that is not there, or Refused (a fault of the
    caller).
    """

    def __init__(self, transport: Transport, timeout_s: float = 30.0) -> None:
        self._transport = transport
        self._timeout_s = timeout_s

    @classmethod
    @asynccontextmanager
    async def open(
        cls, endpoint: str | None, region: str, *, max_connections: int = 8, timeout_s: float = 30.0
    ) -> AsyncIterator[OpenSearch]:
        """Open a client for the length of a `with`.

        Args:
            endpoint: URL of the domain on AWS, or of the engine; every domain has its own, so there is no default.
            max_connections: calls in flight at most; further ones wait for a free connection.
            timeout_s: of each call that is not given another one.

        Raises:
            Misconfigured: the endpoint is not a URL.
        """
        async with opened(endpoint, region, max_connections) as transport:
            yield cls(transport, timeout_s)

    async def bulk_create(
        self, documents: Sequence[NewDocument], *, timeout_s: float | None = None
    ) -> list[Outcome]:
        """Create documents; one that is there already, or is wrong, is no hindrance to the others.

        Args:
            documents: any number; cut into requests of at most 10 MiB, sent one after another.
            timeout_s: of each request.

        Returns:
            What became of each document, in their order.

        Raises:
            Retryable, Misconfigured: a request failed whole; repeat all of them, what is there is met again.
        """
        wait_s = self._timeout_s if timeout_s is None else timeout_s

        async def send(body: bytes) -> bytes:
            # OpenSearch gives up on a shard that is away before we give up on its answer about the others.
            query = {"filter_path": bulk.ANSWER_FIELDS, "timeout": _milliseconds(wait_s * 0.8)}
            answer = await self._answered("POST", "/_bulk", body, query, wait_s, NDJSON)
            return _succeeded(answer, "bulk").body

        return await bulk.create(documents, send)

    async def create_index(self, name: str, *, settings: Mapping[str, Any] | None = None) -> bool:
        """Make an index by the template that its name matches; False where it is there already.

        Args:
            settings: of the index, on top of the template's.
        """
        body = msgspec.json.encode({"settings": dict(settings)}) if settings else b""
        answer = await self._answered("PUT", f"/{_one(name)}", body)
        if answer.error_type() == "resource_already_exists_exception":
            return False
        _succeeded(answer, f"create_index {name}")
        return True

    async def delete_index(self, name: str) -> bool:
        """Delete this one index with all that it holds; False where there is none."""
        answer = await self._answered("DELETE", f"/{_one(name)}")
        if answer.error_type() == "index_not_found_exception":
            return False
        _succeeded(answer, f"delete_index {name}")
        return True

    async def indices(self, pattern: str) -> list[IndexInfo]:
        """The indices whose name matches, sorted by name.

        Args:
            pattern: of names; `*` stands for anything.
        """
        query = {"format": "json", "bytes": "b", "h": _INDEX_COLUMNS}
        rows: list[dict[str, str | None]] = await self._json("GET", f"/_cat/indices/{pattern}", query=query)
        return sorted((_info(row) for row in rows), key=lambda info: info.name)

    async def put_template(self, name: str, body: Mapping[str, Any]) -> None:
        """Put an index template in place, or the one of this name into this form; it tells of indices made later."""
        await self._json("PUT", f"/_index_template/{name}", body)

    async def put_mapping(self, index: str, mappings: Mapping[str, Any]) -> None:
        """Give one index that is there the fields of a mapping that it lacks; those that it has stay as they are.

        Raises:
            Refused: a field that is there is of another type; nothing has changed.
        """
        await self._json("PUT", f"/{_one(index)}/_mapping", mappings)

    async def set_auto_create(self, pattern_rules: str) -> None:
        """Rule which indices come into being by writing to them; rules for other names stay as they stand.

        Two callers at the same moment can undo each other's rule: repeat it from time to time.

        Args:
            pattern_rules: such as `-shop-access-logs-*,+*`. Its `+*` or `-*`, which speaks of every other name, holds
                only where nothing stands yet.

        Raises:
            Unavailable: others change the setting all the time.
        """
        for _ in range(_WRITES):
            layer, standing = await self._auto_create()
            wanted = merged_rules(pattern_rules, standing)
            if wanted == standing:
                return
            await self._json("PUT", "/_cluster/settings", {layer: {_AUTO_CREATE: wanted}})
        raise Unavailable(f"{_AUTO_CREATE} does not stay as it was set")

    async def force_merge(
        self, index: str, max_segments: int = 1, *, timeout_s: float = FORCE_MERGE_TIMEOUT_S
    ) -> None:
        """Merge an index that is no longer written to into few segments; goes on in OpenSearch after a TimedOut.

        Args:
            max_segments: of each shard.
        """
        query = {"max_num_segments": str(max_segments)}
        path = f"/{_one(index)}/_forcemerge"
        _whole(await self._json("POST", path, query=query, timeout_s=timeout_s), "force_merge")
        # Until then what was merged counts as segments too.
        await self.refresh(index)

    async def refresh(self, pattern: str) -> None:
        """Make all that was written before this call searchable."""
        _whole(await self._json("POST", f"/{pattern}/_refresh", query=_lenient(True)), "refresh")

    async def search(
        self, pattern: str, body: Mapping[str, Any], *, timeout_s: float, ignore_missing: bool = True
    ) -> Mapping[str, Any]:
        """Search all indices that match.

        Args:
            body: of the search, in OpenSearch's words.
            timeout_s: after it nobody works on this search any more, neither here nor there.
            ignore_missing: an index that is not there holds nothing.

        Returns:
            OpenSearch's answer, from every shard.

        Raises:
            TimedOut: it took longer.
            Unavailable: a shard did not answer; what the others found is not shown.
            QueryRefused: the query cannot be understood.
        """
        limits = {"timeout": _milliseconds(timeout_s), "cancel_after_time_interval": _milliseconds(timeout_s)}
        query = {**limits, **_lenient(ignore_missing)}
        found = await self._query("search", f"/{pattern}/_search", body, query, timeout_s)
        if found.get("timed_out"):
            raise TimedOut(f"search {pattern}: not done after {timeout_s:g} s")
        return found

    async def count(self, pattern: str, body: Mapping[str, Any] | None = None) -> int:
        """The number of documents in all indices that match.

        Args:
            body: `{"query": ...}` of those that count, None for all.

        Raises:
            Unavailable: a shard did not answer.
            QueryRefused: the query cannot be understood.
        """
        found = await self._query("count", f"/{pattern}/_count", body or {}, _lenient(True), self._timeout_s)
        return int(found["count"])

    async def health(self) -> str:
        """How the cluster is: `green`, `yellow` (a copy is missing) or `red` (data is away)."""
        return str((await self._json("GET", "/_cluster/health"))["status"])

    async def _auto_create(self) -> tuple[str, str]:
        """The layer of the settings that counts, and what stands there."""
        query = {"include_defaults": "true", "filter_path": f"*.{_AUTO_CREATE}"}
        found = await self._json("GET", "/_cluster/settings", query=query)
        layer = next(layer for layer in ("transient", "persistent", "defaults") if layer in found)
        standing = str(found[layer]["action"]["auto_create_index"])
        return ("persistent" if layer == "defaults" else layer), standing

    async def _query(
        self, operation: str, path: str, body: Mapping[str, Any], query: Mapping[str, str], timeout_s: float
    ) -> dict[str, Any]:
        answer = await self._answered("POST", path, msgspec.json.encode(body), query, timeout_s)
        if _says_cancelled(answer):
            raise TimedOut(f"{operation}: not done after {timeout_s:g} s")
        if answer.status == 400 and answer.error_type():
            raise QueryRefused(f"{operation}: {answer.error_type()}", _reason(answer))
        return _whole(_decoded(_succeeded(answer, operation), operation), operation)

    async def _json(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        encoded = b"" if body is None else msgspec.json.encode(body)
        what = f"{method} {path}"
        return _decoded(_succeeded(await self._answered(method, path, encoded, query, timeout_s), what), what)

    async def _answered(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        query: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        content_type: str = JSON,
    ) -> Answer:
        return await self._transport.send(
            method,
            path,
            body,
            query=query,
            timeout_s=self._timeout_s if timeout_s is None else timeout_s,
            content_type=content_type,
        )


def merged_rules(wanted: str, standing: str) -> str:
    """The rules of automatic creation with these in front; the first that matches a name counts.

    Args:
        wanted: as of `set_auto_create`.
        standing: rules as they are now, or `true` or `false` for every name.
    """
    kept = _EVERY_OTHER.get(standing, standing.split(","))
    ours = [rule for rule in wanted.split(",") if rule not in ("+*", "-*", *kept)]
    if not ours:
        return standing
    return ",".join([*ours, *kept])


def _one(name: str) -> str:
    """The name, where it can stand for one index alone.

    Raises:
        ValueError: it could stand for several, or is none.
    """
    if not name or name[0] in "_-+." or any(char in '*?,/\\"<>| #:' for char in name) or name != name.lower():
        raise ValueError(f"{name!r} is no name of one index")
    return name


def _succeeded(answer: Answer, what: str) -> Answer:
    if answer.status >= 300:
        raise translate(answer, what)
    return answer


def _decoded(answer: Answer, what: str) -> Any:
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unavailable(f"{what}: an answer that is none") from error


def _whole(found: dict[str, Any], what: str) -> dict[str, Any]:
    """The answer, where every shard took part in it."""
    shards = found.get("_shards", {})
    if shards.get("failed"):
        if any(_CANCELLED in str(failure) for failure in shards.get("failures", ())):
            raise TimedOut(f"{what}: shards gave up in time")
        raise Unavailable(f"{what}: {shards['failed']} of {shards.get('total')} shards did not answer")
    return found


def _says_cancelled(answer: Answer) -> bool:
    return answer.status >= 400 and _CANCELLED in str(answer.error())


def _reason(answer: Answer) -> str:
    """Why OpenSearch refuses a query, in its own words."""
    error = answer.error()
    causes = [*error.get("root_cause", ()), error]
    return str(causes[0].get("reason", ""))


def _lenient(ignore_missing: bool) -> dict[str, str]:
    said = "true" if ignore_missing else "false"
    return {"ignore_unavailable": said, "allow_no_indices": said}


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


def _info(row: Mapping[str, str | None]) -> IndexInfo:
    return IndexInfo(
        name=str(row["index"]),
        documents=int(row["docs.count"] or 0),
        size_bytes=int(row["pri.store.size"] or 0),
        segments=int(row["pri.segments.count"] or 0),
        shards=int(row["pri"] or 0),
        health=str(row["health"]),
    )
