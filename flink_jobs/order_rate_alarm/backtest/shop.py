"""The shops that a backtest looks at: the recorded one, and a larger one made of the same orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from flink_jobs.order_rate_alarm.baseline import Baseline
from flink_jobs.order_rate_alarm.history import History
from flink_jobs.order_rate_alarm.recorded import RecordedOrder
from flink_jobs.order_rate_alarm.training import TooLittle, Trainer

WARM_UP_DAYS = 56
RETRAINED_DAYS = 7
WEEK_MS = 7 * 86_400_000


@dataclass
class Shop:
    """Recorded orders, and the baselines that were there at each time.

    Args:
        orders: earliest first.
    """

    name: str
    orders: list[RecordedOrder]
    time_zone: str
    currency: str
    history: History = field(init=False)
    baselines: list[tuple[int, Baseline]] = field(init=False)
    """From when on each was used, UTC milliseconds: learned from the days before, used for the week after."""

    def __post_init__(self) -> None:
        self.history = History(self.time_zone)
        for order in self.orders:
            if order.kind == "sale":
                self.history.add(order.ordered_at_ms, order.country, order.value, self.currency)
        self.baselines = list(self._walk_forward())

    @property
    def begin_ms(self) -> int:
        """When the first baseline was there; nothing before it is judged."""
        return self.baselines[0][0] if self.baselines else self.end_ms

    @property
    def end_ms(self) -> int:
        """A minute after the last order."""
        return (self.orders[-1].ordered_at_ms // 60_000 + 1) * 60_000

    def baseline_at(self, moment_ms: int) -> Baseline | None:
        """The one in use at a moment."""
        found = None
        for since_ms, baseline in self.baselines:
            if since_ms > moment_ms:
                break
            found = baseline
        return found

    def _walk_forward(self) -> Iterator[tuple[int, Baseline]]:
        trainer = Trainer(self.history)
        first = _local_day(self.orders[0].ordered_at_ms, self.history.zone) + timedelta(WARM_UP_DAYS)
        last = _local_day(self.end_ms, self.history.zone)
        for days in range(0, (last - first).days + 1, RETRAINED_DAYS):
            try:
                baseline = trainer.train(first + timedelta(days))
            except TooLittle:
                continue
            yield baseline.trained_until_ms, baseline


def joined(orders: list[RecordedOrder], weeks: int, time_zone: str) -> list[RecordedOrder]:
    """The orders of a shop so many times the size: in each week also those of the weeks before it come.

    Hours and weekdays stay, and how the orders of a week come in bunches. On days on which the shop was closed
    nothing comes.
    """
    moved = _by_weeks(ZoneInfo(time_zone))
    open_days = {moved(order.ordered_at_ms, 0)[1] for order in orders if order.kind == "sale"}
    last_ms = orders[-1].ordered_at_ms
    copies = []
    for order in orders:
        for later in range(weeks):
            at_ms, day = moved(order.ordered_at_ms, later)
            if at_ms <= last_ms and day in open_days:
                name = f"{order.order_id}.{later}" if later else order.order_id
                copies.append(order._replace(ordered_at_ms=at_ms, order_id=name))
    return sorted(copies, key=lambda order: order.ordered_at_ms)


def _by_weeks(zone: ZoneInfo) -> Callable[[int, int], tuple[int, int]]:
    """Gives the same wall clock some weeks later, and its day: an hour off in UTC where the clocks change between."""
    offsets: dict[int, tuple[int, int]] = {}

    def offset(moment_ms: int) -> tuple[int, int]:
        quarter = moment_ms // 900_000
        if quarter not in offsets:
            local = datetime.fromtimestamp(quarter * 900, UTC).astimezone(zone)
            seconds = (local.utcoffset() or timedelta()).total_seconds()
            offsets[quarter] = (int(seconds * 1000), local.toordinal())
        return offsets[quarter]

    def moved(moment_ms: int, weeks: int) -> tuple[int, int]:
        later_ms = moment_ms + weeks * WEEK_MS
        later_ms += offset(moment_ms)[0] - offset(later_ms)[0]
        return later_ms, offset(later_ms)[1]

    return moved


def _local_day(moment_ms: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(moment_ms / 1000, zone).date()
