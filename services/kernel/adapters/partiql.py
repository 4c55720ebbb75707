"""Conditional inserts as PartiQL says them, since BatchExecuteStatement takes 25 in one call.

`INSERT` refuses an item whose key is taken, each statement for itself, which is what PutItem with
`attribute_not_exists` does; BatchWriteItem would overwrite what is there.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.insert.html,
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html and
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from services.kernel.adapters.data_plane import DataPlane

_AS_AN_EXCEPTION = {
    "ConditionalCheckFailed": "ConditionalCheckFailedException",
    "DuplicateItem": "DuplicateItemException",
    "ItemCollectionSizeLimitExceeded": "ItemCollectionSizeLimitExceededException",
    "ProvisionedThroughputExceeded": "ProvisionedThroughputExceededException",
    "ResourceNotFound": "ResourceNotFoundException",
    "ThrottlingError": "ThrottlingException",
    "TransactionConflict": "TransactionConflictException",
    "ValidationError": "ValidationException",
}


_MAX_ANSWER_BYTES = 1024 * 1024


class _Fault(msgspec.Struct):
    Code: str = ""
    Message: str = ""


class _Outcome(msgspec.Struct):
    Error: _Fault | None = None


class _Outcomes(msgspec.Struct):
    Responses: list[_Outcome]


_decode_outcomes = msgspec.json.Decoder(_Outcomes)


async def insert_all(
    client: Any, plane: DataPlane | None, table: str, items: Sequence[Mapping[str, Any]]
) -> list[ClientError | None]:
    """Send one batch of inserts, by the SDK's client where there is no data plane.

    Returns:
        For each item, in the order given, None or the error that a call of its own would have ended with.

    Raises:
        sdk.SDK_ERRORS: the batch as a whole failed; whether items were stored is known only where it was refused.
    """
    statements = [insert(table, item) for item in items]
    if plane is None:
        told = await client.batch_execute_statement(Statements=statements)
        outcomes = msgspec.convert(told.get("Responses", []), list[_Outcome])
    else:
        request = {"Statements": statements}
        answer = await plane.call("BatchExecuteStatement", request, _decode_outcomes, _MAX_ANSWER_BYTES)
        outcomes = answer.Responses
    return [None if outcome.Error is None else _error(outcome.Error) for outcome in outcomes]


def insert(table: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """Say that an item is to be stored where none has its key."""
    return {"Statement": _insert(table, tuple(item)), "Parameters": list(item.values())}


def _error(fault: _Fault) -> ClientError:
    code = _AS_AN_EXCEPTION.get(fault.Code, fault.Code)
    return ClientError({"Error": {"Code": code, "Message": fault.Message}}, "BatchExecuteStatement")


@lru_cache(maxsize=64)
def _insert(table: str, names: tuple[str, ...]) -> str:
    fields = ", ".join(f"{_quoted(name, chr(39))}: ?" for name in names)
    return f"INSERT INTO {_quoted(table, chr(34))} VALUE {{{fields}}}"


def _quoted(name: str, mark: str) -> str:
    return f"{mark}{name.replace(mark, 2 * mark)}{mark}"
