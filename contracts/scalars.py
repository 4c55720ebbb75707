"""Timestamps, dates and decimals as they stand on the wire, checked once for both paths."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache

TIMESTAMP_LENGTH = len("2010-12-01T08:26:00.000Z")
# 3 x 65,536 short strings are about 20 MB at worst; one day has 86,400 seconds but orders come in bursts.
_REMEMBERED = 65_536
_TIMESTAMP = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.[0-9]{3}Z")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


def is_timestamp(text: str) -> bool:
    """Say whether this is an instant that exists, exactly as `YYYY-MM-DDTHH:MM:SS.mmmZ` (no leap second)."""
    return len(text) == TIMESTAMP_LENGTH and _is_timestamp(text)


@lru_cache(maxsize=_REMEMBERED)
def _is_timestamp(text: str) -> bool:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return False
    try:
        datetime(*map(int, match.groups()), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        return False
    return True


def is_date(text: str) -> bool:
    """Say whether this is a day that exists, exactly as `YYYY-MM-DD`."""
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    try:
        date(*map(int, match.groups()))
    except ValueError:
        return False
    return True


@lru_cache(maxsize=64)
def decimal_check(precision: int, scale: int) -> Callable[[str], bool]:
    """Give the check for decimals of this size.

    Args:
        precision: digits in all.
        scale: digits after the point, at most `precision`.

    Returns:
        a function that says whether a text is such a decimal: ASCII digits, an optional leading `-`, at least
        one digit before the point and, with a point, at least one after it; no exponent, no `+`.
    """
    fraction = rf"(\.[0-9]{{1,{scale}}})?" if scale else ""
    matches = re.compile(rf"-?[0-9]{{1,{max(precision - scale, 1)}}}{fraction}").fullmatch
    longest = precision + 3

    @lru_cache(maxsize=_REMEMBERED)
    def remembered(text: str) -> bool:
        return matches(text) is not None

    def is_decimal(text: str) -> bool:
        return len(text) <= longest and remembered(text)

    return is_decimal


def timestamp(moment: datetime) -> str:
    """Write an instant as contracts do, in UTC, cut to the millisecond.

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone is not an instant")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def canonical_timestamp(text: str) -> str | None:
    """Rewrite an RFC 3339 time as contracts write it: in UTC, cut to the millisecond.

    Returns:
        None if it is no such time, names a day or an offset that does not exist, or a leap second.
    """
    return _canonical_timestamp(text) if len(text) <= 35 else None


@lru_cache(maxsize=_REMEMBERED)
def _canonical_timestamp(text: str) -> str | None:
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    day, clock, fraction, offset = match.groups()
    offset = "+00:00" if offset in "Zz" else offset
    if int(offset[4:]) > 59:
        return None
    milliseconds = ((fraction or ".")[1:] + "000")[:3]
    try:
        return timestamp(datetime.fromisoformat(f"{day}T{clock}.{milliseconds}{offset}"))
    except (ValueError, OverflowError):
        return None
