"""What operators and analysts ask: parameters, checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.console.logs import entries, facets, summary
from services.console.logs.entries import Position
from services.console.logs.fields import FACETS
from services.console.logs.search import Asked
from services.console.logs.time_range import (
    DAY_MS,
    EARLIEST,
    INTERVALS_MS,
    LATEST,
    MAX_BUCKETS,
    MAX_RANGE_DAYS,
    TimeRange,
    milliseconds,
)
from services.console.logs.tokens import QuerySyntaxError
from services.kernel.core import http_parameters
from services.kernel.core.http_parameters import InvalidParameter

DEFAULT_RANGE_MS = DAY_MS

Parameters = Mapping[str, str]


class InvalidQuery(InvalidParameter):
    """The parameter `q` is not of the syntax, or beyond its bounds."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The parameters that a route has; another one is a slip that would go unnoticed, and is refused."""

    names: frozenset[str]

    def check(self, given: Parameters) -> None:
        """Refuse any other parameter, and one that is given twice.

        Raises:
            InvalidParameter: naming the first of them.
        """
        seen: set[str] = set()
        for name, _ in given.items():  # of a multidict, `items` alone tells of a name that comes twice
            if name not in self.names:
                raise InvalidParameter(name[:64], f"parameters are {', '.join(sorted(self.names))}")
            if name in seen:
                raise InvalidParameter(name, "given once")
            seen.add(name)


def asked(given: Parameters, now_ms: int) -> Asked:
    """Which entries are meant: `from`, `to` and `q`.

    Raises:
        InvalidParameter: one of them is not what the specification says.
    """
    within = time_range(given, now_ms)
    try:
        return Asked.of(within, given.get("q", ""))
    except QuerySyntaxError as error:
        raise InvalidQuery("q", str(error)) from None


def time_range(given: Parameters, now_ms: int, max_days: int = MAX_RANGE_DAYS) -> TimeRange:
    """The range of `from` and `to`, by default the day before `to`, and until now."""
    to_ms = _moment("to", given.get("to"), now_ms)
    from_ms = _moment("from", given.get("from"), to_ms - DEFAULT_RANGE_MS)
    if from_ms >= to_ms:
        raise InvalidParameter("from", "a time before `to`")
    if to_ms - from_ms > max_days * DAY_MS:
        raise InvalidParameter("from", f"at most {max_days} days before `to`")
    return TimeRange(from_ms, to_ms)


def _moment(name: str, text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    found = milliseconds(text)
    if found is None:
        raise InvalidParameter(name, f"a time such as 2026-01-02T10:00:00Z, from {EARLIEST} to {LATEST}")
    return found


def interval(given: Parameters, within: TimeRange) -> str:
    """The step of a histogram, by default a sensible one."""
    name = given.get("interval")
    if name is None:
        return within.sensible_interval()
    if name not in INTERVALS_MS:
        raise InvalidParameter("interval", f"one of {', '.join(INTERVALS_MS)}")
    if within.steps(name) > MAX_BUCKETS:
        raise InvalidParameter("interval", f"a step of which the range has at most {MAX_BUCKETS}")
    return name


def limit(given: Parameters) -> int:
    """How many entries a page holds at most."""
    return http_parameters.limit(given.get("limit"), default=entries.DEFAULT_LIMIT, maximum=entries.MAX_LIMIT)


def position(given: Parameters) -> Position | None:
    """Where the page begins."""
    cursor = given.get("cursor")
    if cursor is None:
        return None
    found = entries.position_of(cursor)
    if found is None:
        raise InvalidParameter("cursor", "`next_cursor` of the page before")
    return found


def facet(name: str) -> str:
    """The facet that is asked for."""
    if name not in FACETS:
        raise InvalidParameter("field", f"one of {', '.join(sorted(FACETS))}")
    return name


def facet_size(given: Parameters) -> int:
    """How many values of one facet are wanted."""
    return http_parameters.limit(given.get("limit"), default=50, maximum=facets.MAX_VALUES)


def summary_size(given: Parameters) -> int:
    """How many values of each facet are wanted."""
    return http_parameters.limit(
        given.get("limit"), default=summary.DEFAULT_VALUES, maximum=summary.MAX_VALUES
    )
