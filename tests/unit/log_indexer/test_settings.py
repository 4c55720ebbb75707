"""The range to back-fill is a range, or the process does not start."""

from __future__ import annotations

from datetime import date

import pytest

from services.kernel.core.errors import Misconfigured
from services.kernel.core.settings import load
from services.log_indexer.settings import MaintainSettings, Settings


def loaded(first: str | None = None, last: str | None = None) -> Settings:
    given = {"CADABRA_BACKFILL_FROM": first or "", "CADABRA_BACKFILL_TO": last or ""}
    return load(Settings, given)


def test_without_a_range_nothing_is_back_filled() -> None:
    assert loaded().index_days("x").backfill is None
    assert loaded().index_days("x").retention_days == 30


@pytest.mark.parametrize(
    ("first", "last"),
    [("2015-05-17", "2015-05-17"), ("2015-05-17", "2015-05-20"), ("2015-01-01", "2016-02-04")],
)
def test_a_range_of_up_to_400_days_is_taken(first: str, last: str) -> None:
    assert loaded(first, last).index_days("x").backfill == (
        date.fromisoformat(first),
        date.fromisoformat(last),
    )


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2015-05-17", None),
        (None, "2015-05-17"),
        ("2015-05-18", "2015-05-17"),
        ("2015-01-01", "2016-02-05"),
        ("2015-02-30", "2015-03-01"),
        ("17.5.2015", "18.5.2015"),
    ],
)
@pytest.mark.parametrize("settings", [Settings, MaintainSettings])
def test_what_is_no_such_range_is_refused(
    settings: type[Settings | MaintainSettings], first: str | None, last: str | None
) -> None:
    given = {"CADABRA_BACKFILL_FROM": first or "", "CADABRA_BACKFILL_TO": last or ""}
    with pytest.raises(Misconfigured, match="CADABRA_BACKFILL"):
        load(settings, given)
