"""The report for a terminal: readable columns, at most 100 wide, colours only where they are wanted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from services.console.logs.facets import Counted
from services.console.logs.histogram import CLASSES, OTHER
from services.console.report import words
from services.console.report.bars import bar, columns, summed
from services.console.report.collected import Report

MAX_WIDTH = 100
MIN_WIDTH = 60
_GAP = "   "
_SIDE_BY_SIDE = 84
"""From this width on, short lists stand beside each other."""
_CHART_ROWS = 4
_AXIS_CELLS = 3
_COUNT_CELLS, _SHARE_CELLS, _SIZE_CELLS, _BAR_CELLS = 9, 7, 9, 16
_BOLD, _DIM, _BAR, _END = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[0m"
_CLASS_MEANINGS = {
    "1xx": "informational",
    "2xx": "success",
    "3xx": "redirection",
    "4xx": "client error",
    "5xx": "server error",
    OTHER: "no status",
}


class Terminal:
    """Writes a report.

    Args:
        width: cells of a line, held between MIN_WIDTH and MAX_WIDTH.
        coloured: whether escape sequences are wanted.
    """

    def __init__(self, width: int = MAX_WIDTH, *, coloured: bool = False) -> None:
        self._width = max(MIN_WIDTH, min(width, MAX_WIDTH))
        self._coloured = coloured

    def lines(self, report: Report) -> list[str]:
        """Every line of the report, none longer than the width."""
        summary, facets = report.summary, report.summary.facets
        blocks = [
            self._head(report),
            self._numbers(report),
            self._over_time(report),
            self._beside(self._classes(report), self._days(report)),
            self._list("Paths", summary.total, facets["path"].values),
            self._list("Not found (404)", summary.total, summary.not_found),
            self._list("Agents", summary.total, report.agents),
            self._beside(
                self._half("Countries", summary.total, facets["country"].values),
                self._half("Systems", summary.total, facets["os"].values),
            ),
            self._beside(
                self._half("Hosts", summary.total, facets["host"].values),
                self._half("Methods", summary.total, facets["method"].values),
            ),
            self._list("Referrers", summary.total, facets["referrer"].values),
        ]
        return [line.rstrip() for block in blocks for line in (*block, "")][:-1]

    @property
    def _half_width(self) -> int:
        return (self._width - len(_GAP)) // 2 if self._width >= _SIDE_BY_SIDE else self._width

    def _head(self, report: Report) -> list[str]:
        query = words.printable(report.query) or "every request"
        title = f"Web requests  {words.period(report.range)}"
        lines = [self._bold(words.fitted(title, self._width)), words.fitted(query, self._width)]
        return [*lines, self._dim("─" * self._width)]

    def _numbers(self, report: Report) -> list[str]:
        summary, sizes = report.summary, report.summary.sizes
        percentiles = {
            percent: "-" if found is None else words.size(found)
            for percent, found in sizes.percentiles.items()
        }
        cells = [
            ("requests", words.count(summary.total)),
            ("4xx errors", words.share(summary.classes["4xx"], summary.total)),
            ("5xx errors", words.share(summary.classes["5xx"], summary.total)),
            ("robots", words.share(report.bots, summary.total)),
            ("visitors", words.count(summary.visitors.pairs)),
            ("addresses", words.count(summary.visitors.addresses)),
            ("agents", words.count(summary.visitors.agents)),
            ("sent", words.size(sizes.total_bytes)),
            ("size, median", percentiles[50.0]),
            ("95th percent", percentiles[95.0]),
            ("99th percent", percentiles[99.0]),
            ("largest", words.size(sizes.largest_bytes)),
        ]
        columns = 4 if self._width >= 96 else 2
        cell = self._width // columns
        rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
        return ["".join(self._cell(name, value, cell) for name, value in row) for row in rows]

    def _cell(self, name: str, value: str, cells: int) -> str:
        label = words.fitted(name, 13)
        return self._dim(label) + self._bold(words.fitted(value, cells - 13))

    def _over_time(self, report: Report) -> list[str]:
        found = report.summary.histogram
        counts = [step.total for step in found.steps]
        axis = max(_AXIS_CELLS, len(words.count(max(counts))))
        room = self._width - axis - 1
        numbers, group = summed(counts, room)
        axis = max(_AXIS_CELLS, len(words.count(max(numbers))))
        each = words.interval(found.interval)
        heading = f"a column is {group} x {each}" if group > 1 else f"a column is {each}"
        lines = [self._title("Requests over time", heading, self._width)]
        labels = [words.count(max(numbers)), *[""] * (_CHART_ROWS - 2), "0"]
        stretch = max(1, room // len(numbers))
        for label, row in zip(labels, columns(numbers, _CHART_ROWS), strict=True):
            wide = "".join(one * stretch for one in row)
            lines.append(f"{self._dim(label.rjust(axis))} {self._blue(wide)}")
        first, last = words.moment(report.range.from_ms), words.moment(report.range.to_ms)
        between = max(len(last) + 1, len(numbers) * stretch - len(first))
        return [*lines, " " * (axis + 1) + first + last.rjust(between)]

    def _classes(self, report: Report) -> list[str]:
        summary = report.summary
        found = [
            Counted(f"{name} {_CLASS_MEANINGS[name]}", summary.classes[name], 0)
            for name in (*CLASSES, OTHER)
            if summary.classes[name]
        ]
        return self._half("Status", summary.total, found)

    def _days(self, report: Report) -> list[str]:
        shown = report.days[-7:]
        found = [Counted(day.name, day.visitors.pairs, 0) for day in shown]
        title = "Visitors a day" if len(shown) == len(report.days) else "Visitors a day, the last 7"
        return self._half(title, 0, found, heading="visitors")

    def _half(
        self, title: str, total: int, values: Sequence[Counted], heading: str = "requests"
    ) -> list[str]:
        share = _SHARE_CELLS + 1 if total else 0
        room = self._half_width - _COUNT_CELLS - share - 2
        bars = min(_BAR_CELLS, room // 3)
        head = (
            heading.rjust(_COUNT_CELLS)
            + (" " + "share".rjust(_SHARE_CELLS) if share else "")
            + " " * (bars + 1)
        )
        lines = [self._title(title, head, self._half_width)]
        largest = max((one.count for one in values), default=0)
        for one in values:
            numbers = words.count(one.count).rjust(_COUNT_CELLS)
            if share:
                numbers += " " + words.share(one.count, total).rjust(_SHARE_CELLS)
            label = words.fitted(words.value(one.value), room - bars)
            lines.append(f"{label} {numbers} {self._blue(bar(one.count, largest, bars))}")
        return lines if values else [*lines, words.fitted("nothing", self._half_width)]

    def _list(self, title: str, total: int, values: Sequence[Counted]) -> list[str]:
        bars = _BAR_CELLS if self._width >= 90 else 8
        room = self._width - _COUNT_CELLS - _SHARE_CELLS - _SIZE_CELLS - bars - 4
        heads = ("requests".rjust(_COUNT_CELLS), "share".rjust(_SHARE_CELLS), "sent".rjust(_SIZE_CELLS))
        lines = [self._title(title, " ".join(heads) + " " * (bars + 1), self._width)]
        largest = max((one.count for one in values), default=0)
        for one in values:
            numbers = (
                words.count(one.count).rjust(_COUNT_CELLS),
                words.share(one.count, total).rjust(_SHARE_CELLS),
                words.size(one.size_bytes).rjust(_SIZE_CELLS),
            )
            label = words.fitted(words.value(one.value), room)
            lines.append(f"{label} {' '.join(numbers)} {self._blue(bar(one.count, largest, bars))}")
        return lines if values else [*lines, "nothing"]

    def _beside(self, left: Sequence[str], right: Sequence[str]) -> list[str]:
        if self._half_width == self._width:
            return [*left, "", *right]
        empty = " " * self._half_width
        return [f"{one}{_GAP}{other}" for one, other in zip_longest(left, right, fillvalue=empty)]

    def _title(self, title: str, right: str, cells: int) -> str:
        room = cells - words.width(right)
        return self._bold(words.fitted(title, room)) + self._dim(right)

    def _bold(self, text: str) -> str:
        return self._escaped(_BOLD, text)

    def _dim(self, text: str) -> str:
        return self._escaped(_DIM, text)

    def _blue(self, text: str) -> str:
        return self._escaped(_BAR, text)

    def _escaped(self, code: str, text: str) -> str:
        return f"{code}{text}{_END}" if self._coloured else text
