"""Amazon Athena: a statement started, watched, and its rows read page by page.

How many bytes a query may scan is the workgroup's own limit; Athena cancels what is beyond it.

Source: https://docs.aws.amazon.com/athena/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from services.kernel.adapters import sdk
from services.kernel.core.errors import CadabraError, Misconfigured, MissingResource, Throttled, Unavailable
from services.kernel.core.questions import Answer, Question, QuestionRefused, TooMuch, TooSlow, Value

_PAGE_ROWS = 1_000
_FIRST_LOOK_S, _LOOK_CAP_S = 0.1, 1.0
_STOP_TIMEOUT_S = 3.0
_NO_SUCH_TABLE = ("TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND")
_SYSTEM = 1
"""ErrorCategory of what is not the statement's fault."""


class Athena:
    """A `QuestionEngine` over one database, in one workgroup, which says where results go and what may be scanned."""

    def __init__(self, client: Any, database: str, workgroup: str) -> None:
        self._client = client
        self._database = database
        self._workgroup = workgroup

    @classmethod
    @asynccontextmanager
    async def open(
        cls, endpoint: str | None, region: str, database: str, workgroup: str, max_connections: int = 16
    ) -> AsyncIterator[Athena]:
        """Open a client for the length of a `with`.

        Args:
            endpoint: URL, None on AWS.
            database: of the Glue Data Catalog.
        """
        session = sdk.new_session()
        async with sdk.client(session, "athena", endpoint, region, max_connections, 3.0, 10.0) as client:
            yield cls(client, database, workgroup)

    async def ask(self, question: Question, *, max_rows: int, timeout_s: float) -> Answer:
        """Answer one question; see `QuestionEngine`. One that is given up is stopped in Athena too."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._asked(question, max_rows)
        except TimeoutError as error:
            raise TooSlow(f"no answer within {timeout_s:g} s") from error

    async def _asked(self, question: Question, max_rows: int) -> Answer:
        # The token makes a repeat of this call find the same execution, should one be lost on its way.
        started = await self._call(
            "start_query_execution",
            QueryString=question.statement,
            ClientRequestToken=uuid.uuid4().hex,
            QueryExecutionContext={"Database": self._database},
            WorkGroup=self._workgroup,
        )
        execution = str(started["QueryExecutionId"])
        try:
            ended = await self._ended(execution)
        except BaseException:
            await self._stop(execution)
            raise
        return await self._rows(execution, max_rows, ended.get("Statistics", {}).get("DataScannedInBytes"))

    async def _ended(self, execution: str) -> Mapping[str, Any]:
        wait_s = _FIRST_LOOK_S
        while True:
            try:
                answer = await self._call("get_query_execution", QueryExecutionId=execution)
            except (Throttled, Unavailable):
                answer = {}  # the query goes on; the caller's time bounds how often this happens
            found: Mapping[str, Any] = answer.get("QueryExecution", {})
            status = found.get("Status", {})
            if status.get("State") == "SUCCEEDED":
                return found
            if status.get("State") in ("FAILED", "CANCELLED"):
                raise _failure(status)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LOOK_CAP_S)

    async def _rows(self, execution: str, max_rows: int, scanned_bytes: int | None) -> Answer:
        columns: list[Mapping[str, Any]] = []
        rows: list[tuple[Value, ...]] = []
        more: dict[str, Any] = {}
        while True:
            page = await self._call(
                "get_query_results", QueryExecutionId=execution, MaxResults=_PAGE_ROWS, **more
            )
            found = page["ResultSet"]
            data = found.get("Rows", [])
            if not more:
                columns = found["ResultSetMetadata"]["ColumnInfo"]
                data = data[1:]  # the first row of all names the columns
            rows += [_row(columns, one.get("Data", [])) for one in data]
            token = page.get("NextToken")
            if token is None or len(rows) > max_rows:
                break
            more = {"NextToken": token}
        names = tuple(str(column["Name"]) for column in columns)
        return Answer(names, tuple(rows[:max_rows]), len(rows) > max_rows, scanned_bytes)

    async def _stop(self, execution: str) -> None:
        """Ask Athena to give the query up; what cannot be told ends by the workgroup's limits."""
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await self._call("stop_query_execution", QueryExecutionId=execution)
        except (CadabraError, TimeoutError):
            return

    async def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await getattr(self._client, operation)(**arguments)
        except sdk.SDK_ERRORS as error:
            raise _translated(error, operation) from error
        return answer


def _row(columns: list[Mapping[str, Any]], cells: list[Mapping[str, str]]) -> tuple[Value, ...]:
    return tuple(
        value(str(column["Type"]), cell.get("VarCharValue"))
        for column, cell in zip(columns, cells, strict=True)
    )


def value(kind: str, text: str | None) -> Value:
    """What a cell's text means.

    Args:
        kind: type of its column, as Athena names it.
        text: None for null.
    """
    return None if text is None else _READ.get(kind, str)(text)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix(" UTC"))


_READ: Mapping[str, Callable[[str], Value]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("float", "real", "double"), float),
    "boolean": lambda text: text == "true",
    "decimal": Decimal,
    "date": date.fromisoformat,
    "timestamp": _instant,
    "timestamp with time zone": _instant,
}


def _failure(status: Mapping[str, Any]) -> CadabraError:
    reason = str(status.get("StateChangeReason", status["State"]))
    error = status.get("AthenaError", {})
    if "bytes scanned limit" in reason.lower():
        return TooMuch("it would read more than the workgroup allows")
    if reason.startswith(_NO_SUCH_TABLE):
        return MissingResource(reason)
    if status["State"] == "CANCELLED" or error.get("Retryable") or error.get("ErrorCategory") == _SYSTEM:
        return Unavailable(f"athena: {reason}")
    return QuestionRefused(reason)


def _translated(error: BaseException, operation: str) -> CadabraError:
    if sdk.error_code(error) != "InvalidRequestException":
        return sdk.translate(error, f"athena {operation}")
    response = getattr(error, "response", {})
    words = str(response.get("Error", {}).get("Message", ""))
    if response.get("AthenaErrorCode") == "MALFORMED_QUERY":
        return QuestionRefused(words)
    return Misconfigured(f"athena {operation}: {words}")
