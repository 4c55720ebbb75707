"""What the sales API is asked: parameters, checked. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from services.console.sales import model, saved
from services.console.sales.model import Asked
from services.console.sales.sales import MAX_ROWS
from services.kernel.core import http_parameters
from services.kernel.core.http_parameters import InvalidParameter

PARAMETERS = frozenset({"measures", "by", "from", "to", "country", "sort", "limit"})
DEFAULT_LIMIT = 1_000
MAX_COUNTRY = 64
_DEFAULT_MEASURES = "revenue,orders"


def asked(given: Mapping[str, str]) -> Asked:
    """Measures by dimensions.

    Raises:
        InvalidParameter: one of them is not what the specification says.
    """
    words = model.model()
    measures = _names("measures", given.get("measures", _DEFAULT_MEASURES), words.measures)
    by = _names("by", given["by"], words.dimensions) if "by" in given else ()
    since, until = _day("from", given), _day("to", given)
    if since is not None and until is not None and since >= until:
        raise InvalidParameter("from", "a day before `to`")
    sort = given.get("sort", "")
    name = sort.removeprefix("-")
    if sort and name not in (*measures, *by):
        raise InvalidParameter(
            "sort", "one of the measures or dimensions that are asked for, - before it for descending"
        )
    if name and name in words.measures and words.measures[name].divided_by is not None:
        raise InvalidParameter("sort", f"{name} is worked out last, and cannot be sorted by")
    return Asked(
        measures=measures,
        by=by,
        since=since,
        until=until,
        countries=_country(given),
        sort=name or None,
        descending=sort.startswith("-"),
        limit=http_parameters.limit(given.get("limit"), default=DEFAULT_LIMIT, maximum=MAX_ROWS),
    )


def _names(parameter: str, text: str, known: Iterable[str]) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if len(set(names)) != len(names) or not set(names) <= set(known):
        raise InvalidParameter(parameter, f"some of {', '.join(known)}, each once, with commas between")
    return names


def _day(parameter: str, given: Mapping[str, str]) -> date | None:
    if parameter not in given:
        return None
    found = saved.day(given[parameter])
    if found is None:
        raise InvalidParameter(parameter, "a day such as 2011-12-09")
    return found


def _country(given: Mapping[str, str]) -> tuple[str, ...]:
    if "country" not in given:
        return ()
    text = given["country"]
    if not 0 < len(text) <= MAX_COUNTRY or not text.isprintable():
        raise InvalidParameter("country", f"a country's name of at most {MAX_COUNTRY} characters")
    return (text,)
