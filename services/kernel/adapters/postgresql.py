"""PostgreSQL, where it stands in for Redshift: a list of statements in one transaction, rows copied in as CSV."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from services.kernel.adapters.warehouse import Ask, Copy, Row, Statement, StatementFailed, Value
from services.kernel.core.errors import (
    CadabraError,
    Misconfigured,
    MissingResource,
    TimedOut,
    Unavailable,
)

Source = Callable[[Copy], AsyncIterator[bytes]]
"""The rows of a copy as CSV, in pieces of whole lines: a null is nothing, an empty text a pair of quotes."""
# Source: https://www.postgresql.org/docs/current/errcodes-appendix.html; a class is the first two characters.
_RACED = {"42P06", "42P07", "42710"}
_TIMED_OUT = {"57014", "55P03"}
_AGAIN_CLASSES = {"08", "40", "53", "57"}
_NO_ACCESS = {"42501"}
_NO_ACCESS_CLASSES = {"28"}
_NO_DATABASE = {"3D000"}
# Of a connection that PostgreSQL refuses the client's library hands on the words alone.
_WORDS_OF_NO_ACCESS = re.compile(
    r"authentication failed|role .* does not exist|no pg_hba.conf entry|no password"
)
_WORDS_OF_NO_DATABASE = re.compile(r"database .* does not exist")


class PostgreSQL:
    """One database of PostgreSQL; a connection for each call.

    Transactions are REPEATABLE READ, which is what Redshift has: all statements see one state, taken after a LOCK that
    comes first.

    Args:
        url: `postgresql://user:password@host:port/database`.
        source: reads the Parquet objects of a `Copy`; PostgreSQL cannot.
        timeout_s: of a whole transaction.
    """

    def __init__(
        self, url: str, source: Source, timeout_s: float = 900.0, connect_timeout_s: float = 5.0
    ) -> None:
        self._url = url
        self._source = source
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s

    async def run(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `Warehouse.run`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._run(statements)
        except TimeoutError as error:
            raise TimedOut(f"postgresql: not done after {self._timeout_s:g} s") from error

    async def _run(self, statements: Sequence[Statement]) -> list[list[Row]]:
        connection = await self._connect()
        try:
            answers = []
            for index, statement in enumerate(statements):
                try:
                    rows = await self._one(connection, statement)
                except psycopg.Error as error:
                    raise _translate(error, index) from error
                if isinstance(statement, Ask):
                    answers.append(rows)
            try:
                await connection.commit()
            except psycopg.Error as error:
                raise TimedOut(f"postgresql: commit: {_words(error)}") from error
            return answers
        finally:
            await connection.close()  # before a commit this rolls back

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        try:
            connection = await psycopg.AsyncConnection.connect(
                self._url, connect_timeout=max(2, round(self._connect_timeout_s))
            )
        except psycopg.Error as error:
            raise _translate(error, None) from error
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        return connection

    async def _one(self, connection: psycopg.AsyncConnection[Any], statement: Statement) -> list[Row]:
        async with connection.cursor() as cursor:
            if isinstance(statement, Copy):
                await self._copy(cursor, statement)
                return []
            text = statement.sql if isinstance(statement, Ask) else statement
            await cursor.execute(text.encode())
            if not isinstance(statement, Ask):
                return []
            return [tuple(map(_plain, row)) for row in await cursor.fetchall()]

    async def _copy(self, cursor: psycopg.AsyncCursor[Any], what: Copy) -> None:
        into = sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(sql.Identifier(what.table))
        async with cursor.copy(into) as copy:
            async for lines in self._source(what):
                await copy.write(lines)


def _plain(value: Any) -> Value:
    match value:
        case Decimal() | datetime() | date():
            return str(value)
    return value  # type: ignore[no-any-return]


def _words(error: psycopg.Error) -> str:
    """PostgreSQL's own sentence, without the details that quote a row."""
    return error.diag.message_primary or type(error).__name__


def _translate(error: psycopg.Error, index: int | None) -> CadabraError:
    """Our error.

    Args:
        index: of the statement; None while connecting.
    """
    state = error.sqlstate or ""
    words = f"postgresql: {state} {_words(error)}".replace("  ", " ")
    if state in _RACED or (state == "23505" and error.diag.schema_name == "pg_catalog"):
        return Unavailable(f"{words}: another one makes it at this moment")
    if state in _TIMED_OUT:
        return TimedOut(words)
    if state in _NO_DATABASE:
        return MissingResource(words)
    if state in _NO_ACCESS or state[:2] in _NO_ACCESS_CLASSES:
        return Misconfigured(words)
    if index is None:
        return _not_connected(error)
    lost = isinstance(error, psycopg.OperationalError) and not state
    if lost or state[:2] in _AGAIN_CLASSES:
        return Unavailable(words)
    return StatementFailed(index, _words(error))


def _not_connected(error: psycopg.Error) -> CadabraError:
    """Our error where there is no connection. The library's words may quote the URL, so they are not repeated."""
    if isinstance(error, psycopg.ProgrammingError):
        return Misconfigured("postgresql: the URL cannot be read")
    words = str(error)
    if _WORDS_OF_NO_DATABASE.search(words):
        return MissingResource("postgresql: there is no such database")
    if _WORDS_OF_NO_ACCESS.search(words):
        return Misconfigured("postgresql: no access to the database")
    return Unavailable(f"postgresql: no connection ({type(error).__name__})")
