"""Athena's wire over another engine: executions that wait, run, end or are stopped, and results in pages of texts."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from aiohttp import web

from services.kernel.core.errors import CadabraError, MissingResource
from services.kernel.core.questions import Answer, Question, QuestionEngine, Value

_JSON = "application/x-amz-json-1.1"
_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "bigint"),
    (float, "double"),
    (Decimal, "decimal"),
    (datetime, "timestamp"),
    (date, "date"),
)
_TABLE = re.compile(r"(?:FROM|JOIN) ([a-z_]+)")


@dataclass
class FakeAthena:
    """What is asked and answered.

    Args:
        engine: works statements out; None where a test says the states itself.
        states: of the next executions' looks, one a look, the last one for good.
        faults: error codes that the next calls of an operation are answered with, by operation.
    """

    engine: QuestionEngine | None = None
    states: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    started: list[dict[str, Any]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    pages: int = 0
    page_rows: int = 1_000
    _answers: dict[str, Answer | CadabraError] = field(default_factory=dict)

    async def serve(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].partition(".")[2]
        given = json.loads(await request.text())
        if faults := self.faults.get(operation):
            fault = faults.pop(0)
            status = 500 if fault["__type"].startswith("Internal") else 400
            return web.json_response(fault, status=status, content_type=_JSON)
        call: Callable[[dict[str, Any]], Any] = {
            "StartQueryExecution": self._start,
            "GetQueryExecution": self._look,
            "GetQueryResults": self._results,
            "StopQueryExecution": self._stop,
        }[operation]
        answer = call(given)
        return web.json_response(await answer if asyncio.iscoroutine(answer) else answer, content_type=_JSON)

    async def _start(self, given: dict[str, Any]) -> dict[str, Any]:
        self.started.append(given)
        execution = f"execution-{len(self.started)}"
        if self.engine is not None:
            statement = given["QueryString"]
            question = Question(statement, frozenset(_TABLE.findall(statement)))
            try:
                self._answers[execution] = await self.engine.ask(question, max_rows=10_000, timeout_s=30)
            except CadabraError as error:
                self._answers[execution] = error
        return {"QueryExecutionId": execution}

    def _look(self, given: dict[str, Any]) -> dict[str, Any]:
        if self.states:
            status = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        else:
            status = self._status(self._answers[given["QueryExecutionId"]])
        return {"QueryExecution": {"Status": status, "Statistics": {"DataScannedInBytes": 4_711}}}

    def _status(self, answer: Answer | CadabraError) -> dict[str, Any]:
        if isinstance(answer, Answer):
            return {"State": "SUCCEEDED"}
        code = "TABLE_NOT_FOUND" if isinstance(answer, MissingResource) else "SYNTAX_ERROR"
        return {
            "State": "FAILED",
            "StateChangeReason": f"{code}: {answer}",
            "AthenaError": {"ErrorCategory": 2},
        }

    def _results(self, given: dict[str, Any]) -> dict[str, Any]:
        self.pages += 1
        answer = self._answers[given["QueryExecutionId"]]
        assert isinstance(answer, Answer)
        rows = [{"Data": [{"VarCharValue": name} for name in answer.columns]}, *map(_row, answer.rows)]
        begin = int(given.get("NextToken", 0))
        end = begin + min(given["MaxResults"], self.page_rows)
        columns = [
            {"Name": name, "Type": _type([row[place] for row in answer.rows])}
            for place, name in enumerate(answer.columns)
        ]
        page = {"ResultSet": {"Rows": rows[begin:end], "ResultSetMetadata": {"ColumnInfo": columns}}}
        return {**page, "NextToken": str(end)} if end < len(rows) else page

    def _stop(self, given: dict[str, Any]) -> dict[str, Any]:
        self.stopped.append(given["QueryExecutionId"])
        return {}


@asynccontextmanager
async def served(fake: FakeAthena) -> AsyncIterator[str]:
    """Serve it; gives its URL."""
    app = web.Application()
    app.router.add_post("/", fake.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _row(row: tuple[Value, ...]) -> dict[str, Any]:
    return {"Data": [{} if value is None else {"VarCharValue": _text(value)} for value in row]}


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _type(values: list[Value]) -> str:
    known = next((value for value in values if value is not None), "")
    return next((name for kind, name in _NAMES if isinstance(known, kind)), "varchar")
