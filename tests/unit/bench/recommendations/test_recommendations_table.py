"""The table shows what was measured, and a goal that is missed is said to be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.recommendations.publishing import Published
from bench.recommendations.table import CHOOSE, FIT, LISTS, MIB, OURS, Took, goals, published_rows, rows

ONE = [
    Took(OURS, 1, 4000, CHOOSE, 20.0, 30.0, 900 * MIB),
    Took(OURS, 1, 4000, FIT, 10.0, 15.0, 900 * MIB),
    Took(OURS, 1, 4000, LISTS, 8.0, 8.0, 900 * MIB),
]
PEER = Took("implicit", 1, 4000, FIT, 0.6, 1.2, 9000 * MIB)
FOUR = [replace(one, copies=4, customers=16_000, cpu_s=one.cpu_s * 3, peak_bytes=950 * MIB) for one in ONE]
ALL = [*ONE, PEER, *FOUR]


def test_a_row_for_each_part() -> None:
    shown = list(rows(ALL))
    assert len(shown) == 1 + len(ALL)
    assert shown[1].split() == ["ours", "1x", "choose", "20.0", "30.0", "900", "7.50"]


def test_publication_by_the_thousand() -> None:
    (line,) = published_rows(Published(8000, 8000 * 6144, 8.0, 4.0, 200 * MIB, 6.0))
    assert "8,000 records of 6.0 KiB" in line
    assert line.endswith("1.00 s for 1,000, the bare writes 0.75 s")


def test_all_goals_are_met() -> None:
    told = goals(ALL)
    assert [met for _, met in told] == [True] * 3
    assert "CPU time of a customer at 4x: 0.75 times that at 1x" in dict(told)


@pytest.mark.parametrize(
    ("part", "change", "missed"),
    [
        (4, {"cpu_s": 150.0}, "CPU time of a customer at 4x: 1.03"),
        (6, {"peak_bytes": 1126 * MIB}, "memory at 4x: 1.25 times"),
        (0, {"peak_bytes": 3073 * MIB}, "memory: 3,073 MB of at most 3,072 MB"),
    ],
)
def test_a_goal_is_missed(part: int, change: dict[str, float], missed: str) -> None:
    changed = [*ALL]
    changed[part] = replace(ALL[part], **change)  # type: ignore[arg-type]
    assert next(sentence for sentence, met in goals(changed) if not met).startswith(missed)
