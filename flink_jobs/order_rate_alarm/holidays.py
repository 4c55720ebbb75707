"""Days on which an English shop may be closed, known ahead: the bank holidays of England and Wales, Easter Sunday.

Sources: Banking and Financial Dealings Act 1971, schedule 1, and https://www.gov.uk/bank-holidays for substitute
days and days given once; Sunday Trading Act 1994 for Easter Sunday; Easter by the anonymous Gregorian algorithm
(Meeus, "Astronomical Algorithms", 2nd ed., 1998, chapter 8).
"""

from __future__ import annotations

from datetime import date, timedelta

GIVEN_ONCE = (
    date(2011, 4, 29),
    date(2012, 6, 5),
    date(2022, 6, 3),
    date(2022, 9, 19),
    date(2023, 5, 8),
)
MOVED = {
    date(2012, 5, 28): date(2012, 6, 4),
    date(2020, 5, 4): date(2020, 5, 8),
    date(2022, 5, 30): date(2022, 6, 2),
}
_MONDAY, _SATURDAY = 0, 5


def closed_days(year: int) -> list[date]:
    """The days of a year, in their order."""
    easter = easter_sunday(year)
    days = {
        _weekday_from(date(year, 1, 1)),
        easter - timedelta(2),
        easter,
        easter + timedelta(1),
        _first_monday(date(year, 5, 1)),
        _first_monday(date(year, 5, 25)),
        _first_monday(date(year, 8, 25)),
        *_christmas(year),
        *(day for day in GIVEN_ONCE if day.year == year),
    }
    return sorted({date(year, 1, 1)} | {MOVED.get(day, day) for day in days})


def easter_sunday(year: int) -> date:
    """Easter Sunday of the Gregorian calendar."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def _christmas(year: int) -> set[date]:
    """25 and 26 December, and the working days that stand for them if they fall on a weekend."""
    christmas, boxing = date(year, 12, 25), date(year, 12, 26)
    first = _weekday_from(christmas)
    second = _weekday_from(boxing)
    if second == first or (christmas.weekday() > _SATURDAY and second.weekday() == _MONDAY):
        first, second = second, second + timedelta(1)
    return {christmas, boxing, first, second}


def _weekday_from(day: date) -> date:
    while day.weekday() >= _SATURDAY:
        day += timedelta(1)
    return day


def _first_monday(day: date) -> date:
    return day + timedelta((_MONDAY - day.weekday()) % 7)
