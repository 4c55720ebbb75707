"""DuckDB inside this process, over Iceberg tables that the Glue Data Catalog names: Athena's place on one machine.

A statement comes in Athena's dialect and is written anew in DuckDB's. Whatever it says, DuckDB reads the lake's
warehouse folder alone and writes nothing but what it spills: access to anything else is shut off before it is run.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import duckdb
import duckdb_ext
import sqlglot
from sqlglot.errors import SqlglotError

from services.kernel.adapters import sdk
from services.kernel.core.errors import CadabraError, Misconfigured, MissingResource, Unavailable
from services.kernel.core.questions import Answer, Question, QuestionRefused, TooMuch, TooSlow, Value

_EXTENSIONS = ("httpfs", "avro", "iceberg")
_EVERY_ROW = 2**62
_INTERRUPT_EVERY_S = 0.05
_SPILL_FACTOR = 4
_ZONED = "TIMESTAMP WITH TIME ZONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the lake is.

    Args:
        database: of the Glue Data Catalog.
        warehouse: URL of the folder that all tables lie in, `s3://bucket/folder/`; nothing else can be read.
        glue_endpoint, s3_endpoint: URL, None on AWS.
    """

    database: str
    warehouse: str
    region: str
    glue_endpoint: str | None = None
    s3_endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What all questions together may take.

    Args:
        memory_mb: MiB that DuckDB holds; beyond it spills to disk, at most four times as much.
        threads: that work on them.
        at_once: questions at work; further ones wait for their turn, within their time.
    """

    memory_mb: int = 512
    threads: int = 2
    at_once: int = 2


class DuckDB:
    """A `QuestionEngine` over one database; made ready by the first question, so that it opens without a lake.

    Two things answer otherwise than on Athena: a quotient, and the average of decimals, are doubles here. Credentials
    are those of the first question; it is not made for ones that expire.
    """

    def __init__(self, glue: Any, session: Any, place: Place, bounds: Bounds, spill: Path) -> None:
        self._glue = glue
        self._session = session
        self._place = place
        self._bounds = bounds
        self._spill = spill
        self._turns = asyncio.Semaphore(bounds.at_once)
        self._threads = ThreadPoolExecutor(bounds.at_once, thread_name_prefix="duckdb")
        self._opening = asyncio.Lock()
        self._database: duckdb.DuckDBPyConnection | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, place: Place, bounds: Bounds | None = None) -> AsyncIterator[DuckDB]:
        """Open it for the length of a `with`."""
        session = sdk.new_session()
        with tempfile.TemporaryDirectory(prefix="duckdb-") as spill:
            async with sdk.client(session, "glue", place.glue_endpoint, place.region, 8, 3.0, 10.0) as glue:
                opened = cls(glue, session, place, bounds or Bounds(), Path(spill))
                try:
                    yield opened
                finally:
                    opened._close()

    async def ask(self, question: Question, *, max_rows: int, timeout_s: float) -> Answer:
        """Answer one question over the tables' present snapshots; see `QuestionEngine`."""
        statement = _written_anew(question.statement)
        try:
            async with asyncio.timeout(timeout_s), self._turns:
                tables = {name: await self._metadata(name) for name in sorted(question.tables)}
                return await self._run(await self._connected(), tables, statement, max_rows)
        except TimeoutError as error:
            raise TooSlow(f"no answer within {timeout_s:g} s") from error

    async def _metadata(self, table: str) -> str:
        what = f"get_table {self._place.database}.{table}"
        try:
            answer = await self._glue.get_table(DatabaseName=self._place.database, Name=table)
        except sdk.SDK_ERRORS as error:
            if sdk.error_code(error) == "EntityNotFoundException":
                raise MissingResource(f"{what}: there is no such table") from error
            raise sdk.translate(error, what) from error
        location = answer["Table"].get("Parameters", {}).get("metadata_location")
        if not location:
            raise MissingResource(f"{what}: not an Iceberg table")
        return str(location)

    async def _connected(self) -> duckdb.DuckDBPyConnection:
        async with self._opening:
            if self._database is None:
                credentials = await self._session.get_credentials()
                if credentials is None:
                    raise Misconfigured("s3: there are no credentials")
                keys = await credentials.get_frozen_credentials()
                secret = _secret(self._place, keys.access_key, keys.secret_key, keys.token)
                self._database = await asyncio.to_thread(
                    _opened, self._place, self._bounds, self._spill, secret
                )
            return self._database

    async def _run(
        self, database: duckdb.DuckDBPyConnection, tables: Mapping[str, str], statement: str, max_rows: int
    ) -> Answer:
        cursor = database.cursor()
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, _answer, cursor, tables, statement, max_rows)
        try:
            return await asyncio.shield(work)
        finally:
            # The turn is given up only once DuckDB has let go, or the bounds would bound nothing.
            while not work.done():
                cursor.interrupt()  # which is lost where the statement has not begun
                await asyncio.wait([work], timeout=_INTERRUPT_EVERY_S)
            if not work.cancelled():
                work.exception()  # nobody else asks for it after a cancellation
            cursor.close()

    def _close(self) -> None:
        self._threads.shutdown()
        if self._database is not None:
            self._database.close()


def _written_anew(statement: str) -> str:
    try:
        tree = sqlglot.parse_one(statement, dialect="trino")
        if not isinstance(tree, sqlglot.exp.Query):
            raise QuestionRefused("not a statement that asks")
        return tree.sql(dialect="duckdb")
    except SqlglotError as error:
        raise QuestionRefused(str(error).splitlines()[0]) from error


def _opened(place: Place, bounds: Bounds, spill: Path, secret: str) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(
        ":memory:",
        config={
            "threads": bounds.threads,
            "memory_limit": f"{bounds.memory_mb}MiB",
            "temp_directory": str(spill),
            "max_temp_directory_size": f"{bounds.memory_mb * _SPILL_FACTOR}MiB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_persistent_secrets": False,
            "python_enable_replacements": False,
        },
    )
    duckdb_ext.init(database)
    for extension in _EXTENSIONS:
        database.load_extension(extension)
    database.execute("SET http_timeout = 10; SET http_retries = 1")
    database.execute(secret)
    database.execute(f"SET allowed_directories = [{_text(place.warehouse)}]")
    database.execute("SET enable_external_access = false")
    database.execute("SET lock_configuration = true")
    return database


def _secret(place: Place, key: str, secret: str, token: str | None) -> str:
    given = {"KEY_ID": key, "SECRET": secret, "REGION": place.region, "SCOPE": place.warehouse}
    if token:
        given["SESSION_TOKEN"] = token
    options = [f"{name} {_text(value)}" for name, value in given.items()]
    if place.s3_endpoint is not None:
        url = urlsplit(place.s3_endpoint)
        encrypted = "true" if url.scheme == "https" else "false"
        options += [f"ENDPOINT {_text(url.netloc)}", "URL_STYLE 'path'", f"USE_SSL {encrypted}"]
    return f"CREATE SECRET lake (TYPE s3, {', '.join(options)})"


def _answer(
    cursor: duckdb.DuckDBPyConnection, tables: Mapping[str, str], statement: str, max_rows: int
) -> Answer:
    try:
        for table, metadata in tables.items():
            cursor.execute(_view(cursor, table, metadata))
        found = cursor.execute(statement)
        columns = tuple(str(column[0]) for column in found.description or ())
        rows = cast("list[tuple[Value, ...]]", found.fetchmany(max_rows + 1))
    except duckdb.Error as error:
        raise _translated(error) from error
    return Answer(columns, tuple(rows[:max_rows]), len(rows) > max_rows)


def _view(cursor: duckdb.DuckDBPyConnection, table: str, metadata: str) -> str:
    """The statement that makes a table known, as it is in one snapshot.

    The LIMIT keeps conditions away from the scan. DuckDB 1.4 passes over whole files by what it works out from their
    smallest and largest values, also for an expression such as `month(ordered_at) = 3` that has no order, and would
    lose rows without a word. Columns that nobody asks for are not read nevertheless. Instants lose their zone, UTC:
    DuckDB needs further libraries to show them with it.
    """
    scan = f"iceberg_scan({_text(metadata)})"
    described = cursor.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()  # noqa: S608 - quoted
    zoned = [
        f'make_timestamp(epoch_us("{name}")) AS "{name}"' for name, kind, *_ in described if kind == _ZONED
    ]
    replaced = f" REPLACE ({', '.join(zoned)})" if zoned else ""
    return f'CREATE TEMP VIEW "{table}" AS SELECT *{replaced} FROM {scan} LIMIT {_EVERY_ROW}'  # noqa: S608


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _translated(error: duckdb.Error) -> CadabraError:
    words = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    if isinstance(error, duckdb.OutOfMemoryException):
        return TooMuch("it needs more memory than its bound")
    if isinstance(error, duckdb.HTTPException | duckdb.IOException):
        return Unavailable(words)
    return QuestionRefused(words)
