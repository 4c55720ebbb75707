"""The detector in memory and its copy in Flink's state, kept equal. Pure: needs no Flink.

The state is one map of texts to bytes. The detector's own entries stand under `detector/`; beside them are the version
of this layout and the baseline, so that a restored job judges by what it had judged by before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from flink_jobs.order_rate_alarm.baseline import Baseline, WrongBaseline
from flink_jobs.order_rate_alarm.detector import Detector, OrderSeen
from flink_jobs.order_rate_alarm.record import Record
from flink_jobs.order_rate_alarm.rules import Rules

STATE_VERSION = 1
HEARTBEAT_MS = 10_000
_VERSION, _BASELINE, _DETECTOR = "version", "baseline", "detector/"


class State(Protocol):
    """What is used of Flink's MapState."""

    def items(self) -> Iterable[tuple[str, bytes]]:
        """Every entry."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Write one entry."""
        ...

    def remove(self, key: str) -> None:
        """Remove one entry."""
        ...


class NewerState(RuntimeError):
    """The state was written by a newer version of the job: it must not be run with this one."""


class Memory:
    """The one detector of the job.

    Args:
        state: a restored job finds there what it knew; an empty one is a first start.

    Raises:
        NewerState: the state is of a newer version of the job.
    """

    def __init__(self, rules: Rules, state: State) -> None:
        found = dict(state.items())
        version = int(found.pop(_VERSION, b"%d" % STATE_VERSION))
        if version > STATE_VERSION:
            raise NewerState(f"the state is of version {version}, this job reads up to {STATE_VERSION}")
        self._state = state
        self.baselines_loaded = 0
        self.baselines_refused = 0
        self._document = bytes(found.pop(_BASELINE, b""))
        baseline = self._read(self._document) if self._document else None
        entries = ((key.removeprefix(_DETECTOR), bytes(value)) for key, value in found.items())
        self.detector = Detector(rules, baseline, entries)
        self._newest_ms = baseline.trained_until_ms if baseline else 0
        self._next_heartbeat_ms = 0
        state.put(_VERSION, b"%d" % STATE_VERSION)

    def on_order(self, order: OrderSeen, now_ms: int) -> list[Record]:
        """Count an order; what has to be told."""
        return self._kept(self.detector.on_order(order, now_ms))

    def on_clock(self, now_ms: int) -> list[Record]:
        """Let time pass; what has to be told, the sign of life each 10 seconds among it."""
        told = self.detector.on_clock(now_ms)
        if now_ms >= self._next_heartbeat_ms:
            self._next_heartbeat_ms = now_ms - now_ms % HEARTBEAT_MS + HEARTBEAT_MS
            told = [*told, self.detector.heartbeat(now_ms)]
        return self._kept(told)

    def on_baseline(self, document: bytes) -> None:
        """Judge by this baseline from now on, unless it is older than the one in use or cannot be read."""
        baseline = self._read(document)
        # Files of a folder come in any order: the one that was trained on the latest data stays.
        if baseline is None or baseline.trained_until_ms < self._newest_ms or document == self._document:
            return
        self._document, self._newest_ms = document, baseline.trained_until_ms
        self.detector.replace_baseline(baseline)
        self._state.put(_BASELINE, document)
        self.baselines_loaded += 1
        self._kept([])

    def _read(self, document: bytes) -> Baseline | None:
        """One that this version cannot read is counted and left; until another comes there is none."""
        try:
            return Baseline.load(document)
        except WrongBaseline:
            self.baselines_refused += 1
            return None

    def _kept(self, told: list[Record]) -> list[Record]:
        """Write what has changed before anything is told: a checkpoint holds both or neither."""
        for key, value in self.detector.changed():
            if value is None:
                self._state.remove(_DETECTOR + key)
            else:
                self._state.put(_DETECTOR + key, value)
        return told
