"""Objects of the landing: which a load takes in, and which are none of the lake writer's. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from contracts import catalog
from contracts.lakehouse import HOURLY
from spark_jobs.warehouse.audit import ROWS_SHOWN, Fault

LANDING = "landing"
"""What a fault names in the place of a table."""
PREFIX = catalog.load().landings["orders"].prefix
_KEY = re.compile(re.escape(PREFIX) + HOURLY + r"=\d{4}-\d{2}-\d{2}T\d{2}/[^/]+\.parquet")


@dataclass(frozen=True, slots=True)
class Arrival:
    """An object that is not loaded yet.

    Args:
        key: in the lake's bucket.
    """

    key: str
    size_bytes: int

    @property
    def folder(self) -> str:
        """The key up to the object's own name."""
        return self.key.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Content:
    """What was found in an object.

    Args:
        nulls: rows without a value that each has to have, by column; those of no such row are left out.
    """

    lines: int
    nulls: Mapping[str, int]


def new(listed: Iterable[Arrival], loaded: Collection[str]) -> list[Arrival]:
    """The listed objects that are not loaded, in the order of the listing."""
    return [one for one in listed if one.key not in loaded]


def foreign(arrivals: Iterable[Arrival]) -> list[Fault]:
    """What lies in the landing under a key that the lake writer gives to none; empty where all is well.

    Such an object is never passed over: it may hold orders.
    """
    return _faults(
        "a key that is no landing object's", (one.key for one in arrivals if not _KEY.fullmatch(one.key))
    )


def unfit(arrivals: Iterable[Arrival], found: Mapping[str, Content]) -> list[Fault]:
    """What of the objects' rows may not be loaded; empty where all is well.

    Args:
        found: by key.
    """
    keys = [one.key for one in arrivals]
    nulls = [
        f"{key}: {column} in {count} rows"
        for key in keys
        for column, count in (found[key].nulls if key in found else {}).items()
    ]
    return [
        *_faults("an object in which no line was found", (key for key in keys if key not in found)),
        *_faults("no value where every line has one", nulls),
    ]


def _faults(check: str, rows: Iterable[str]) -> list[Fault]:
    listed = list(rows)
    return [Fault(check, LANDING, len(listed), listed[:ROWS_SHOWN])] if listed else []
