"""The alarm's ends for tests: orders into their stream, the job as a process, what it tells and should tell."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts import codec
from contracts.scalars import timestamp
from flink_jobs.order_rate_alarm.baseline import Baseline, KeyModel
from flink_jobs.order_rate_alarm.detector import Detector
from flink_jobs.order_rate_alarm.distribution import CountLaw
from flink_jobs.order_rate_alarm.parsing import order_seen
from flink_jobs.order_rate_alarm.rules import Rules
from services.kernel.core.retry import Retry
from services.kernel.streams.records import Record
from services.kernel.streams.rejected_reader import _read_shard
from tests import processes
from tests.component.order_path import OrderPath, order_path
from tests.engines import Engines, local_environment
from tests.orders import a_line, one_part
from tests.processes import ServiceProcess

READY_TIMEOUT_S = 150.0
PREFIX = "flink_taskmanager_job_task_operator_order_rate_alarm_"


@dataclass
class AlarmPath:
    """One namespace with its streams, and the job as often as it is started; its folder keeps its checkpoints."""

    orders: OrderPath
    engines: Engines
    folder: Path
    job: ServiceProcess | None = None
    started: list[ServiceProcess] = field(default_factory=list)

    @property
    def baselines(self) -> Path:
        """Where the job looks for baselines."""
        return self.folder / "baselines"

    async def start(
        self,
        rules: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        checkpoint_interval_s: float = 1.0,
    ) -> ServiceProcess:
        """Start the job from its newest snapshot and wait until it runs."""
        environment = {
            **local_environment(self.engines),
            "HOME": str(self.folder),
            "CADABRA_RUN_ID": self.engines.run_id,
            "CADABRA_NAMESPACE": self.orders.namespace,
            "CADABRA_FLINK_FOLDER": str(self.folder / "flink"),
            "CADABRA_FLINK_CHECKPOINT_INTERVAL_S": str(checkpoint_interval_s),
            "CADABRA_FLINK_OVERRIDES": json.dumps({"rules": dict(rules or {})}),
            **(settings or {}),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        self.job = await processes.start_module(
            "deploy.local.flink_host", ["order_rate_alarm"], self.folder, environment, READY_TIMEOUT_S
        )
        self.started.append(self.job)
        return self.job

    async def figure(self, name: str) -> float | None:
        """One of the job's own metrics; None while it is not shown."""
        assert self.job is not None
        samples = await self.job.metrics()
        found = [value for key, value in samples.items() if key.startswith(f"{PREFIX}{name}{{")]
        return sum(found) if found else None

    async def told(self) -> list[dict[str, Any]]:
        """Every record of the stream of alarms, signs of life apart."""
        return [one for one in await self.records() if one["rule"] != "heartbeat"]

    async def heartbeats(self) -> list[dict[str, Any]]:
        """Every sign of life."""
        return [one for one in await self.records() if one["rule"] == "heartbeat"]

    async def records(self) -> list[dict[str, Any]]:
        """Every record of the stream of alarms; each holds its contract, under the partition key of its stream."""
        decode = codec.decoder("order_rate_alarm", 1)
        found = []
        for record in await read_stream(self.orders, "order-rate-alarms"):
            alarm = decode(record.data)
            assert record.partition_key == f"{alarm.rule}/{alarm.key}"
            found.append(json.loads(record.data))
        return found

    def kill(self) -> None:
        """End whatever was started, and print what it said."""
        for one in self.started:
            one.kill9_tree()
            print(f"--- {one.name} {one.pid}\n{one.log_tail()}")


async def read_stream(path: OrderPath, name: str) -> list[Record]:
    """Every record that a stream holds now."""
    stream, retry = f"{path.namespace}-{name}", Retry(budget_s=30)
    found = []
    for shard in await retry.call(lambda: path.kinesis.list_shards(stream)):
        found += await _read_shard(path.kinesis, stream, shard.shard_id, retry)
    return found


@asynccontextmanager
async def alarm_path(engines: Engines, namespace: str, folder: Path) -> AsyncIterator[AlarmPath]:
    """Provision a namespace on the real engines; whatever job was started is killed at the end."""
    async with order_path(engines, namespace) as orders:
        path = AlarmPath(orders, engines, folder)
        try:
            yield path
        finally:
            path.kill()


def order_at(order_id: str, moment_ms: int, late_ms: int = 0, **fields: Any) -> codec.Order:
    """One order of that time, taken in `late_ms` later."""
    lines = [a_line("1", ordered_at=at(moment_ms))]
    return one_part(order_id, lines, ingested_at=at(moment_ms + late_ms), **fields)


def at(moment_ms: int) -> str:
    """A time as contracts write it."""
    return timestamp(datetime.fromtimestamp(moment_ms / 1000, UTC))


def now_ms() -> int:
    """The wall clock in milliseconds."""
    return int(datetime.now(UTC).timestamp() * 1000)


def finals(records: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What is known of each incident in the end: its record of the highest rank.

    Left out is what depends on when it was decided: that time itself, and how many orders were known by then of the
    window that ended it. Incidents that turned out to be none, or a part of another, are left out.
    """
    best: dict[str, dict[str, Any]] = {}
    for record in records:
        known = best.get(record["incident_id"])
        if record["rule"] != "heartbeat" and (known is None or record["rank"] > known["rank"]):
            best[record["incident_id"]] = dict(record)
    kept = {key: one for key, one in best.items() if one["resolution"] not in ("merged", "withdrawn")}
    for one in kept.values():
        del one["detected_at"], one["observed"]
    return kept


def undisturbed(
    orders: Sequence[codec.Order], rules: Mapping[str, str], until_ms: int, baseline: Baseline | None = None
) -> list[dict[str, Any]]:
    """What the pure detector tells of these orders if each arrives when it was taken in, and time passes evenly."""
    detector = Detector(Rules.from_properties(rules), baseline)
    seen = sorted((order_seen(codec.encode(order)) for order in orders), key=lambda one: one.ingested_at_ms)
    told: list[dict[str, Any]] = []
    clock_ms = seen[0].ingested_at_ms
    for order in seen:
        while clock_ms < order.ingested_at_ms:
            clock_ms = min(clock_ms + 1000, order.ingested_at_ms)
            told += detector.on_clock(clock_ms)
        told += detector.on_order(order, clock_ms)
    while clock_ms < until_ms:
        clock_ms += 1000
        told += detector.on_clock(clock_ms)
    return told


def steady_baseline(version: str, orders_in_half_an_hour: float = 5.0) -> Baseline:
    """A baseline of a shop with the same rate at all times, all its orders from one country."""
    same = KeyModel(1.0, (1.0,) * 24, 20.0)
    return Baseline(
        version=version,
        trained_until_ms=now_ms(),
        time_zone="Europe/London",
        currency="GBP",
        week=((orders_in_half_an_hour,) * 48,) * 7,
        laws={10: CountLaw(0.4, 0.05), 60: CountLaw(0.9, 0.05)},
        keys={"total": same, "country:United Kingdom": same},
        closed=frozenset(),
    )
