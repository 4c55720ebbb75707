"""OpenSearch in memory: indices, templates and documents, with faults on demand. It searches nothing."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from services.kernel.adapters import opensearch_bulk as bulk
from services.kernel.adapters.opensearch import (
    Effect,
    IndexInfo,
    MissingIndex,
    NewDocument,
    OpenSearch,
    Outcome,
    merged_rules,
)
from services.kernel.adapters.opensearch_errors import UNMAPPABLE
from services.kernel.core.errors import InvalidRecord, Retryable

Fault = Callable[[str], BaseException | None]
DocumentFault = Callable[[NewDocument], Retryable | InvalidRecord | None]


class MemoryOpenSearch(OpenSearch):
    """An OpenSearch without a network, in which no index comes into being by writing to it.

    `fault` is asked before every call with the operation's name and may return an error to raise; `fault_after` the
    same once the effect has happened: an answer that is lost. `document_fault` may give one document of a bulk request
    an error of its own. Of mappings it knows `dynamic: strict` and objects, not the types of values.
    """

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, bytes]] = {}
        """Bodies by index and id."""
        self.templates: dict[str, dict[str, Any]] = {}
        self.auto_create = "true"
        self.merged: list[str] = []
        """Indices in the order in which they were merged."""
        self.fault: Fault = lambda _operation: None
        self.fault_after: Fault = lambda _operation: None
        self.document_fault: DocumentFault = lambda _document: None
        self._mappings: dict[str, Mapping[str, Any]] = {}

    async def bulk_create(
        self, documents: Sequence[NewDocument], *, timeout_s: float | None = None
    ) -> list[Outcome]:
        self._check("bulk_create")
        outcomes = [self._create(document) for document in documents]
        self._check("bulk_create", after=True)
        return outcomes

    async def create_index(self, name: str, *, settings: Mapping[str, Any] | None = None) -> bool:
        self._check("create_index")
        made = name not in self.documents
        if made:
            self.documents[name] = {}
            self._mappings[name] = self._mapping_of(name)
        self._check("create_index", after=True)
        return made

    async def delete_index(self, name: str) -> bool:
        self._check("delete_index")
        was_there = self.documents.pop(name, None) is not None
        self._check("delete_index", after=True)
        return was_there

    async def indices(self, pattern: str) -> list[IndexInfo]:
        self._check("indices")
        return [
            IndexInfo(
                name,
                documents=len(held),
                size_bytes=sum(map(len, held.values())),
                segments=1 if name in self.merged else min(len(held), 5),
            )
            for name, held in sorted(self.documents.items())
            if fnmatch.fnmatchcase(name, pattern)
        ]

    async def put_template(self, name: str, body: Mapping[str, Any]) -> None:
        self._check("put_template")
        self.templates[name] = dict(body)

    async def put_mapping(self, index: str, mappings: Mapping[str, Any]) -> None:
        self._check("put_mapping")
        if index not in self.documents:
            raise MissingIndex(index)
        self._mappings[index] = _united(self._mappings[index], mappings)

    async def set_auto_create(self, pattern_rules: str) -> None:
        self._check("set_auto_create")
        self.auto_create = merged_rules(pattern_rules, self.auto_create)

    async def force_merge(self, index: str, max_segments: int = 1, *, timeout_s: float = 600.0) -> None:
        self._check("force_merge")
        if index not in self.documents:
            raise MissingIndex(index)
        self.merged.append(index)

    async def refresh(self, pattern: str) -> None:
        self._check("refresh")

    async def health(self) -> str:
        self._check("health")
        return "green"

    def _create(self, document: NewDocument) -> Outcome:
        fault = bulk.own_fault(document) or self.document_fault(document)
        if fault is not None:
            return fault
        if document.index not in self.documents:
            return MissingIndex(document.index)
        held = self.documents[document.index]
        # Parsing comes first there too: a document that is wrong is so under any id.
        try:
            parsed = msgspec.json.decode(document.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            parsed = None
        if not isinstance(parsed, dict) or not _fits(parsed, self._mappings[document.index]):
            return InvalidRecord(UNMAPPABLE, "the index does not take this document")
        if document.id in held:
            return Effect.ALREADY_THERE
        held[document.id] = document.body
        return Effect.CREATED

    def _mapping_of(self, name: str) -> Mapping[str, Any]:
        for template in self.templates.values():
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in template["index_patterns"]):
                mapping: Mapping[str, Any] = template["template"].get("mappings", {})
                return mapping
        return {}

    def _check(self, operation: str, after: bool = False) -> None:
        error = (self.fault_after if after else self.fault)(operation)
        if error is not None:
            raise error


def _united(mapping: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    properties = dict(mapping.get("properties", {}))
    for name, field in more.get("properties", {}).items():
        there = properties.get(name)
        properties[name] = (
            field if there is None else _united(there, field) if "properties" in there else there
        )
    return {**mapping, "properties": properties} if properties else dict(mapping)


def _fits(document: Mapping[str, Any], mapping: Mapping[str, Any]) -> bool:
    known = mapping.get("properties", {})
    if mapping.get("dynamic") == "strict" and not document.keys() <= known.keys():
        return False
    inner = {**mapping, "properties": {}}
    for name, value in document.items():
        fields = known.get(name, {})
        if "properties" in fields:
            objects = value if isinstance(value, list) else [value]
            if not all(one is None or _is_object_that_fits(one, {**inner, **fields}) for one in objects):
                return False
    return True


def _is_object_that_fits(value: Any, mapping: Mapping[str, Any]) -> bool:
    return isinstance(value, dict) and _fits(value, mapping)
