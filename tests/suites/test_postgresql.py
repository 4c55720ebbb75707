"""PostgreSQL as a warehouse: a list of statements is one transaction, and its errors are ours."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.kernel.adapters.postgresql import PostgreSQL, Source
from services.kernel.adapters.warehouse import Ask, Copy, StatementFailed
from services.kernel.core.errors import CadabraError, Misconfigured, MissingResource, TimedOut, Unavailable

ROWS = Copy("copied", "bucket", "prefix/")
TABLE = (
    'CREATE TEMP TABLE "copied" ("number" INTEGER, "words" VARCHAR(9), "price" DECIMAL(9, 2), "at" TIMESTAMP)'
)


def giving(*lines: bytes) -> Source:
    async def source(_copy: Copy) -> AsyncIterator[bytes]:
        for line in lines:
            yield line

    return source


async def test_rows_are_copied_and_asked_for(postgresql: str) -> None:
    source = giving(b'1,"",2.50,2010-12-01 08:26:00.123\n', b'2,,,\n3,"a,""b\n",0.10,\n')
    rows = await PostgreSQL(postgresql, source).run(
        [TABLE, ROWS, Ask('SELECT * FROM "copied" ORDER BY "number"'), Ask("SELECT TRUE, 0.5::float8")]
    )
    assert rows == [
        [(1, "", "2.50", "2010-12-01 08:26:00.123000"), (2, None, None, None), (3, 'a,"b\n', "0.10", None)],
        [(True, 0.5)],
    ]


async def test_a_statement_that_fails_takes_all_back_and_is_named_by_its_place(
    postgresql: str, namespace: str
) -> None:
    warehouse = PostgreSQL(postgresql, giving())
    create = f'CREATE TABLE "{namespace}" ("number" INTEGER)'
    with pytest.raises(StatementFailed, match="digest differs") as caught:
        await warehouse.run([create, "SELECT CAST('digest differs' AS INTEGER)", "SELECT 1"])
    assert caught.value.index == 1
    await warehouse.run([create])


async def test_a_source_that_fails_takes_all_back_and_its_error_stays(postgresql: str) -> None:
    async def broken(_copy: Copy) -> AsyncIterator[bytes]:
        yield b"1,,,\n"
        raise Unavailable("s3")

    with pytest.raises(Unavailable, match=r"^s3$"):
        await PostgreSQL(postgresql, broken).run([TABLE, ROWS])


async def test_what_takes_too_long_is_timed_out(postgresql: str) -> None:
    with pytest.raises(TimedOut, match=r"not done after 0\.2 s"):
        await PostgreSQL(postgresql, giving(), timeout_s=0.2).run(["SELECT pg_sleep(30)"])


ERRORS: dict[str, type[CadabraError]] = {
    "SELECT pg_terminate_backend(pg_backend_pid())": Unavailable,
    "SELECT * FROM nowhere": StatementFailed,
    "SET LOCAL statement_timeout = 1; SELECT pg_sleep(30)": TimedOut,
    "CREATE SCHEMA pg_toast": StatementFailed,
    "CREATE SCHEMA public": Unavailable,  # what two loads may do to each other at the first start
    "SET ROLE pg_monitor; CREATE SCHEMA mine": Misconfigured,
}


@pytest.mark.parametrize("sql", ERRORS)
async def test_what_postgresql_says_is_one_of_our_errors(postgresql: str, sql: str) -> None:
    with pytest.raises(ERRORS[sql]):
        await PostgreSQL(postgresql, giving()).run([sql])


URLS: dict[str, type[CadabraError]] = {
    "{url}-gone": MissingResource,
    "postgresql://nobody@{place}": Misconfigured,
    "postgresql://cadabra:hush@[": Misconfigured,
    "postgresql://cadabra@127.0.0.1:1/postgres": Unavailable,
}


@pytest.mark.parametrize("url", URLS)
async def test_without_a_connection_the_reason_is_told_and_no_password(postgresql: str, url: str) -> None:
    made = url.format(url=postgresql, place=postgresql.partition("@")[2])
    with pytest.raises(URLS[url]) as caught:
        await PostgreSQL(made, giving()).run(["SELECT 1"])
    assert "hush" not in str(caught.value)
