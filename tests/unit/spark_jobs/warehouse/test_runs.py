"""Names of runs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from spark_jobs.warehouse import runs

AT = datetime(2026, 11, 27, 5, 6, 7, tzinfo=UTC)


def test_the_first_run_is_the_first() -> None:
    assert runs.name(None, AT, "0badcafe") == "000000001-20261127T050607Z-0badcafe"


def test_a_later_run_sorts_behind_an_earlier_one_whatever_the_clock_says() -> None:
    earlier = runs.name("000000009-20261127T050607Z-0badcafe", AT, "ffffffff")
    later = runs.name(earlier, AT.replace(year=2020), "00000000")

    assert earlier.startswith("000000010-")
    assert later > earlier


def test_a_run_says_when_it_began() -> None:
    assert runs.began(runs.name(None, AT, "0badcafe")) == AT


def test_what_is_no_run_has_no_successor() -> None:
    with pytest.raises(ValueError, match="no run's name"):
        runs.name("yesterday", AT, "0badcafe")


def test_a_branch_belongs_to_its_run_and_others_to_none() -> None:
    run = runs.name(None, AT, "0badcafe")

    assert runs.of_branch(runs.branch(run)) == run
    assert [runs.of_branch(branch) for branch in ("main", "publishing", "audit_", "audit_mine", run)] == [
        None
    ] * 5
