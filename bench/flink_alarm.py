"""What an order costs in the alarm job, beside the same counting in plain Flink SQL in the same run.

`python -m bench.flink_alarm` lets both read the same real orders from a file, one after the other, each in a cluster
of its own as `make up` starts it: one slot, the same memory. The orders get times of one rate, so that the alarm
judges as many windows as in operation, by a baseline of that rate. What the SQL job does is told in
`flink_alarm_job.py`. CPU time is that of Python and JVM together, between a fifth of the orders and all: what
starting costs is left out. Goal: at most GOAL_RATIO times the SQL job's CPU per order. Exit 1 past it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import retail_orders
from contracts.scalars import timestamp
from deploy.local import probe, processes
from deploy.local.flink_cluster import HOST, Cluster
from deploy.local.layout import ROOT
from flink_jobs.order_rate_alarm.baseline import Baseline, KeyModel
from flink_jobs.order_rate_alarm.distribution import CountLaw

GOAL_RATIO = 3.0
ORDERS_PER_S = 100
_FROM = 0.2
_TIMEOUT_S = 600.0
_LOOK_S = 0.5  # each look costs the job some milliseconds
_COUNTED = {"alarm": "detect", "sql": "Deduplicate"}
_READ = re.compile(
    r'^flink_taskmanager_job_task_operator_numRecordsIn\{.*operator_name="([^"]*)".*\} (\S+)$', re.M
)


@dataclass(frozen=True)
class Round:
    """One job over all orders.

    Args:
        orders_per_s: on this machine as busy as it was.
        cpu_s_per_million: user and system CPU seconds per million orders.
        rss_mb: the most resident memory of all its processes together, megabytes.
    """

    who: str
    orders_per_s: float
    cpu_s_per_million: float
    rss_mb: float


@dataclass(frozen=True)
class _Sample:
    at: float
    orders: int
    cpu_s: float
    rss_bytes: int


def write_orders(folder: Path, count: int) -> None:
    """Put down real orders, again and again under new names until there are enough, one document a line."""
    documents = [json.loads(line) for line in _encoded()]
    started = datetime.now(UTC) - timedelta(seconds=count / ORDERS_PER_S)
    folder.mkdir(parents=True)
    with (folder / "orders.jsonl").open("w", encoding="utf-8") as file:
        for number in range(count):
            document = documents[number % len(documents)]
            moment = timestamp(started + timedelta(seconds=number / ORDERS_PER_S))
            document |= {
                "order_id": f"o{number}",
                "ordered_at": moment,
                "ingested_at": moment,
                "kind": "sale",
            }
            file.write(json.dumps(document) + "\n")


def write_baseline(folder: Path) -> None:
    """Put down a baseline of the rate that the orders have, so that the learned rule judges each of them."""
    folder.mkdir()
    share = (1.0,) * 24
    baseline = Baseline(
        version="bench",
        trained_until_ms=round(time.time() * 1000),
        time_zone="Europe/London",
        currency="GBP",
        week=((ORDERS_PER_S * 1800.0,) * 48,) * 7,
        laws={10: CountLaw(0.4, 0.05), 60: CountLaw(0.9, 0.05)},
        keys={"total": KeyModel(1.0, share, 20.0), "country:United Kingdom": KeyModel(0.9, share, 20.0)},
        closed=frozenset(),
    )
    (folder / "baseline.json").write_bytes(baseline.save())


def _encoded() -> Iterator[bytes]:
    from contracts import codec

    yield from (codec.encode(part) for part in retail_orders.records())


def run(who: str, folder: Path, count: int) -> Round:
    """Start one job, look at it until it has read all orders, end it."""
    cluster = Cluster(who, folder / who)
    environment, _ = cluster.write({}, 10, None)
    with (folder / f"{who}.log").open("wb") as log:
        process = subprocess.Popen(
            [cluster.environment / "bin" / "python", "-m", "bench.flink_alarm_job", who, folder],
            env={**os.environ, **environment},
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        samples = list(_samples(process, cluster, _COUNTED[who], count))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    first = next(one for one in samples if one.orders >= count * _FROM)
    last, peak = samples[-1], max(one.rss_bytes for one in samples)
    orders = max(1, last.orders - first.orders)
    return Round(
        who,
        round(orders / max(last.at - first.at, 1e-3)),
        round((last.cpu_s - first.cpu_s) / orders * 1e6, 1),
        round(peak / 2**20),
    )


def _samples(
    process: subprocess.Popen[bytes], cluster: Cluster, operator: str, count: int
) -> Iterator[_Sample]:
    deadline, orders = time.monotonic() + _TIMEOUT_S, 0
    while orders < count:
        if process.poll() is not None or time.monotonic() > deadline:
            log = cluster.folder.with_suffix(".log").read_text(encoding="utf-8", errors="replace")[-3000:]
            raise RuntimeError(f"the job read {orders} of {count} orders (exit {process.poll()}):\n{log}")
        orders = _orders(cluster, operator)
        usage = processes.usage_of_tree(process.pid)
        if usage is not None:
            yield _Sample(time.monotonic(), orders, usage.cpu_s, usage.rss_bytes)
        time.sleep(_LOOK_S)


def _orders(cluster: Cluster, operator: str) -> int:
    try:
        port = int(cluster.port_file.read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0
    text = probe.get(f"http://{HOST}:{port}/metrics") or ""
    return max(
        (int(float(value)) for name, value in _READ.findall(text) if name.startswith(operator)), default=0
    )


def table(rounds: list[Round], ratio: float) -> str:
    """One line a job, and how they compare."""
    lines = [f"{'job':<8}{'orders/s':>10}{'CPU s per million':>20}{'memory':>10}"]
    lines += [
        f"{one.who:<8}{one.orders_per_s:>10,.0f}{one.cpu_s_per_million:>20,.1f}{one.rss_mb:>7,.0f} MB"
        for one in rounds
    ]
    verdict = "within" if ratio <= GOAL_RATIO else "PAST"
    return "\n".join([*lines, f"alarm / sql: {ratio:.2f} ({verdict} the goal of {GOAL_RATIO:g})"])


def main(arguments: list[str] | None = None) -> int:
    """Measure both and print the table."""
    parser = argparse.ArgumentParser(prog="bench.flink_alarm", description=__doc__)
    parser.add_argument("--orders", type=int, default=150_000, help="how many both read")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="cadabra-bench-") as name:
        folder = Path(name)
        write_orders(folder / "orders", options.orders)
        write_baseline(folder / "baselines")
        rounds = [run(who, folder, options.orders) for who in ("sql", "alarm")]
    ratio = rounds[1].cpu_s_per_million / max(rounds[0].cpu_s_per_million, 1e-9)
    if options.json:
        print(json.dumps({"rounds": [asdict(one) for one in rounds], "ratio": round(ratio, 2)}))
    else:
        print(table(rounds, ratio))
    return 0 if ratio <= GOAL_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
