"""Whether two engines hold the same rows: a digest of a table that each of them works out in its own SQL. Pure.

A row's digest is the MD5 of its values, each as a text with its length before it, so that no two rows have one text.
Rows fall into 4,096 buckets by the MD5 of their identity; a bucket's digest is its number of rows and the sums of the
two halves of the rows' MD5s. Equal digests of all buckets mean equal tables, row by row, but for chance; a bucket that
differs says where to look. MD5 guards against mistakes here, not against an adversary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts.model import Boolean, Date, Field, Timestamp, Type

BUCKET_DIGITS = 3
"""Hexadecimal digits of an identity's MD5 that name its bucket: 4,096 of them."""
_HALF_DIGITS = 15
"""Digits of each half that is summed: 60 bits, so that every engine has a whole number for it."""
_NULL = "-"

Buckets = dict[str, tuple[int, int, int]]
"""By bucket: rows, sum of the first halves, sum of the second halves."""


@dataclass(frozen=True)
class Dialect:
    """How one engine writes what the digest is made of; `{0}` stands for a column or an expression.

    Args:
        text: any other value as text: whole numbers plain, decimals with all their digits.
        instant: milliseconds since 1970, as text.
        day: `YYYY-MM-DD`.
        length: characters of a text.
        number: 15 hexadecimal digits as a whole number that may be summed without overflow.
        quote: before and after a column's name.
    """

    text: str
    instant: str
    day: str
    length: str
    number: str
    quote: str


SPARK = Dialect(
    text="CAST({0} AS STRING)",
    instant="CAST(unix_millis({0}) AS STRING)",
    day="date_format({0}, 'yyyy-MM-dd')",
    length="CAST(length({0}) AS STRING)",
    number="CAST(conv({0}, 16, 10) AS DECIMAL(20, 0))",
    quote="`",
)
POSTGRESQL = Dialect(
    text="CAST({0} AS TEXT)",
    instant="CAST(CAST(EXTRACT(EPOCH FROM {0}) * 1000 AS BIGINT) AS TEXT)",
    day="TO_CHAR({0}, 'YYYY-MM-DD')",
    length="CAST(LENGTH({0}) AS TEXT)",
    number="CAST(CAST(CAST('x' || LPAD({0}, 16, '0') AS BIT(64)) AS BIGINT) AS NUMERIC)",
    quote='"',
)
REDSHIFT = Dialect(
    # A VARCHAR without a length has 256 bytes, and a cast cuts what is longer; no column has more than these.
    text="CAST({0} AS VARCHAR(4000))",
    instant="CAST(DATEDIFF(millisecond, TIMESTAMP '1970-01-01 00:00:00', {0}) AS VARCHAR)",
    day="TO_CHAR({0}, 'YYYY-MM-DD')",
    length="CAST(LEN({0}) AS VARCHAR)",
    number="CAST(STRTOL({0}, 16) AS DECIMAL(38, 0))",
    quote='"',
)


def query(table: str, fields: Iterable[Field], identity: Iterable[str], dialect: Dialect) -> str:
    """The statement that works out a table's digest.

    Args:
        table: its name, as the engine's SQL has it.
        fields: all of its columns, in the order of the contract.
        identity: the columns that no two rows share.

    Returns:
        SQL of columns `bucket` (3 hexadecimal digits), `rows_count`, `first_half` and `second_half` (whole numbers),
        one row a bucket that has rows.
    """
    by_name = {field.name: field for field in fields}
    values = " || ".join(_value(field.name, field.type, dialect) for field in by_name.values())
    first = dialect.number.format(f"SUBSTRING(digest, 1, {_HALF_DIGITS})")
    second = dialect.number.format(f"SUBSTRING(digest, {_HALF_DIGITS + 1}, {_HALF_DIGITS})")
    return (
        f"SELECT bucket, COUNT(*) AS rows_count, SUM({first}) AS first_half, SUM({second}) AS second_half\n"  # noqa: S608
        f"FROM (SELECT {bucket(by_name.values(), identity, dialect)} AS bucket, MD5({values}) AS digest FROM {table}) "
        "AS digested\nGROUP BY bucket"
    )


def bucket(fields: Iterable[Field], identity: Iterable[str], dialect: Dialect) -> str:
    """The expression that tells the bucket of a row; arguments as those of `query`."""
    types = {field.name: field.type for field in fields}
    keys = " || ".join(_value(name, types[name], dialect) for name in identity)
    return f"SUBSTRING(MD5({keys}), 1, {BUCKET_DIGITS})"


def differing(ours: Buckets, theirs: Buckets) -> list[str]:
    """The buckets whose rows are not the same, in order."""
    return sorted(bucket for bucket in ours.keys() | theirs.keys() if ours.get(bucket) != theirs.get(bucket))


def _value(name: str, type_: Type, dialect: Dialect) -> str:
    column = f"{dialect.quote}{name}{dialect.quote}"
    text = _text(type_, dialect).format(column)
    length = dialect.length.format(text)
    return f"COALESCE({length} || ':' || {text}, '{_NULL}')"


def _text(type_: Type, dialect: Dialect) -> str:
    special: Mapping[type, str] = {
        Boolean: "CASE WHEN {0} THEN 't' ELSE 'f' END",
        Date: dialect.day,
        Timestamp: dialect.instant,
    }
    return special.get(type(type_), dialect.text)
