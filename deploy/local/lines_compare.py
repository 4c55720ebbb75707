"""Holds the places that have order lines against each other, line by line and to the penny.

What was sent is only known of the replay's own senders; others send too (the alarm's surge, who measures freshness).
So the raw file is compared with the lake's lines of the replay's senders, and the order store with all of them.
"""

# ruff: noqa: S608 - what is put into a statement is a name or a constant of ours

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import duckdb

from deploy.local.line_tables import CONTENT, IDENTITY, STAR

TOLD = 10
"""Differences of each kind that a pair tells; all are counted."""
_OF_A_STAR = tuple(name for name in CONTENT if name != "description")


@dataclass(slots=True)
class Pair:
    """Two places, line by line.

    Args:
        left: what should be.
        right: what is.
        missing: lines of the left that the right does not have.
        doubled: rows of the right beyond the first of an identity.
        altered: lines that say something else.
        foreign: lines of the right that the left does not have.
        told: the first differences, as sentences.
    """

    left: str
    right: str
    lines: int = 0
    missing: int = 0
    doubled: int = 0
    altered: int = 0
    foreign: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def differences(self) -> int:
        """All of them."""
        return self.missing + self.doubled + self.altered + self.foreign


@dataclass(slots=True)
class LineReport:
    """The outcome of one comparison.

    Args:
        lines: of each place.
        replayed: lines of the replay's senders, of each place.
        sums: sums by month and country that were compared, over all places.
        sums_differing: those that are not equal to the penny, as sentences.
        rows: of each table of the star that lake and warehouse have equal.
        rows_differing: of each, those that only one of them has.
        faults: what cannot be read at all.
    """

    lines: dict[str, int] = field(default_factory=dict)
    replayed: dict[str, int] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    sums: int = 0
    revenue: str = "0"
    sums_differing: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    rows_differing: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    lines_landed: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing differs anywhere."""
        differing = sum(pair.differences for pair in self.pairs) + sum(self.rows_differing.values())
        return not (differing or self.sums_differing or self.faults)

    def count(self, what: str) -> int:
        """Differences of one kind over all pairs: missing, doubled, altered or foreign."""
        return sum(getattr(pair, what) for pair in self.pairs)

    @property
    def told(self) -> list[str]:
        """The first differences, as sentences."""
        tables = [f"{name}: {count} rows differ" for name, count in self.rows_differing.items() if count]
        return [
            *self.faults,
            *(sentence for pair in self.pairs for sentence in pair.told),
            *self.sums_differing,
            *tables,
        ]

    def as_json(self) -> dict[str, Any]:
        """Everything; sums of money are texts."""
        return {
            "ok": self.ok,
            **asdict(self),
            **{what: self.count(what) for what in ("missing", "doubled", "altered", "foreign")},
        }


def compare(connection: duckdb.DuckDBPyConnection, faults: Sequence[str] = ()) -> LineReport:
    """Compares the tables that `line_tables` made.

    Args:
        faults: what could not be read of them.
    """
    report = LineReport(faults=list(faults[:TOLD]))
    connection.execute("CREATE TABLE replayer AS SELECT DISTINCT source FROM raw")
    places = ("raw", "store", "lake", "star", "warehouse")
    for place in places:
        report.lines[place] = _one(connection, f"SELECT count(*) FROM {place}")
        report.replayed[place] = _one(connection, f"SELECT count(*) FROM {place} {_REPLAYED}")
    report.objects = _one(connection, "SELECT count(*) FROM lake_loaded_objects")
    report.lines_landed = _one(connection, "SELECT coalesce(sum(lines), 0) FROM lake_loaded_objects")
    report.pairs = [
        _pair(connection, Pair("raw", "lake"), CONTENT, replayed_only=True),
        _pair(connection, Pair("store", "lake"), CONTENT),
        _pair(connection, Pair("lake", "star"), _OF_A_STAR),
        _pair(connection, Pair("lake", "warehouse"), _OF_A_STAR),
    ]
    for place in places[2:]:
        _sums(connection, place, report)
    for name in STAR:
        report.rows[name] = _one(connection, f"SELECT count(*) FROM warehouse_{name}")
        report.rows_differing[name] = _one(connection, _ONLY_ONE_HAS.format(name=name))
    return report


_REPLAYED = "WHERE source IN (FROM replayer)"
_ONLY_ONE_HAS = (
    "SELECT (SELECT count(*) FROM (FROM lake_{name} EXCEPT ALL FROM warehouse_{name}))"
    " + (SELECT count(*) FROM (FROM warehouse_{name} EXCEPT ALL FROM lake_{name}))"
)


def _pair(
    connection: duckdb.DuckDBPyConnection, pair: Pair, content: Sequence[str], *, replayed_only: bool = False
) -> Pair:
    """Counts and tells what differs; a line of the raw file that is not certain need not be there."""
    identity = ", ".join(IDENTITY)
    right = f"(FROM {pair.right} {_REPLAYED if replayed_only else ''})"
    changed = " OR ".join(f"l.{name} IS DISTINCT FROM r.{name}" for name in content)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE differing AS SELECT {_both(content)}, CASE WHEN r.kind IS NULL THEN 'missing' "
        f"WHEN l.kind IS NULL THEN 'foreign' ELSE 'altered' END AS what "
        f"FROM {pair.left} l FULL JOIN {right} r USING ({identity}) "
        f"WHERE CASE WHEN r.kind IS NULL THEN {'certain' if replayed_only else 'true'} "
        f"WHEN l.kind IS NULL THEN true ELSE {changed} END"
    )
    pair.lines = _one(connection, f"SELECT count(*) FROM {right}")
    pair.doubled = pair.lines - _one(connection, f"SELECT count(DISTINCT ({identity})) FROM {right}")
    twice = f"SELECT {identity} FROM {right} GROUP BY ALL HAVING count(*) > 1"
    if pair.doubled:
        _tell(connection, pair, "doubled", twice, ())
    for what in ("missing", "altered", "foreign"):
        query = f"SELECT * EXCLUDE (what) FROM differing WHERE what = '{what}'"
        setattr(pair, what, _one(connection, f"SELECT count(*) FROM ({query})"))
        _tell(connection, pair, what, query, content if what == "altered" else ())
    return pair


def _tell(
    connection: duckdb.DuckDBPyConnection, pair: Pair, what: str, query: str, content: Sequence[str]
) -> None:
    rows = connection.execute(f"{query} ORDER BY ALL LIMIT {TOLD}").fetchall()
    pair.told += [f"{pair.right}, {what}: {_sentence(row, content)}" for row in rows]


def _both(content: Sequence[str]) -> str:
    """The identity, then each value of both, so that one that changed can be told."""
    return ", ".join(IDENTITY) + "".join(f", l.{name}, r.{name} AS {name}_" for name in content)


def _sentence(row: Sequence[object], content: Sequence[str]) -> str:
    source, order_id, line_id, *values = row
    changes = [
        f"{name} {before!r} became {after!r}"
        for name, before, after in zip(content, values[::2], values[1::2], strict=False)
        if before != after
    ]
    return f"{source}/{order_id} line {line_id}" + (f" ({', '.join(changes)})" if changes else "")


def _sums(connection: duckdb.DuckDBPyConnection, place: str, report: LineReport) -> None:
    """Revenue by month and country of what was replayed, as the raw file has it and as this place has it."""
    rows = connection.execute(_BY_MONTH_AND_COUNTRY.format(place=place)).fetchall()
    report.sums += len(rows)
    report.sums_differing += [
        f"{place}: {month} {country}: the raw file has {raw}, it has {found}"
        for month, country, raw, found in rows
        if raw != found
    ][:TOLD]
    report.revenue = str(sum(raw for *_, raw, _ in rows if raw is not None))


_REVENUE = "strftime(make_timestamp(ordered_ms * 1000), '%Y-%m') AS month, country, sum(amount) AS revenue"
# A line of the raw file that is not certain counts where it has arrived.
_BY_MONTH_AND_COUNTRY = f"""
WITH expected AS (
  SELECT {_REVENUE} FROM raw WHERE certain OR ({", ".join(IDENTITY)}) IN (SELECT ({", ".join(IDENTITY)}) FROM {{place}})
  GROUP BY ALL
), found AS (SELECT {_REVENUE} FROM {{place}} {_REPLAYED} GROUP BY ALL)
SELECT month, country, expected.revenue, found.revenue
FROM expected FULL JOIN found USING (month, country) ORDER BY ALL
"""


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    ((found,),) = connection.execute(query).fetchall()
    return int(found)
