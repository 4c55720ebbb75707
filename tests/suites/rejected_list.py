"""A dead-letter sink that keeps what it is given, for tests that look at it there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from services.dynamodb_writer import items
from services.kernel.core.errors import Unavailable


@dataclass
class RejectedList:
    """Every put, in order; away for the first `away` of them."""

    puts: list[dict[str, Any]] = field(default_factory=list)
    away: int = 0

    async def put(self, reason: str, message: str, data: bytes, **where: Any) -> None:
        """Keep one dead letter."""
        if self.away > 0:
            self.away -= 1
            raise Unavailable("rejected")
        self.puts.append({"reason": reason, "message": message, "data": data, **where})

    @property
    def events(self) -> set[str]:
        """The event ids of the parts that were put."""
        return {items.decode(put["data"]).event_id for put in self.puts}
