"""Amazon Redshift Serverless by its Data API: a list of statements as one batch, which is one transaction.

No connection is held: a batch is handed over, looked at until it has ended, and its rows are fetched. It goes on and
commits, or not, whether or not anybody looks.

Source: https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_BatchExecuteStatement.html
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from services.kernel.adapters import sdk
from services.kernel.adapters.warehouse import Ask, Copy, Row, Statement, StatementFailed, Value
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

MAX_STATEMENTS = 40
"""Source: the service's model: `SqlList` has at most 40 members."""
_THROTTLED = {
    "ActiveSessionsExceededException",
    "ActiveStatementsExceededException",
    "ActiveWaitingRequestsExceededException",
}
# Redshift's own words are all that a failed batch tells; there is no code beside them.
_AGAIN = re.compile(
    r"serializable isolation|could not serialize|conflict with concurrent|deadlock|\b10(?:18|20|23)\b"
    r"|connection|cancell?ed|shutting down|resum",
    re.IGNORECASE,
)
_NO_ACCESS = re.compile(r"permission denied|not authorized|access ?denied|password", re.IGNORECASE)
_NO_DATABASE = re.compile(r'database "[^"]*" does not exist|s3 bucket .*does not exist', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """Which database, and by whose rights.

    Args:
        workgroup: name of the Redshift Serverless workgroup.
        secret_arn: of the database user; None for the caller's own IAM identity.
        copy_role_arn: the role by which Redshift reads S3.
    """

    workgroup: str
    database: str
    copy_role_arn: str
    secret_arn: str | None = None


class Redshift:
    """One client of the Data API.

    Calls are repeated for a while where that is harmless: handing a batch over is, by its token.

    Args:
        timeout_s: of a whole batch; one that takes longer is asked to stop.
        retry: of a call; poll: pauses between two looks.
    """

    def __init__(
        self,
        client: Any,
        place: Place,
        timeout_s: float = 900.0,
        retry: Retry | None = None,
        poll: Retry | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._place = place
        self._timeout_s = timeout_s
        self._retry = retry or Retry(base_s=0.2, cap_s=5.0, budget_s=30.0)
        self._poll = poll or Retry(base_s=0.2, cap_s=3.0)
        self._clock = clock

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        endpoint: str | None,
        region: str,
        place: Place,
        timeout_s: float = 900.0,
        retry: Retry | None = None,
        poll: Retry | None = None,
        connect_timeout_s: float = 3.0,
        read_timeout_s: float = 20.0,
    ) -> AsyncIterator[Redshift]:
        """Open a client for the length of a `with`.

        Args:
            endpoint: URL, None on AWS.
        """
        session = sdk.new_session()
        async with sdk.client(
            session, "redshift-data", endpoint, region, 4, connect_timeout_s, read_timeout_s
        ) as client:
            yield cls(client, place, timeout_s, retry, poll)

    async def run(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `Warehouse.run`; at most `MAX_STATEMENTS`."""
        if not 1 <= len(statements) <= MAX_STATEMENTS:
            raise ValueError(f"{len(statements)} statements, 1 to {MAX_STATEMENTS} allowed")
        secret = {"SecretArn": self._place.secret_arn} if self._place.secret_arn else {}
        handed = await self._call(
            "batch_execute_statement",
            Sqls=[self._sql(one) for one in statements],
            WorkgroupName=self._place.workgroup,
            Database=self._place.database,
            ClientToken=uuid.uuid4().hex,
            **secret,
        )
        ended = await self._ended(str(handed["Id"]))
        if ended["Status"] != "FINISHED":
            raise _failure(ended)
        parts = [str(part["Id"]) for part in ended["SubStatements"]]
        return [
            await self._rows(part)
            for part, statement in zip(parts, statements, strict=True)
            if isinstance(statement, Ask)
        ]

    def _sql(self, statement: Statement) -> str:
        match statement:
            case Ask(sql=text):
                return text
            case Copy(table=table, bucket=bucket, prefix=prefix):
                return (
                    f"COPY \"{table}\" FROM 's3://{bucket}/{prefix}' "
                    f"IAM_ROLE '{self._place.copy_role_arn}' FORMAT AS PARQUET"
                )
        return statement

    async def _ended(self, batch: str) -> Mapping[str, Any]:
        """Look at a batch until it has ended."""
        deadline = self._clock() + self._timeout_s
        attempt = 0
        while True:
            seen = await self._call("describe_statement", Id=batch)
            if seen["Status"] in ("FINISHED", "FAILED", "ABORTED"):
                return seen
            if self._clock() > deadline:
                break
            await self._poll.pause(attempt)
            attempt += 1
        with suppress(CadabraError):  # it may have ended by itself
            await self._call("cancel_statement", Id=batch)
        raise TimedOut(f"redshift: batch {batch}: not done after {self._timeout_s:g} s")

    async def _rows(self, part: str) -> list[Row]:
        rows: list[Row] = []
        more: dict[str, str] = {}
        while True:
            answer = await self._call("get_statement_result", Id=part, **more)
            rows += [tuple(map(_value, record)) for record in answer["Records"]]
            if not answer.get("NextToken"):
                return rows
            more = {"NextToken": answer["NextToken"]}

    async def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        async def once() -> dict[str, Any]:
            try:
                answer: dict[str, Any] = await getattr(self._client, operation)(**arguments)
            except sdk.SDK_ERRORS as error:
                raise _translate(error, f"{operation} {self._place.workgroup}") from error
            return answer

        return await self._retry.call(once)


def _value(field: Mapping[str, Any]) -> Value:
    """The one value of a union of types."""
    if field.get("isNull"):
        return None
    value: Value = next(
        field[kind] for kind in ("stringValue", "longValue", "booleanValue", "doubleValue") if kind in field
    )
    return value


def _failure(ended: Mapping[str, Any]) -> CadabraError:
    """Our error for a batch that failed or was stopped."""
    parts = ended.get("SubStatements", [])
    index = next((number for number, part in enumerate(parts) if part.get("Status") == "FAILED"), None)
    words = str((parts[index].get("Error") if index is not None else None) or ended.get("Error") or "")
    told = f"redshift: batch {ended['Id']}: {words or ended['Status']}"
    if _NO_ACCESS.search(words):
        return Misconfigured(told)
    if _NO_DATABASE.search(words):
        return MissingResource(told)
    if ended["Status"] == "ABORTED" or _AGAIN.search(words) or index is None:
        return Unavailable(told)
    return StatementFailed(index, words)


def _translate(error: Any, what: str) -> CadabraError:
    code = sdk.error_code(error)
    if code in _THROTTLED:
        return Throttled(f"{what}: {code}")
    found = sdk.translate(error, what)
    if isinstance(found, Refused) and code == "ValidationException":
        # No such workgroup or database, or a secret that is none: the service tells by its words alone.
        return Misconfigured(f"{what}: {error.response['Error'].get('Message', code)}")
    return found
