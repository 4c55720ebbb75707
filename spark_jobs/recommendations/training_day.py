"""The day that recommendations are made for: the first one after the data, which a few wrong clocks are not. Pure."""

from __future__ import annotations

from collections.abc import Mapping

WEEK_DAYS = 7
LEAST_SHARE = 0.1
"""Of the busiest week's customers; a week with fewer is not yet, or no more, the shop's usual business."""


def training_day(customers: Mapping[int, int]) -> int:
    """The day after the newest one in whose week the shop was in business.

    Trend and choice look at the weeks before this day. A test order of today in a shop whose orders are of last year,
    or a sender whose clock is months ahead, would leave them with nothing to look at.

    Args:
        customers: how many ordered, by day since 1970-01-01; not empty.
    """
    weeks = {day: sum(customers.get(day - before, 0) for before in range(WEEK_DAYS)) for day in customers}
    least = LEAST_SHARE * max(weeks.values())
    return max(day for day, ordered in weeks.items() if ordered >= least) + 1
