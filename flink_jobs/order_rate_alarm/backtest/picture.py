"""A week as a picture: what is usual, what was counted, and the incidents; one SVG file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from flink_jobs.order_rate_alarm.backtest.injection import Injection
from flink_jobs.order_rate_alarm.backtest.shop import Shop
from flink_jobs.order_rate_alarm.baseline import TOTAL
from flink_jobs.order_rate_alarm.learned import Limits
from flink_jobs.order_rate_alarm.record import Record
from flink_jobs.order_rate_alarm.recorded import RecordedOrder
from flink_jobs.order_rate_alarm.rules import Rules

MINUTE_MS = 60_000
WINDOW = 10
WIDTH, ROW, LEFT, TOP, GAP = 1120, 96, 76, 64, 22
FIRST_HOUR, HOURS = 6, 15
"""Each day is shown from 6 in the morning to 9 in the evening, local time."""
COLOURS = {"surge": "#c0392b", "drop": "#1f618d", "silence": "#6c3483"}
NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def picture(
    shop: Shop, orders: Sequence[RecordedOrder], records: Sequence[Record], injections: Sequence[Injection]
) -> str:
    """The week with the most incidents, one row a day."""
    monday = _busiest_week(shop, records)
    days = [monday + timedelta(day) for day in range(7)]
    counts = _counts(orders, days)
    top = max(6, *(max(row) for row in counts)) + 1
    spans = _spans(records)
    height = TOP + 7 * (ROW + GAP) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' font-family="Helvetica, Arial, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend(monday),
    ]
    for number, day in enumerate(days):
        parts += _day(shop, day, TOP + number * (ROW + GAP), counts[number], top, spans, injections)
    parts += _hours(TOP + 7 * (ROW + GAP) - GAP + 14)
    return "\n".join([*parts, "</svg>", ""])


def _busiest_week(shop: Shop, records: Sequence[Record]) -> datetime:
    weeks: dict[datetime, int] = {}
    for record in records:
        if record["state"] == "firing":
            moment = datetime.fromisoformat(record["started_at"]).astimezone(shop.history.zone)
            monday = (moment - timedelta(moment.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
            weeks[monday] = weeks.get(monday, 0) + 1
    if weeks:
        return max(sorted(weeks), key=lambda monday: weeks[monday])
    last = datetime.fromtimestamp(shop.end_ms / 1000, shop.history.zone)
    return (last - timedelta(last.weekday() + 7)).replace(hour=0, minute=0, second=0, microsecond=0)


def _counts(orders: Sequence[RecordedOrder], days: list[datetime]) -> list[list[int]]:
    counts = [[0] * (HOURS * 60 // WINDOW) for _ in days]
    starts = [_first_minute(day) for day in days]
    for order in orders:
        minute = order.ordered_at_ms // MINUTE_MS
        if order.kind == "sale" and starts[0] <= minute < starts[-1] + HOURS * 60:
            for row, start in zip(counts, starts, strict=True):
                if start <= minute < start + HOURS * 60:
                    row[(minute - start) // WINDOW] += 1
    return counts


def _spans(records: Sequence[Record]) -> list[tuple[int, int, Record]]:
    """Begin and end of each incident, in minutes, by its record of the highest rank."""
    final: dict[str, Record] = {}
    for record in records:
        known = final.get(record["incident_id"])
        if known is None or record["rank"] > known["rank"]:
            final[record["incident_id"]] = record
    kept = (each for each in final.values() if each["resolution"] not in ("merged", "withdrawn"))
    return [(_minute(each["started_at"]), _minute(each["window_end"]), each) for each in kept]


def _day(
    shop: Shop,
    day: datetime,
    y: float,
    counts: list[int],
    top: int,
    spans: list[tuple[int, int, Record]],
    injections: Sequence[Injection],
) -> Iterator[str]:
    start, bottom = _first_minute(day), y + ROW
    yield f'<rect x="{LEFT}" y="{y}" width="{WIDTH - LEFT - 16}" height="{ROW}" fill="#fafafa" stroke="#dddddd"/>'
    yield f'<text x="8" y="{y + 16}" font-weight="bold">{NAMES[day.weekday()][:3]}</text>'
    yield f'<text x="8" y="{y + 32}" fill="#555555">{day.strftime("%d %b")}</text>'
    for injection in injections:
        begin, end = injection.start_ms // MINUTE_MS - start, injection.end_ms // MINUTE_MS - start
        if begin < HOURS * 60 and end > 0:
            yield _box(begin, end, y, ROW, 'fill="#f9e79f" fill-opacity="0.7"', f"injected {injection.kind}")
    for begin, end, record in spans:
        if begin < start + HOURS * 60 and end > start:
            colour = COLOURS[record["direction"]]
            what = f"{record['rule']} {record['key']} {record['direction']} {record['severity']}"
            yield _box(begin - start, end - start, y, 7, f'fill="{colour}"', what)
    yield from _band(shop, start, y, top)
    step = WINDOW / (HOURS * 60) * (WIDTH - LEFT - 16)
    for number, count in enumerate(counts):
        if count:
            h = count / top * ROW
            x = LEFT + number * step
            yield f'<rect x="{x + 1:.1f}" y="{bottom - h:.1f}" width="{step - 2:.1f}" height="{h:.1f}" fill="#34495e"/>'
    yield f'<text x="{LEFT - 6}" y="{y + 10}" text-anchor="end" fill="#888888" font-size="10">{top}</text>'
    yield f'<text x="{LEFT - 6}" y="{bottom}" text-anchor="end" fill="#888888" font-size="10">0</text>'


def _band(shop: Shop, start: int, y: float, top: int) -> Iterator[str]:
    baseline = shop.baseline_at(start * MINUTE_MS)
    if baseline is None:
        return
    limits = Limits(Rules().surge_probability, Rules().drop_probability, baseline.law(WINDOW))
    upper, middle = [], []
    for minute in range(start, start + HOURS * 60, WINDOW):
        low, high = baseline.expected(TOTAL, minute, minute + WINDOW)
        x, x_end = _x(minute - start), _x(minute - start + WINDOW)
        limit = y + ROW - min(top, limits.upper(round(high, 3)) - 1) / top * ROW
        mean = y + ROW - min(top, low) / top * ROW
        upper += [f"{x:.1f},{limit:.1f}", f"{x_end:.1f},{limit:.1f}"]
        middle += [f"{x:.1f},{mean:.1f}", f"{x_end:.1f},{mean:.1f}"]
    floor = f"{_x(HOURS * 60):.1f},{y + ROW} {_x(0):.1f},{y + ROW}"
    yield f'<polygon points="{" ".join(upper)} {floor}" fill="#5dade2" fill-opacity="0.22"/>'
    yield f'<polyline points="{" ".join(middle)}" fill="none" stroke="#2e86c1" stroke-width="1.5"/>'


def _legend(monday: datetime) -> Iterator[str]:
    title = f"Orders in ten minutes, week of {monday.strftime('%d %B %Y')}"
    yield f'<text x="{LEFT}" y="24" font-size="17" font-weight="bold">{escape(title)}</text>'
    x = LEFT
    for colour, opacity, text in (
        ("#34495e", 1, "orders"),
        ("#5dade2", 0.3, "usual (line: expected)"),
        ("#f9e79f", 1, "injected"),
        *((colour, 1, f"incident: {direction}") for direction, colour in COLOURS.items()),
    ):
        yield f'<rect x="{x}" y="38" width="14" height="11" fill="{colour}" fill-opacity="{opacity}"/>'
        yield f'<text x="{x + 19}" y="48">{escape(text)}</text>'
        x += 34 + 7 * len(text)


def _hours(y: float) -> Iterator[str]:
    for hour in range(0, HOURS + 1, 3):
        yield (
            f'<text x="{_x(hour * 60):.1f}" y="{y}" text-anchor="middle" fill="#555555">'
            f"{FIRST_HOUR + hour:02d}:00</text>"
        )


def _box(begin: int, end: int, y: float, height: float, style: str, title: str) -> str:
    x, x_end = _x(max(0, begin)), _x(min(HOURS * 60, end))
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{max(3.0, x_end - x):.1f}" height="{height}" {style}>'
        f"<title>{escape(title)}</title></rect>"
    )


def _x(minute: int) -> float:
    return LEFT + minute / (HOURS * 60) * (WIDTH - LEFT - 16)


def _first_minute(day: datetime) -> int:
    return int(day.replace(hour=FIRST_HOUR).timestamp() // 60)


def _minute(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() // 60)
