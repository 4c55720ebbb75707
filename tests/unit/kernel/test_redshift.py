"""Redshift by its Data API: one batch, looked at until it has ended, and what it tells when it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.kernel.adapters.redshift import MAX_STATEMENTS, Place, Redshift
from services.kernel.adapters.warehouse import Ask, Copy, StatementFailed
from services.kernel.core.errors import (
    CadabraError,
    Misconfigured,
    MissingResource,
    Refused,
    Throttled,
    TimedOut,
    Unavailable,
)
from services.kernel.core.retry import Retry
from tests.redshift_data import RedshiftDataStub, Script

ROLE = "arn:aws:iam::123456789012:role/copy"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:warehouse"
SHORT = Retry(base_s=0.001, cap_s=0.001, budget_s=0.5)
ONCE = Retry(budget_s=0)


@asynccontextmanager
async def opened(
    stub: RedshiftDataStub, retry: Retry = SHORT, secret: str | None = None, timeout_s: float = 5
) -> AsyncIterator[Redshift]:
    place = Place("shop", "warehouse", ROLE, secret)
    async with Redshift.open(stub.url, "us-east-1", place, timeout_s, retry, SHORT) as redshift:
        yield redshift


async def test_statements_go_as_one_batch_and_only_what_was_asked_comes_back() -> None:
    script = Script(
        looks=3,
        rows={
            0: [[{"longValue": 1}]],
            2: [
                [{"stringValue": "a"}, {"longValue": -5}, {"isNull": True}],
                [{"stringValue": "1.50"}, {"doubleValue": 0.5}, {"booleanValue": False}],
                [{"stringValue": ""}, {"longValue": 0}, {"booleanValue": True}],
            ],
        },
    )
    async with RedshiftDataStub(lambda _: script) as stub, opened(stub, secret=SECRET) as redshift:
        rows = await redshift.run(["SELECT 1", Copy("staged", "shop-lake", "exports/a/"), Ask("SELECT x")])

    assert rows == [[("a", -5, None), ("1.50", 0.5, False), ("", 0, True)]]
    [batch] = stub.batches
    assert batch["Sqls"] == [
        "SELECT 1",
        f"COPY \"staged\" FROM 's3://shop-lake/exports/a/' IAM_ROLE '{ROLE}' FORMAT AS PARQUET",
        "SELECT x",
    ]
    assert (batch["WorkgroupName"], batch["Database"], batch["SecretArn"]) == ("shop", "warehouse", SECRET)


async def test_a_batch_whose_answer_is_lost_is_handed_over_again_and_runs_once() -> None:
    async with RedshiftDataStub(lambda _: Script()) as stub, opened(stub) as redshift:
        stub.lost = 2
        await redshift.run(["SELECT 1"])
        assert len(stub.batches) == 1
        await redshift.run(["SELECT 1"])
        assert len(stub.batches) == 2  # the same text on purpose, not by a repeat
        assert "SecretArn" not in stub.batches[0]


FAILURES: dict[str, tuple[Script, type[CadabraError]]] = {
    "a statement": (
        Script(failing=1, error="Invalid digit, Value 'd', Pos 0, Type: Integer"),
        StatementFailed,
    ),
    "a conflict": (
        Script(failing=1, error="ERROR: 1023 DETAIL: Serializable isolation violation"),
        Unavailable,
    ),
    "no rights": (Script(failing=0, error="ERROR: permission denied for schema x"), Misconfigured),
    "no database": (Script(error='FATAL: database "warehouse" does not exist'), MissingResource),
    "no connection": (Script(error="Connection refused"), Unavailable),
    "no words": (Script(), Unavailable),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_batch_that_fails_is_one_of_our_errors(name: str) -> None:
    script, kind = FAILURES[name]
    script.status = "FAILED"
    async with RedshiftDataStub(lambda _: script) as stub, opened(stub) as redshift:
        with pytest.raises(kind) as caught:
            await redshift.run(["SELECT 1", Ask("SELECT 2"), "SELECT 3"])
    if isinstance(caught.value, StatementFailed):
        assert (caught.value.index, caught.value.words) == (1, script.error)


async def test_a_batch_that_somebody_stops_may_be_repeated() -> None:
    async with RedshiftDataStub(lambda _: Script(status="ABORTED")) as stub, opened(stub) as redshift:
        with pytest.raises(Unavailable):
            await redshift.run(["SELECT 1"])


REFUSALS: dict[tuple[int, str], type[CadabraError]] = {
    (400, "ActiveStatementsExceededException"): Throttled,
    (400, "ActiveSessionsExceededException"): Throttled,
    (400, "ActiveWaitingRequestsExceededException"): Throttled,
    (500, "BatchExecuteStatementException"): Unavailable,
    (500, "InternalServerException"): Unavailable,
    (400, "ValidationException"): Misconfigured,
    (400, "ResourceNotFoundException"): MissingResource,
    (400, "AccessDeniedException"): Misconfigured,
    (400, "SomethingNew"): Refused,
}


@pytest.mark.parametrize(("status", "code"), REFUSALS)
async def test_a_call_that_is_refused_is_one_of_our_errors(status: int, code: str) -> None:
    async with RedshiftDataStub(lambda _: Script()) as stub, opened(stub, ONCE) as redshift:
        stub.refusals = [(status, code, "Redshift endpoint doesn't exist")]
        with pytest.raises(REFUSALS[status, code]):
            await redshift.run(["SELECT 1"])


async def test_a_batch_that_takes_too_long_is_asked_to_stop() -> None:
    async with (
        RedshiftDataStub(lambda _: Script(looks=10**9)) as stub,
        opened(stub, timeout_s=0.05) as redshift,
    ):
        with pytest.raises(TimedOut, match="not done after"):
            await redshift.run(["SELECT 1"])
        assert len(stub.cancelled) == 1


async def test_a_batch_that_the_service_would_refuse_is_a_bug_of_ours() -> None:
    async with RedshiftDataStub(lambda _: Script()) as stub, opened(stub) as redshift:
        for count in (0, MAX_STATEMENTS + 1):
            with pytest.raises(ValueError, match="statements"):
                await redshift.run(["SELECT 1"] * count)
        assert stub.batches == []
