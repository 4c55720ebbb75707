"""The Redshift Data API as far as a client sees it: requests held to the service's own model, answers by script."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

MODEL = ServiceModel(Loader().load_service_model("redshift-data", "service-2"))
_TARGET = "RedshiftData."


@dataclass
class Script:
    """How one batch goes.

    Args:
        looks: how many times it is seen at work before it has ended.
        failing: index of the statement that fails with `error`; None for none.
        error: of the statement, or of the whole where none fails.
        status: of the whole, when it has ended.
        rows: by index of a statement, its records as the API has them.
        page: records in one answer.
    """

    looks: int = 1
    failing: int | None = None
    error: str | None = None
    status: str = "FINISHED"
    rows: dict[int, list[list[dict[str, Any]]]] = field(default_factory=dict)
    page: int = 2


Chooses = Callable[[Sequence[str]], Script]


class RedshiftDataStub:
    """Answers on a port of its own.

    Args:
        chooses: the script of a batch, by its statements.
    """

    def __init__(self, chooses: Chooses) -> None:
        self.chooses = chooses
        self.batches: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        self.refusals: list[tuple[int, str, str]] = []
        """Status, code and words for the next calls, before they have an effect."""
        self.lost = 0
        """How many of the next batches are taken without an answer that arrives."""
        self._scripts: list[Script] = []
        self._looks: dict[str, int] = {}
        self._tokens: dict[str, str] = {}
        app = web.Application()
        app.router.add_post("/", self._answer)
        self._server = TestServer(app)

    async def __aenter__(self) -> RedshiftDataStub:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        """Where it serves."""
        return str(self._server.make_url("/"))

    async def _answer(self, request: web.Request) -> web.Response:
        operation = MODEL.operation_model(request.headers["X-Amz-Target"].removeprefix(_TARGET))
        given = json.loads(await request.read())
        report = ParamValidator().validate(given, operation.input_shape)
        unknown = given.keys() - operation.input_shape.members.keys()
        assert not report.has_errors(), report.generate_report()
        assert not unknown, unknown
        assert "/redshift-data/aws4_request" in request.headers["Authorization"]
        if self.refusals:
            status, code, words = self.refusals.pop(0)
            return web.json_response({"__type": code, "message": words}, status=status)
        answer = {
            "BatchExecuteStatement": self._take,
            "DescribeStatement": self._describe,
            "GetStatementResult": self._result,
            "CancelStatement": self._cancel,
        }[operation.name](given)
        held = ParamValidator().validate(answer, operation.output_shape)
        assert not held.has_errors(), held.generate_report()
        if self.lost and operation.name == "BatchExecuteStatement":
            self.lost -= 1
            return web.json_response({"__type": "InternalServerException"}, status=500)
        return web.json_response(answer)

    def _take(self, given: dict[str, Any]) -> dict[str, Any]:
        token = given["ClientToken"]
        if token not in self._tokens:
            self._tokens[token] = f"00000000-0000-4000-8000-{len(self.batches):012d}"
            self.batches.append(given)
            self._scripts.append(self.chooses(given["Sqls"]))
        return {"Id": self._tokens[token]}

    def _describe(self, given: dict[str, Any]) -> dict[str, Any]:
        batch = given["Id"]
        number = int(batch[-12:])
        script = self._scripts[number]
        self._looks[batch] = self._looks.get(batch, 0) + 1
        if self._looks[batch] <= script.looks:
            return {"Id": batch, "Status": "STARTED", "HasResultSet": False}
        parts = [self._part(batch, at, script) for at in range(len(self.batches[number]["Sqls"]))]
        error = {} if script.error is None else {"Error": f"Query #1 failed with {script.error}"}
        return {"Id": batch, "Status": script.status, "SubStatements": parts, **error}

    def _part(self, batch: str, at: int, script: Script) -> dict[str, Any]:
        part = {"Id": f"{batch}:{at + 1}", "HasResultSet": at in script.rows}
        if script.failing is None:
            return {**part, "Status": script.status if script.status == "FINISHED" else "ABORTED"}
        if at == script.failing:
            return {**part, "Status": "FAILED", "Error": script.error}
        return {**part, "Status": "FINISHED" if at < script.failing else "ABORTED"}

    def _result(self, given: dict[str, Any]) -> dict[str, Any]:
        batch, _, part = given["Id"].partition(":")
        script = self._scripts[int(batch[-12:])]
        start = int(given.get("NextToken", 0))
        records = script.rows[int(part) - 1]
        more = {"NextToken": str(start + script.page)} if start + script.page < len(records) else {}
        return {"Records": records[start : start + script.page], "ColumnMetadata": [], **more}

    def _cancel(self, given: dict[str, Any]) -> dict[str, Any]:
        self.cancelled.append(given["Id"])
        return {"Status": True}
