"""Inserts as PartiQL says them: names quoted, values as parameters, and each fault by its name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from services.kernel.adapters import partiql
from services.kernel.adapters.dynamodb import ConditionFailed, DynamoDB
from services.kernel.core.errors import (
    InvalidRecord,
    Misconfigured,
    MissingResource,
    Refused,
    Throttled,
    Unavailable,
)
from tests.unit.kernel.test_sdk import answering

ITEMS = [{"a": {"S": "x"}}, {"a": {"S": "y"}}]


def test_a_value_is_never_part_of_the_statement() -> None:
    assert partiql.insert("n-orders", {"a": {"S": "x'"}, "b": {"B": b"\x00"}}) == {
        "Statement": "INSERT INTO \"n-orders\" VALUE {'a': ?, 'b': ?}",
        "Parameters": [{"S": "x'"}, {"B": b"\x00"}],
    }


def test_a_name_cannot_end_its_quotes() -> None:
    assert (
        partiql.insert('o"r', {"it's": {"N": "1"}})["Statement"]
        == "INSERT INTO \"o\"\"r\" VALUE {'it''s': ?}"
    )


@pytest.mark.parametrize("plane", ["sdk", "raw"])
@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("DuplicateItem", "Duplicate primary key exists in table", ConditionFailed),
        ("ConditionalCheckFailed", "", ConditionFailed),
        ("ProvisionedThroughputExceeded", "", Throttled),
        ("RequestLimitExceeded", "", Throttled),
        ("ThrottlingError", "", Throttled),
        ("TransactionConflict", "", Throttled),
        ("InternalServerError", "", Unavailable),
        ("ResourceNotFound", "", MissingResource),
        ("AccessDenied", "", Misconfigured),
        ("ValidationError", "Item size has exceeded the maximum allowed size", InvalidRecord),
        ("ValidationError", "something else", Refused),
        ("ItemCollectionSizeLimitExceeded", "", Refused),
    ],
)
async def test_a_fault_of_one_statement_is_what_its_own_call_would_have_raised(
    plane: str, code: str, message: str, expected: type[Exception]
) -> None:
    body = {"Responses": [{"TableName": "t"}, {"Error": {"Code": code, "Message": message}}]}
    first, second = await _insert(plane, body)
    assert first is None
    assert type(second) is expected


@pytest.mark.parametrize("plane", ["sdk", "raw"])
@pytest.mark.parametrize("body", [{"Responses": [{}]}, {"Responses": []}])
async def test_an_answer_without_every_outcome_is_none(plane: str, body: dict[str, Any]) -> None:
    with pytest.raises(Unavailable):
        await _insert(plane, body)


async def _insert(plane: str, body: dict[str, Any]) -> list[Any]:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=json.dumps(body).encode(), content_type="application/x-amz-json-1.0")

    async with answering(handle) as url, DynamoDB.open(url, "us-east-1", data_plane=plane) as dynamodb:
        return list(await dynamodb.insert_batch("t", ITEMS))
