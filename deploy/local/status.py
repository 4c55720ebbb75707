"""What runs now and how it does: processes from the system, rates and lags from /metrics."""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.local import control, plan, probe, processes, state
from deploy.local.layout import Layout
from deploy.local.plan import Service
from deploy.local.state import RunState, Unit

SAMPLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """One engine or service.

    Args:
        state: as the supervisor sees it; `not ready` where it runs and /readyz says no.
        cpu_percent: of one core, over the last second.
        rate_per_s: what it handled per second, over the last second; None where it counts nothing.
        lag_s: how far it is behind, in seconds; None where it has no lag.
    """

    name: str
    kind: str
    state: str
    pid: int | None
    url: str | None
    metrics_url: str | None
    uptime_s: float | None
    restarts: int
    cpu_percent: float | None
    rss_bytes: int | None
    rate_per_s: float | None
    lag_s: float | None
    message: str


@dataclass(frozen=True, slots=True)
class Status:
    """The whole platform: `state` is up, degraded, starting, stopping, failed or down."""

    state: str
    run_id: str | None
    namespace: str | None
    pid: int | None
    message: str
    rows: list[Row]

    @property
    def exit_code(self) -> int:
        """0 all well, 1 something is not, 3 nothing runs."""
        return {state.UP: 0, state.DOWN: 3}.get(self.state, 1)

    def as_dict(self) -> dict[str, object]:
        """For machines: engines and services apart."""
        rows = [dataclasses.asdict(row) for row in self.rows]
        return {
            "state": self.state,
            "run_id": self.run_id,
            "namespace": self.namespace,
            "pid": self.pid,
            "message": self.message,
            "engines": [row for row in rows if row["kind"] == "engine"],
            "services": [row for row in rows if row["kind"] == "service"],
        }


def read(layout: Layout, sample_s: float = SAMPLE_S) -> Status:
    """Look at everything that runs in this folder, for `sample_s` seconds."""
    run = RunState.load(layout.state_file)
    if run is None or not control.alive(layout):
        # `failed` on disk tells why the last start ended; nothing of it runs.
        message = run.message if run is not None else ""
        return Status(state.DOWN, None, None, None, message, [])
    known = {service.name: service for service in plan.read(Path(run.plan_file)).services}
    units = [unit for unit in run.units if unit.kind != "task"]
    with ThreadPoolExecutor(max_workers=max(1, len(units))) as pool:
        rows = list(pool.map(lambda unit: _row(unit, known.get(unit.name), sample_s), units))
    well = all(row.state == state.READY for row in rows)
    overall = run.state if run.state != state.UP or well else "degraded"
    return Status(overall, run.run_id, run.namespace, run.pid, run.message, rows)


def _row(unit: Unit, service: Service | None, sample_s: float) -> Row:
    before, samples_before, began = _usage(unit), _samples(unit), time.monotonic()
    time.sleep(sample_s)
    after, samples_after, took_s = _usage(unit), _samples(unit), time.monotonic() - began
    now = unit.state
    if now == state.READY and unit.metrics_url and not probe.answers(f"{unit.metrics_url}/readyz"):
        now = "not ready"
    return Row(
        name=unit.name,
        kind=unit.kind,
        state=now,
        pid=unit.pid,
        url=unit.url,
        metrics_url=unit.metrics_url,
        uptime_s=round(time.time() - unit.started_at, 1) if unit.started_at and after else None,
        restarts=unit.restarts,
        cpu_percent=round((after.cpu_s - before.cpu_s) / took_s * 100, 1) if before and after else None,
        rss_bytes=after.rss_bytes if after else None,
        rate_per_s=_rate(service, samples_before, samples_after, took_s),
        lag_s=samples_after.get(service.lag) if service is not None else None,
        message=unit.message,
    )


def _usage(unit: Unit) -> processes.Usage | None:
    return processes.usage_of_tree(unit.pid) if unit.pid is not None else None


def _samples(unit: Unit) -> dict[str, float]:
    text = probe.get(f"{unit.metrics_url}/metrics") if unit.metrics_url else None
    return probe.samples(text) if text else {}


def _rate(
    service: Service | None, before: dict[str, float], after: dict[str, float], took_s: float
) -> float | None:
    if service is None or not service.rate or not before or not after:
        return None
    grown = sum(after.get(name, 0.0) - before.get(name, 0.0) for name in service.rate)
    return round(max(0.0, grown) / took_s, 1)


def table(status: Status) -> str:
    """The status for people, one line an engine or service."""
    head = f"{status.state}" + (
        f"  run {status.run_id}, namespace {status.namespace}" if status.run_id else ""
    )
    lines = [head, *([status.message] if status.message else [])]
    if status.rows:
        lines.append(
            _line("name", "state", "pid", "up", "again", "CPU", "memory", "rate/s", "lag", "address")
        )
        lines += [_described(row) for row in status.rows]
        lines += [f"{row.name}: {row.message}" for row in status.rows if row.message]
    return "\n".join(lines)


def _described(row: Row) -> str:
    return _line(
        row.name,
        row.state,
        _text(row.pid, ""),
        _text(row.uptime_s, " s"),
        str(row.restarts),
        _text(row.cpu_percent, " %"),
        _text(row.rss_bytes // 2**20 if row.rss_bytes is not None else None, " MB"),
        _text(row.rate_per_s, ""),
        _text(round(row.lag_s, 1) if row.lag_s is not None else None, " s"),
        row.url or row.metrics_url or "-",
    )


def _text(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value}{unit}"


def _line(*cells: str) -> str:
    widths = (24, 11, 8, 10, 6, 8, 8, 9, 8)
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return " ".join([*padded, cells[-1]])
