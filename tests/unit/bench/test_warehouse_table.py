"""The table shows what was measured, and a goal that is missed is said to be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.warehouse.table import COPY, DAY, FULL, MIB, OURS, Measured, goals, rows

FULL_LOAD = Measured(OURS, 1, FULL, 60.0, 90.0, 2000 * MIB, 500_000, "10.0000")
ALL = [
    FULL_LOAD,
    Measured(COPY, 1, FULL, 5.0, 4.0, 200 * MIB),
    replace(FULL_LOAD, who="DuckDB on files", elapsed_s=2.0),
    Measured(OURS, 1, DAY, 20.0, 25.0, 1500 * MIB, 501_000, "11.0000"),
    replace(FULL_LOAD, copies=4, elapsed_s=200.0, lines=2_000_000, revenue="40.0000"),
]


def test_a_row_for_each_load() -> None:
    shown = list(rows(ALL))
    assert len(shown) == 1 + len(ALL)
    assert shown[1].split() == [
        "ours,",
        "Spark",
        "into",
        "Iceberg",
        "1x",
        "full",
        "load",
        "60.0",
        "90.0",
        "2,000",
        "120.0",
    ]


def test_all_goals_are_met() -> None:
    told = goals(ALL)
    assert [met for _, met in told] == [True] * len(told)
    assert "full load, lake and warehouse: 65.0 s of at most 90 s" in dict(told)
    assert "time of a line at 4 times the data: 0.83 times that at 1" in dict(told)


@pytest.mark.parametrize(
    ("which", "change", "missed"),
    [
        (0, {"elapsed_s": 86.0}, "full load"),
        (3, {"elapsed_s": 25.5}, "one more day"),
        (3, {"peak_bytes": 2501 * MIB}, "memory"),
        (4, {"elapsed_s": 241.0}, "time of a line at 4"),
        (2, {"lines": 499_999}, "full load of 1x: all have the same"),
        (2, {"revenue": "10.0001"}, "full load of 1x: all have the same"),
    ],
)
def test_a_goal_is_missed(which: int, change: dict[str, object], missed: str) -> None:
    changed = [*ALL]
    changed[which] = replace(ALL[which], **change)  # type: ignore[arg-type]
    assert next(sentence for sentence, met in goals(changed) if not met).startswith(missed)
