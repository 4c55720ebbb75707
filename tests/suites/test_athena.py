"""Athena's adapter beside a server that says what Athena says: states, faults, types, and what it is asked with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.kernel.adapters.athena import Athena, value
from services.kernel.core.errors import CadabraError, Misconfigured, MissingResource, Throttled, Unavailable
from services.kernel.core.questions import Question, QuestionRefused, TooMuch, TooSlow
from tests.athena import FakeAthena, served

QUESTION = Question("SELECT 1", frozenset())


@asynccontextmanager
async def athena(fake: FakeAthena) -> AsyncIterator[Athena]:
    async with (
        served(fake) as url,
        Athena.open(url, "us-east-1", "shop_sales", "analysts") as opened,
    ):
        yield opened


def failed(reason: str, category: int = 2, retryable: bool = False) -> dict[str, Any]:
    error = {"ErrorCategory": category, "Retryable": retryable}
    return {"State": "FAILED", "StateChangeReason": reason, "AthenaError": error}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (failed("SYNTAX_ERROR: line 1:8: Column 'x' cannot be resolved"), QuestionRefused),
        (failed("TABLE_NOT_FOUND: line 1:15: Table 'x' does not exist"), MissingResource),
        (failed("GENERIC_INTERNAL_ERROR: oh", category=1), Unavailable),
        (failed("Query exhausted resources at this scale factor", retryable=True), Unavailable),
        ({"State": "CANCELLED", "StateChangeReason": "Bytes scanned limit was exceeded"}, TooMuch),
        ({"State": "CANCELLED"}, Unavailable),
    ],
)
async def test_how_an_execution_ends_says_whose_fault_it_is(
    status: dict[str, Any], expected: type[CadabraError]
) -> None:
    fake = FakeAthena(states=[{"State": "QUEUED"}, {"State": "RUNNING"}, status])
    async with athena(fake) as engine:
        with pytest.raises(expected):
            await engine.ask(QUESTION, max_rows=1, timeout_s=30)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (
            {"__type": "InvalidRequestException", "AthenaErrorCode": "MALFORMED_QUERY", "Message": "no"},
            QuestionRefused,
        ),
        ({"__type": "InvalidRequestException", "Message": "WorkGroup x is not found."}, Misconfigured),
        ({"__type": "AccessDeniedException", "Message": "no"}, Misconfigured),
        ({"__type": "TooManyRequestsException", "Message": "slow"}, Throttled),
        ({"__type": "InternalServerException", "Message": "oh"}, Unavailable),
    ],
)
async def test_a_call_that_is_refused_says_whose_fault_it_is(
    fault: dict[str, str], expected: type[CadabraError]
) -> None:
    async with athena(FakeAthena(faults={"StartQueryExecution": [fault]})) as engine:
        with pytest.raises(expected):
            await engine.ask(QUESTION, max_rows=1, timeout_s=30)


async def test_a_look_that_fails_is_tried_again() -> None:
    throttled = {"__type": "ThrottlingException", "Message": "slow"}
    fake = FakeAthena(states=[failed("over")], faults={"GetQueryExecution": [throttled, throttled]})
    async with athena(fake) as engine:
        with pytest.raises(QuestionRefused, match="over"):
            await engine.ask(QUESTION, max_rows=1, timeout_s=30)
    assert not fake.faults["GetQueryExecution"]


async def test_a_question_out_of_time_is_stopped_in_athena() -> None:
    fake = FakeAthena(states=[{"State": "RUNNING"}])
    async with athena(fake) as engine:
        with pytest.raises(TooSlow):
            await engine.ask(QUESTION, max_rows=1, timeout_s=0.4)
        asked = asyncio.create_task(engine.ask(QUESTION, max_rows=1, timeout_s=30))
        while len(fake.started) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        asked.cancel()
        await asyncio.wait([asked], timeout=10)
        assert asked.cancelled()
    assert fake.stopped == ["execution-1", "execution-2"]


async def test_what_a_question_is_asked_with() -> None:
    fake = FakeAthena(states=[failed("over")])
    async with athena(fake) as engine:
        for _ in range(2):
            with pytest.raises(QuestionRefused):
                await engine.ask(QUESTION, max_rows=1, timeout_s=30)
    first, second = fake.started
    assert first["QueryString"] == "SELECT 1"
    assert first["QueryExecutionContext"] == {"Database": "shop_sales"}
    assert first["WorkGroup"] == "analysts"
    assert len(first["ClientRequestToken"]) >= 32
    assert first["ClientRequestToken"] != second["ClientRequestToken"]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("varchar", "", ""),
        ("varchar", None, None),
        ("bigint", "-9007199254740993", -9007199254740993),
        ("decimal", "200000000000000000006.6503", Decimal("200000000000000000006.6503")),
        ("double", "0.3333", 0.3333),
        ("boolean", "false", False),
        ("date", "2011-12-09", date(2011, 12, 9)),
        ("timestamp", "2011-12-09 12:50:00.000", datetime.fromisoformat("2011-12-09T12:50:00")),
        (
            "timestamp with time zone",
            "2011-12-09 12:50:00.001 UTC",
            datetime.fromisoformat("2011-12-09T12:50:00.001"),
        ),
        ("array", "[1, 2]", "[1, 2]"),
    ],
)
def test_texts_become_what_their_column_says(kind: str, text: str | None, expected: object) -> None:
    assert value(kind, text) == expected
    assert type(value(kind, text)) is type(expected)
