"""What the hot calls cost, our data plane beside the SDK in the same run.

`python -m bench.data_plane` lets both planes, by turns and each in a process of its own, read and decode records, put
encoded records and write orders as items, over a stub of constant cost (`bench/data_plane_stub.py`), and compares CPU
time, user and system. Records are the shop's real order lines (small) and its invoices (large). Exit 1 when the raw
plane misses a goal.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bench import retail_orders
from contracts import codec
from services.dynamodb_writer import items
from services.dynamodb_writer.inserts import Inserts
from services.dynamodb_writer.metrics import WriterMetrics
from services.kernel.adapters.data_plane import RAW, SDK
from services.kernel.adapters.dynamodb import MAX_INSERTS_PER_BATCH, DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.streams.records import Record

ROOT = Path(__file__).parents[1]
GOALS = {"consume and decode": 3.0, "PutRecords": 3.0, "orders to DynamoDB": 40.0}
"""CPU seconds per million on one core; the first two of single order lines."""
TABLE = "bench-order_history"
PER_CALL = 500
_INVOICES = 60  # enough for the lines of one call
_ORDERS = 100
_CONCURRENCY = 32
Work = Callable[[], Awaitable[int]]


class Line(msgspec.Struct):
    """One line of an order as a record of its own: the small record of the comparison."""

    order_id: str
    line_id: str
    stock_code: str
    description: str | None
    quantity: int
    unit_price: str
    ordered_at: str


def lines() -> list[bytes]:
    """Real order lines, one a record, about 170 bytes each."""
    found = [
        msgspec.json.encode(
            Line(
                order.order_id,
                line.line_id,
                line.stock_code,
                line.description,
                line.quantity,
                line.unit_price,
                line.ordered_at,
            )
        )
        for order in retail_orders.records(_INVOICES)
        for line in order.lines
    ]
    return found[:PER_CALL]


def page(records: list[bytes]) -> bytes:
    """An answer of GetRecords in the form that the service gives it."""
    return json.dumps(
        {
            "Records": [
                {
                    "SequenceNumber": str(49_600_000_000_000_000_000_000_000_000_000_000_000_000_000 + at),
                    "ApproximateArrivalTimestamp": 1_760_000_000.125,
                    "Data": base64.b64encode(data).decode(),
                    "PartitionKey": f"shop/{at}",
                }
                for at, data in enumerate(records)
            ],
            "NextShardIterator": "A" * 220,
            "MillisBehindLatest": 1,
        }
    ).encode()


async def _consume(kinesis: Kinesis, decode: Callable[[bytes], object]) -> int:
    fetch = await kinesis.get_records("A" * 220, PER_CALL, "bench", "shardId-000000000000")
    for record in fetch.records:
        decode(record.data)
    return len(fetch.records)


async def _put(kinesis: Kinesis, batch: list[tuple[bytes, str]]) -> int:
    return len(await kinesis.put_records("bench", batch))


async def _write(inserts: Inserts, chosen: Iterator[Any]) -> int:
    if await inserts.insert(next(chosen)) is not None:
        raise RuntimeError("the stub stores everything")
    return 1


async def _repeat(work: Work, count: int, concurrency: int) -> float:
    """CPU seconds of this process per million records, over at least `count` of them."""
    done = 0

    async def worker() -> None:
        nonlocal done
        while done < count:
            one = await work()
            done += one  # not in one line: `done` would be read before the wait

    before_s = time.process_time()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return (time.process_time() - before_s) / done * 1e6


async def _measure(work: Work, count: int, concurrency: int) -> float:
    await _repeat(work, count, concurrency)  # the first calls pay for connections and for buffers that grow
    return await _repeat(work, count, concurrency)


async def measure(plane: str, port: int, size: str, scale: float) -> dict[str, float]:
    """Measure one plane in this process; `size` is "lines" or "invoices"."""
    endpoint = f"http://127.0.0.1:{port}"
    small = size == "lines"
    orders = [] if small else retail_orders.records(_ORDERS)
    data = lines() if small else [codec.encode(order) for order in orders]
    decode: Callable[[bytes], object] = (
        msgspec.json.Decoder(Line).decode if small else codec.decoder("order", 1)
    )
    batch = [(one, f"shop/{at}") for at, one in enumerate(data)]
    count = int((20_000 if small else 2_000) * scale)
    found: dict[str, float] = {}
    async with (
        Kinesis.open(endpoint, "us-east-1", data_plane=plane) as kinesis,
        DynamoDB.open(endpoint, "us-east-1", max_connections=_CONCURRENCY, data_plane=plane) as dynamodb,
    ):
        found["consume and decode"] = await _measure(lambda: _consume(kinesis, decode), count, 4)
        found["PutRecords"] = await _measure(lambda: _put(kinesis, batch), count, 4)
        if not small:
            built = [
                items.item(Record("shardId-000000000000", 10**55 + at, "", body, 0), order)
                for at, (body, order) in enumerate(zip(data, orders, strict=True))
            ]
            chosen = _forever(built)
            for name, per_call in (
                ("orders to DynamoDB", MAX_INSERTS_PER_BATCH),
                ("the same, one a call", 1),
            ):
                inserts = Inserts(dynamodb, TABLE, per_call, _CONCURRENCY, WriterMetrics())
                found[name] = await _measure(
                    lambda inserts=inserts: _write(inserts, chosen),  # type: ignore[misc]
                    int(4_000 * scale),
                    _CONCURRENCY,
                )
    return found


def _forever(built: list[Any]) -> Iterator[Any]:
    while True:
        yield from built


@contextmanager
def _stub(answer: bytes) -> Iterator[int]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(answer)
        file.flush()
        running = subprocess.Popen(
            [sys.executable, "-m", "bench.data_plane_stub", file.name], cwd=ROOT, stdout=subprocess.PIPE
        )
        try:
            assert running.stdout is not None
            yield int(running.stdout.readline())
        finally:
            running.kill()
            running.wait()
            if running.stdout is not None:
                running.stdout.close()


def _in_a_process(plane: str, port: int, size: str, scale: float) -> dict[str, float]:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }
    arguments = ["--measure", plane, "--port", str(port), "--size", size, "--scale", str(scale)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.data_plane", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def run(rounds: int, scale: float) -> dict[str, Any]:
    """Measure both planes by turns and compare medians."""
    rows: dict[str, dict[str, Any]] = {}
    for size in ("lines", "invoices"):
        data = lines() if size == "lines" else [codec.encode(one) for one in retail_orders.records(_ORDERS)]
        with _stub(page(data)) as port:
            turns = [
                (plane, _in_a_process(plane, port, size, scale))
                for _ in range(rounds)
                for plane in (RAW, SDK)
            ]
        for name in turns[0][1]:
            by = {
                plane: statistics.median(found[name] for who, found in turns if who == plane)
                for plane in (RAW, SDK)
            }
            mean = round(statistics.mean(map(len, data)))
            judged = size == "lines" or name == "orders to DynamoDB"
            rows[f"{name}, {size} of {mean} bytes"] = {
                "cpu_s_per_million": by,
                "ratio": by[SDK] / by[RAW],
                "goal": GOALS[name] if judged else None,
            }
    return {"rounds": rounds, "rows": rows}


def _missed(rows: dict[str, dict[str, Any]]) -> bool:
    return any(
        row["goal"] is not None and row["cpu_s_per_million"][RAW] > row["goal"] for row in rows.values()
    )


def main() -> int:
    """Print the table, or JSON with --json."""
    parser = argparse.ArgumentParser(prog="python -m bench.data_plane", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="times the records of a round")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", choices=(RAW, SDK), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--size", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        found = asyncio.run(measure(options.measure, options.port, options.size, options.scale))
        print(json.dumps(found))
        return 0
    result = run(options.rounds, options.scale)
    if options.json:
        print(json.dumps(result))
    else:
        print(f"{'CPU s / million, one core':46}{'raw':>8}{'SDK':>8}{'SDK/raw':>9}{'goal':>7}")
        for name, row in result["rows"].items():
            by, goal = row["cpu_s_per_million"], row["goal"]
            print(f"{name:46}{by[RAW]:8.2f}{by[SDK]:8.2f}{row['ratio']:9.1f}{goal or '-':>7}")
    return 1 if _missed(result["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
