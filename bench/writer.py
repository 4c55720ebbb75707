"""What an order costs in the writer, beside a floor in the same run.

`python -m bench.writer` lets the writer and the floor (`bench/writer_floor.py`) copy the same real orders at the same
concurrency, both from and to a stub of constant cost (`bench/writer_stub.py`), and compares the processes' CPU time.
Goal: at most GOAL_RATIO times the floor. Exit 1 past it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import retail_orders
from bench.writer_stub import Stub
from contracts import codec
from contracts.order import partition_key

GOAL_RATIO = 1.5
ROOT = Path(__file__).parents[1]
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_SETTLE_S = 4.0
_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class Round:
    """One process over all records.

    Args:
        cpu_s_per_million: user and system CPU seconds of the process per million order records.
        records_per_s: written, on this machine as busy as it was.
        rss_mb: resident memory at the end, megabytes.
    """

    who: str
    cpu_s_per_million: float
    records_per_s: float
    rss_mb: float


def _serve(records: list[tuple[bytes, str]], go: Any, written: Any, port: Any) -> None:
    def ready(number: int) -> None:
        port.value = number

    asyncio.run(Stub(records, go, written).serve(ready))


def cpu_s(pid: int) -> float:
    """User and system CPU seconds that a process has used.

    Source: proc(5), /proc/<pid>/stat, fields 14 and 15.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident memory. Source: proc(5), /proc/<pid>/statm, field 2, in pages."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def _process(
    arguments: list[str], endpoint: str, concurrency: int, settings: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CADABRA_NAMESPACE": "bench",
        "CADABRA_KINESIS_ENDPOINT": endpoint,
        "CADABRA_DYNAMODB_ENDPOINT": endpoint,
        "CADABRA_CONCURRENCY": str(concurrency),
        "CADABRA_LOG_LEVEL": "ERROR",
        "NO_PROXY": "127.0.0.1",
        **{name: value.replace("ENDPOINT", endpoint) for name, value in settings.items()},
    }
    process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def measure(
    who: str,
    arguments: list[str],
    data: list[tuple[bytes, str]],
    concurrency: int,
    serve: Callable[..., None] = _serve,
    count: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Round:
    """Start the stub and one process, let it settle with empty shards, then let it copy everything.

    Args:
        serve: runs the stub, which counts what was written.
        count: how much that is in the end, and what the figures are by; the records where it is left out.
        settings: further environment variables; `ENDPOINT` in them is the stub's.

    Raises:
        RuntimeError: it ended, or was not done in time.
    """
    count = count or len(data)
    go, written, port = (multiprocessing.Value("i", 0) for _ in range(3))
    stub = multiprocessing.Process(target=serve, args=(data, go, written, port), daemon=True)
    stub.start()
    try:
        _wait(lambda: port.value > 0, "the stub's port")
        endpoint = f"http://127.0.0.1:{port.value}"
        arguments = [endpoint if one == "ENDPOINT" else one for one in arguments]
        with _process(arguments, endpoint, concurrency, settings or {}) as process:
            time.sleep(_SETTLE_S)  # start-up is not what is measured
            if process.poll() is not None:
                raise RuntimeError(f"{who} ended with {process.returncode}")
            before, started = cpu_s(process.pid), time.perf_counter()
            go.value = 1
            _wait(lambda: written.value >= count, f"{who} to write everything")
            took_s = time.perf_counter() - started
            time.sleep(0.2)  # the last answers and checkpoints
            used = cpu_s(process.pid) - before
            return Round(who, used / count * 1e6, count / took_s, rss_mb(process.pid))
    finally:
        stub.kill()
        stub.join()


def _wait(condition: Any, what: str) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {_TIMEOUT_S:g} s for {what}")
        time.sleep(0.02)


def run(records: int, rounds: int, concurrency: int) -> dict[str, Any]:
    """Measure by turns and compare medians."""
    orders = retail_orders.records(records)
    data = [(codec.encode(order), partition_key(order.source, order.order_id)) for order in orders]
    floor = ["bench.writer_floor", "ENDPOINT", str(concurrency)]
    who = {
        "floor": floor,
        "floor, SDK validation off": [*floor, "tuned"],
        "dynamodb_writer": ["services.dynamodb_writer"],
    }
    found = [measure(name, how, data, concurrency) for _ in range(rounds) for name, how in who.items()]
    median = {
        name: statistics.median(one.cpu_s_per_million for one in found if one.who == name) for name in who
    }
    ours = median["dynamodb_writer"]
    return {
        "records": len(data),
        "mean_record_bytes": round(statistics.mean(len(body) for body, _ in data)),
        "concurrency": concurrency,
        "rounds": [asdict(one) for one in found],
        "cpu_s_per_million": median,
        "ratio": ours / median["floor"],
        "ratio_to_tuned_floor": ours / median["floor, SDK validation off"],
        "goal": GOAL_RATIO,
    }


def main() -> int:
    """Print the table, or JSON with --json."""
    parser = argparse.ArgumentParser(prog="python -m bench.writer", description=__doc__)
    parser.add_argument("--records", type=int, default=6_000, help="invoices to copy a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = run(options.records, options.rounds, options.concurrency)
    if options.json:
        print(json.dumps(result))
    else:
        print(f"{result['records']} order records of {result['mean_record_bytes']} bytes on average")
        print(f"{'':28}{'CPU s / million':>16}{'records/s':>12}{'RSS MB':>9}")
        for one in result["rounds"]:
            print(
                f"{one['who']:28}{one['cpu_s_per_million']:16.1f}{one['records_per_s']:12.0f}{one['rss_mb']:9.0f}"
            )
        print(
            f"ratio {result['ratio']:.2f} (goal {GOAL_RATIO:.2f}); "
            f"to the floor with the SDK's validation off {result['ratio_to_tuned_floor']:.2f}"
        )
    return 0 if result["ratio"] <= GOAL_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
