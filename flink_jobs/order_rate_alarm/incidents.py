"""Incidents: what is unusual now, against what was said of it; the difference is what has to be said.

Nothing here looks at the order in which orders came. From the unusual windows follow the incidents that there are;
an incident that was told of and is none any more is merged or withdrawn, one that is new fires, one that is quiet
for long enough is resolved.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol

from flink_jobs.order_rate_alarm.clusters import Cluster, Mark, Marks, Series
from flink_jobs.order_rate_alarm.record import SEVERITIES, Record, Window, make_record, timestamp_of

INCIDENT_PREFIX = "i:"
MARK_PREFIX = "u:"
Resolution = Literal["", "recovered", "withdrawn", "merged"]
"""Empty while it fires."""


class Judge(Protocol):
    """Tells of one window or stretch what its record has to say."""

    def window(self, series: Series, start_ms: int, end_ms: int) -> Window:
        """Counted and expected orders of a window."""

    def length_ms(self, series: Series) -> int:
        """How long a window of this series is."""

    def money(self, series: Series, start_ms: int, end_ms: int) -> float | None:
        """Value of the orders above or below what is expected; None if it is not known."""

    def severity(self, series: Series, oddness: float, money: float | None) -> int:
        """Place among `SEVERITIES`."""

    def oddness(self, series: Series, start_ms: int, end_ms: int, written: float) -> float:
        """How odd a restored window is; `written` is what it was when it was found."""


@dataclass(slots=True)
class Told:
    """What was said last of one incident.

    Args:
        told_ms: end of the window that the last record spoke of; the next firing one speaks of a later one.
    """

    rule: str
    key: str
    direction: str
    started_ms: int
    told_ms: int
    ended_ms: int
    severity: int
    resolution: Resolution = ""

    @property
    def series(self) -> Series:
        return Series(self.rule, self.key, self.direction)


class Settings(NamedTuple):
    """How incidents begin and end, in milliseconds of event time."""

    resolve_ms: int
    gap_ms: int


class Incidents:
    """All incidents of all series.

    Args:
        changed: takes the state entries that changed; None removes one.
    """

    def __init__(self, settings: Settings, judge: Judge, changed: MutableMapping[str, bytes | None]) -> None:
        self._settings = settings
        self._judge = judge
        self._changed = changed
        self._marks: dict[Series, Marks] = {}
        self._told: dict[Series, dict[str, Told]] = {}
        self._dirty: set[Series] = set()
        self._checks: dict[Series, int] = {}
        self._next_check_ms: float = float("inf")
        self.watcher: Callable[[Series, Mark, float], None] | None = None
        """Is told of each unusual window when it is found and whenever it becomes odder."""
        self.fired = 0
        self.merged = 0
        self.withdrawn = 0

    # What is unusual

    def marks(self, series: Series) -> Marks:
        """The unusual windows of one series."""
        found = self._marks.get(series)
        if found is None:
            joins_ms = self._settings.resolve_ms + self._settings.gap_ms
            found = self._marks[series] = Marks(joins_ms)
        return found

    def mark(self, series: Series, mark: Mark, share: float = 1.0) -> None:
        """A window is unusual, or more so than it was.

        Args:
            share: its probability, as a share of the one at which the rule finds a window unusual.
        """
        if self.watcher is not None:
            self.watcher(series, mark, share)
        if self.marks(series).put(mark):
            self._changed[_mark_key(series, mark)] = repr(mark.oddness).encode()
        self._dirty.add(series)

    def unmark(self, series: Series, mark: Mark) -> None:
        """A window is usual after all."""
        if series in self._marks and self._marks[series].drop(mark):
            self._changed[_mark_key(series, mark)] = None
            self._dirty.add(series)

    @property
    def open(self) -> int:
        """Incidents that fire."""
        return sum(not told.resolution for each in self._told.values() for told in each.values())

    # What has to be said

    def due(self, frontier_ms: int) -> bool:
        """Whether `settle` may have something to say."""
        return bool(self._dirty) or frontier_ms >= self._next_check_ms

    def settle(self, frontier_ms: int, detected_ms: int, behind: bool = False) -> list[Record]:
        """Say what changed; what is quiet up to the frontier for long enough is over.

        Args:
            behind: orders of the past still come in; of drops and silences nothing is said until they are there.
        """
        due = {series for series, check_ms in self._checks.items() if frontier_ms >= check_ms}
        series = {each for each in self._dirty | due if each.direction == "surge" or not behind}
        self._dirty -= series
        records: list[Record] = []
        for each in sorted(series, key=_worldwide_first):
            self._checks.pop(each, None)
            records += self._settle(each, frontier_ms, detected_ms)
        self._next_check_ms = min(self._checks.values(), default=float("inf"))
        return records

    def _settle(self, series: Series, frontier_ms: int, detected_ms: int) -> list[Record]:
        told = self._told.setdefault(series, {})
        clusters = {incident_id(series, each.start_ms): each for each in self.marks(series).clusters}
        records = []
        for name, one in list(told.items()):
            if name not in clusters and one.resolution in ("", "recovered"):
                records.append(self._end(name, one, clusters, detected_ms))
        for name, cluster in clusters.items():
            records += self._tell(series, name, cluster, frontier_ms, detected_ms)
        return records

    def _end(self, name: str, told: Told, clusters: dict[str, Cluster], detected_ms: int) -> Record:
        """An incident is no stretch of its own any more: it is a part of another, or never was."""
        into = next((i for i, each in clusters.items() if _overlap(told, each, self._settings)), None)
        told.resolution = "merged" if into else "withdrawn"
        self.merged += into is not None
        self.withdrawn += into is None
        self._keep(name, told)
        return self._record(name, told, detected_ms, into=into)

    def _tell(
        self, series: Series, name: str, cluster: Cluster, frontier_ms: int, detected_ms: int
    ) -> Iterator[Record]:
        told = self._told[series].get(name)
        if told is not None and told.resolution == "recovered" and told.ended_ms >= cluster.end_ms:
            return
        over_ms = cluster.end_ms + self._settings.resolve_ms
        worst = told is not None and not told.resolution and told.severity == len(SEVERITIES) - 1
        if worst and frontier_ms < over_ms:
            self._check_at(series, over_ms)
            return
        severity = self._severity(series, cluster)
        if told is None or told.resolution or severity > told.severity:
            window = self._newest(series, cluster, told.told_ms if told else 0)
            if window is not None:
                self.fired += told is None or bool(told.resolution)
                told = Told(*series, cluster.start_ms, window.end_ms, cluster.end_ms, severity)
                self._told[series][name] = told
                self._keep(name, told)
                yield self._record(name, told, detected_ms, window.start_ms)
        if told is not None and frontier_ms >= over_ms:
            told.told_ms, told.ended_ms = max(told.told_ms, over_ms), cluster.end_ms
            told.severity, told.resolution = severity, "recovered"
            self._keep(name, told)
            yield self._record(name, told, detected_ms)
        else:
            self._check_at(series, over_ms)

    def _check_at(self, series: Series, moment_ms: int) -> None:
        self._checks[series] = min(self._checks.get(series, moment_ms), moment_ms)

    def _severity(self, series: Series, cluster: Cluster) -> int:
        money = self._judge.money(series, cluster.start_ms, cluster.end_ms)
        return self._judge.severity(series, cluster.oddness, money)

    def _newest(self, series: Series, cluster: Cluster, after_ms: int) -> Mark | None:
        """The oddest of the stretch's last windows, of one that was not spoken of: each record's ends later."""
        since = max(after_ms, cluster.end_ms - self._judge.length_ms(series) - 1)
        candidates = self.marks(series).within(cluster, since)
        return min(candidates, key=lambda mark: (mark.oddness, mark.end_ms), default=None)

    def _record(
        self,
        name: str,
        told: Told,
        detected_ms: int,
        window_start_ms: int | None = None,
        into: str | None = None,
    ) -> Record:
        if window_start_ms is None:
            window_start_ms = told.told_ms - self._judge.length_ms(told.series)
        return make_record(
            incident_id=name,
            series=told.series,
            resolution=told.resolution or None,
            merged_into=into,
            started_ms=told.started_ms,
            window=self._judge.window(told.series, window_start_ms, told.told_ms),
            severity=SEVERITIES[told.severity],
            money=self._judge.money(told.series, told.started_ms, told.ended_ms),
            detected_ms=detected_ms,
        )

    # What is kept

    def restore(self, key: str, entry: bytes) -> None:
        """Take over one state entry."""
        if key.startswith(MARK_PREFIX):
            end, start, rule, direction, name = key.removeprefix(MARK_PREFIX).split(":", 4)
            series = Series(rule, name, direction)
            oddness = self._judge.oddness(series, int(start), int(end), float(entry))
            self.marks(series).put(Mark(int(start), int(end), oddness))
            self._dirty.add(series)
        else:
            told = Told(**json.loads(entry))
            self._told.setdefault(told.series, {})[key.removeprefix(INCIDENT_PREFIX)] = told
            self._dirty.add(told.series)

    def prune(self, before_ms: int) -> None:
        """Forget what ended before a moment; of what still fires, keep its extent."""
        for series, marks in self._marks.items():
            told_of = self._told.get(series, {})
            for cluster in list(marks.clusters):
                name = incident_id(series, cluster.start_ms)
                told = told_of.get(name)
                if told is not None and told.resolution and told.told_ms < before_ms:
                    self._forget(told_of, name)
                    for mark in marks.forget(cluster):
                        self._changed[_mark_key(series, mark)] = None
                else:
                    self._fold(series, marks, cluster, before_ms)
            for name, told in list(told_of.items()):
                if told.resolution in ("merged", "withdrawn") and told.told_ms < before_ms:
                    self._forget(told_of, name)

    def _forget(self, told_of: dict[str, Told], name: str) -> None:
        del told_of[name]
        self._changed[INCIDENT_PREFIX + name] = None

    def _fold(self, series: Series, marks: Marks, cluster: Cluster, before_ms: int) -> None:
        folded = marks.fold(cluster, before_ms)
        if folded is not None:
            long, gone = folded
            for mark in gone:
                self._changed[_mark_key(series, mark)] = None
            self._changed[_mark_key(series, long)] = repr(long.oddness).encode()

    def _keep(self, name: str, told: Told) -> None:
        self._changed[INCIDENT_PREFIX + name] = json.dumps(asdict(told), separators=(",", ":")).encode()


@lru_cache(maxsize=10_000)
def incident_id(series: Series, started_ms: int) -> str:
    """The same for the same rule, key, direction and start, whoever finds it and when."""
    text = "\n".join((*series, timestamp_of(started_ms)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16].hex()


def _worldwide_first(series: Series) -> tuple[bool, Series]:
    """A country's incident is a part of the worldwide one, if there is one: that has to be known first."""
    return series.key.startswith("country:"), series


def _mark_key(series: Series, mark: Mark) -> str:
    return f"{MARK_PREFIX}{mark.end_ms}:{mark.start_ms}:{series.rule}:{series.direction}:{series.key}"


def _overlap(told: Told, cluster: Cluster, settings: Settings) -> bool:
    joins_ms = settings.resolve_ms + settings.gap_ms
    return cluster.start_ms <= told.ended_ms + joins_ms and cluster.end_ms >= told.started_ms - joins_ms
