"""What has to stand in OpenSearch before an entry is written: the fields of the contract, and no index by accident."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from services.kernel.adapters.opensearch import IndexInfo, MissingIndex
from services.kernel.core import logs
from services.kernel.core.errors import Refused
from services.log_indexer.index_days import IndexDays

LOGICAL_NAME = "access-logs"
_TEMPLATE = Path(__file__).parents[2] / "contracts" / "generated" / "opensearch" / f"{LOGICAL_NAME}.json"
_PRIORITY = 500
"""Above what others make for all names; OpenSearch refuses two templates of one priority for one name."""

log = logs.get("preparation")


class Prepares(Protocol):
    """What the preparation needs of OpenSearch."""

    async def put_template(self, name: str, body: Mapping[str, Any]) -> None:
        """Put an index template in place."""

    async def set_auto_create(self, pattern_rules: str) -> None:
        """Rule which indices come into being by writing to them."""

    async def indices(self, pattern: str) -> list[IndexInfo]:
        """Every index whose name matches."""

    async def put_mapping(self, index: str, mappings: Mapping[str, Any]) -> None:
        """Give an index the fields that it lacks."""


def template() -> Mapping[str, Any]:
    """The index template as it is rendered from the contract, without its pattern of names."""
    found: Mapping[str, Any] = json.loads(_TEMPLATE.read_text("utf-8"))
    return found


async def prepare(engine: Prepares, days: IndexDays, today: date) -> None:
    """Make sure of the template, and that an index is made on purpose alone; repeating it changes nothing.

    Without the second, a write that comes late would bring back an index that was deleted for its age. Indices that
    are still written to get the fields that the contract has got since they were made: tomorrow's may be made already.

    Raises:
        Retryable: OpenSearch is away; what is missing is missing still.
        Misconfigured: it does not let us.
    """
    body = template()
    await engine.put_template(days.family, {**body, "index_patterns": [days.pattern], "priority": _PRIORITY})
    await engine.set_auto_create(f"-{days.pattern},+*")
    for info in await engine.indices(days.pattern):
        day = days.day_of(info.name)
        if day is not None and not days.over(day, today):
            await _extend(engine, info.name, body["template"]["mappings"])


async def _extend(engine: Prepares, index: str, mappings: Mapping[str, Any]) -> None:
    try:
        await engine.put_mapping(index, mappings)
    except MissingIndex:
        return  # deleted meanwhile
    except Refused as error:
        # An index that was not made by the template; what does not fit into it goes to `rejected`, loudly.
        log.error("mapping_not_extended", error=error, index=index)
