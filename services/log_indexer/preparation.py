"""What has to stand in OpenSearch before the first index is made: the template, and no index by accident."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from services.log_indexer.index_days import IndexDays

LOGICAL_NAME = "access-logs"
_TEMPLATE = Path(__file__).parents[2] / "contracts" / "generated" / "opensearch" / f"{LOGICAL_NAME}.json"
_PRIORITY = 500
"""Above what others make for all names; OpenSearch refuses two templates of one priority for one name."""


class Prepares(Protocol):
    """What the preparation needs of OpenSearch."""

    async def put_template(self, name: str, body: Mapping[str, Any]) -> None:
        """Put an index template in place."""

    async def set_auto_create(self, pattern_rules: str) -> None:
        """Rule which indices come into being by writing to them."""


def template() -> Mapping[str, Any]:
    """The index template as it is rendered from the contract, without its pattern of names."""
    found: Mapping[str, Any] = json.loads(_TEMPLATE.read_text("utf-8"))
    return found


async def prepare(engine: Prepares, days: IndexDays) -> None:
    """Make sure of the template, and that an index is made on purpose alone; repeating it changes nothing.

    Without the second, a write that comes late would bring back an index that was deleted for its age.

    Raises:
        Retryable: OpenSearch is away; what is missing is missing still.
        Misconfigured: it does not let us.
    """
    await engine.put_template(
        days.family, {**template(), "index_patterns": [days.pattern], "priority": _PRIORITY}
    )
    await engine.set_auto_create(f"-{days.pattern},+*")
