"""Positions in DynamoDB: one item a file, written with compare-and-set on `lease_counter`.

Every attribute: `file` (the key), `position` (bytes), `prefix_sha256`, `state`, `lease_owner` (absent when free),
`lease_counter`, `saved_at` (UTC, for people).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.kernel.adapters.dynamodb import ConditionFailed, DynamoDB
from services.kernel.tail.positions import Entry, LeaseLost
from services.kernel.tail.prefix import Mark


class DynamoDBPositions:
    """A PositionStore on one table; reads are consistent.

    Args:
        table: its physical name; hash key `file`, a string.
        now: the present time as contracts write it.
    """

    def __init__(self, dynamodb: DynamoDB, table: str, now: Callable[[], str]) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._now = now

    async def load(self, key: str) -> Entry | None:
        """See PositionStore."""
        item = await self._dynamodb.get_item(self._table, {"file": {"S": key}}, consistent=True)
        return None if item is None else _from_item(item)

    async def swap(self, entry: Entry, expected_counter: int | None) -> None:
        """See PositionStore."""
        condition, values = "attribute_not_exists(lease_counter)", None
        if expected_counter is not None:
            condition, values = "lease_counter = :counter", {":counter": {"N": str(expected_counter)}}
        try:
            await self._dynamodb.put_item(
                self._table,
                {**_to_item(entry), "saved_at": {"S": self._now()}},
                condition=condition,
                values=values,
                return_old_on_failure=True,
            )
        except ConditionFailed as failure:
            # Our own write, whose answer was lost, stands there as we wrote it.
            if failure.item is None or _from_item(failure.item) != entry:
                raise LeaseLost(entry.key) from failure


def _to_item(entry: Entry) -> dict[str, dict[str, str]]:
    item = {
        "file": {"S": entry.key},
        "position": {"N": str(entry.position.offset)},
        "prefix_sha256": {"S": entry.position.sha256},
        "state": {"S": entry.state},
        "lease_counter": {"N": str(entry.counter)},
    }
    if entry.owner is not None:
        item["lease_owner"] = {"S": entry.owner}
    return item


def _from_item(item: Mapping[str, Any]) -> Entry:
    return Entry(
        key=item["file"]["S"],
        position=Mark(int(item["position"]["N"]), item["prefix_sha256"]["S"]),
        state=item["state"]["S"],
        owner=item["lease_owner"]["S"] if "lease_owner" in item else None,
        counter=int(item["lease_counter"]["N"]),
    )
