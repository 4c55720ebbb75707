"""The writes of one DynamoDB transaction: all of them happen, or none.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_WRITES = 100


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole item in place of any with its key, if the condition holds."""

    table: str
    item: Mapping[str, Any]
    condition: str | None = None
    names: Mapping[str, str] | None = None
    values: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Change attributes of one item, if the condition holds; makes the item where there is none."""

    table: str
    key: Mapping[str, Any]
    update: str
    condition: str | None = None
    names: Mapping[str, str] | None = None
    values: Mapping[str, Any] | None = None


Write = Put | Update


def request(writes: Sequence[Write]) -> list[dict[str, Any]]:
    """The writes as the service takes them.

    Raises:
        ValueError: there are none, or more than 100.
    """
    if not 1 <= len(writes) <= MAX_WRITES:
        raise ValueError(f"a transaction holds 1 to {MAX_WRITES} writes, not {len(writes)}")
    return [_put(write) if isinstance(write, Put) else _update(write) for write in writes]


def reasons(response: Mapping[str, Any]) -> list[str]:
    """Why a transaction was cancelled: a code for each write, "None" for one that was not in the way."""
    return [str(reason.get("Code") or "None") for reason in response.get("CancellationReasons", [])]


def _put(write: Put) -> dict[str, Any]:
    return {"Put": {"TableName": write.table, "Item": write.item, **_expressions(write)}}


def _update(write: Update) -> dict[str, Any]:
    changed = {"TableName": write.table, "Key": write.key, "UpdateExpression": write.update}
    return {"Update": {**changed, **_expressions(write)}}


def _expressions(write: Write) -> dict[str, Any]:
    given = {
        "ConditionExpression": write.condition,
        "ExpressionAttributeNames": write.names,
        "ExpressionAttributeValues": write.values,
    }
    return {name: value for name, value in given.items() if value}
