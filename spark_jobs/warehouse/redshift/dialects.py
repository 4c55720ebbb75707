"""The few words in which the SQL of the two engines differs."""

from __future__ import annotations

from dataclasses import dataclass

from spark_jobs.warehouse import digest


@dataclass(frozen=True)
class Dialect:
    """One engine's words.

    Args:
        ddl: folder of its CREATE TABLE statements below `contracts/generated`.
        lock: makes other loads wait, with the table's name at `{0}`.
        now: the time of the statement, UTC, without zone.
        seconds: since the transaction began.
        digest: how its digests are worked out.
    """

    ddl: str
    lock: str
    now: str
    seconds: str
    digest: digest.Dialect


POSTGRESQL = Dialect(
    ddl="postgresql",
    lock="LOCK TABLE {0} IN EXCLUSIVE MODE",  # readers of the ledger need not wait
    now="CAST(CLOCK_TIMESTAMP() AT TIME ZONE 'UTC' AS TIMESTAMP)",
    seconds="CAST(EXTRACT(EPOCH FROM CLOCK_TIMESTAMP() - TRANSACTION_TIMESTAMP()) AS DOUBLE PRECISION)",
    digest=digest.POSTGRESQL,
)
REDSHIFT = Dialect(
    ddl="redshift",
    lock="LOCK {0}",
    now="GETDATE()",
    seconds="CAST(DATEDIFF(millisecond, SYSDATE, GETDATE()) AS DOUBLE PRECISION) / 1000",
    digest=digest.REDSHIFT,
)
