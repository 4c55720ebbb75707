"""What the search index holds of log files, line by line: every line one document, which says what the line says."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.local import access_log
from deploy.local.access_log import Written
from deploy.local.environment import REGION
from deploy.local.target import Target
from services.kernel.adapters.opensearch import OpenSearch

_PAGE = 5_000
_EXAMPLES = 5
_TIMEOUT_S = 30.0


@dataclass(slots=True)
class LogReport:
    """What differs between files and index, in lines.

    Args:
        in_full: documents of lines that could be read in full.
        foreign: documents of these files at offsets where no line begins.
        altered: documents that say something else than their line.
        differences: the first few, for people.
    """

    written: int = 0
    indexed: int = 0
    in_full: int = 0
    missing: int = 0
    doubled: int = 0
    altered: int = 0
    foreign: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every line is one document that says what it says."""
        return not (self.missing or self.doubled or self.altered or self.foreign)

    def tell(self, what: str, line: Written) -> None:
        """Keep one of the first few differences."""
        if len(self.differences) < _EXAMPLES:
            self.differences.append(f"{what}: {line.path} at {line.offset}: {line.text[:120]}")


async def compare(target: Target, written: Sequence[Written]) -> LogReport:
    """Holds all lines of some files against all documents of these files."""
    report = LogReport(written=len(written))
    by_place = {(line.path, line.offset): line for line in written}
    seen: Counter[tuple[str, int]] = Counter()
    async with OpenSearch.open(target.opensearch, REGION) as search:
        await search.refresh(target.access_logs)
        for path in sorted({line.path for line in written}):
            async for document in documents(search, target.access_logs, path):
                place = (path, int(document["log"]["offset"]))
                seen[place] += 1
                _judge(report, by_place.get(place), document, seen[place])
    report.indexed = sum(seen.values())
    for place, line in by_place.items():
        if place not in seen:
            report.missing += 1
            report.tell("missing", line)
    return report


def _judge(report: LogReport, line: Written | None, document: dict[str, Any], times: int) -> None:
    if line is None:
        report.foreign += 1
        return
    report.in_full += "error" not in document
    if times > 1:
        report.doubled += 1
        report.tell("doubled", line)
    if not says(document, line):
        report.altered += 1
        report.tell("altered", line)


def says(document: dict[str, Any], line: Written) -> bool:
    """Whether a document says what an independent reading of its line says, or keeps the text of one that has none."""
    said = access_log.reading(line.text)
    if said is None:
        kept = access_log.value(document, "event.original")
        return "error" in document and kept is not None and line.text.startswith(kept)
    return all(access_log.value(document, name) == value for name, value in said.items())


def documents(search: OpenSearch, indices: str, path: str) -> AsyncIterator[dict[str, Any]]:
    """All documents of one file, in the order of the file."""
    return pages(search, indices, {"term": {"log.file.path": path}})


async def pages(search: OpenSearch, indices: str, query: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """All documents that a query finds, asked for page by page."""
    after: list[Any] | None = None
    while True:
        body: dict[str, Any] = {
            "size": _PAGE,
            "query": query,
            "sort": ["generation", "log.offset", "index_day"],
            **({"search_after": after} if after else {}),
        }
        found = await search.search(indices, body, timeout_s=_TIMEOUT_S)
        hits = found["hits"]["hits"]
        for hit in hits:
            yield hit["_source"]
        if len(hits) < _PAGE:
            return
        after = hits[-1]["sort"]
