"""What an order costs at the front door, beside a floor in the same run.

`python -m bench.ingest` drives order_ingest and the floor (`bench/ingest_floor.py`) by turns with the same orders of
10 lines at the same concurrency, both over a Kinesis of constant cost (`bench/kinesis_stub.py`), and compares the
processes' CPU time. Goal: at most GOAL_RATIO times the floor. Exit 1 past it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from services.kernel.core import tokens

GOAL_RATIO = 2.0
ROOT = Path(__file__).parents[1]
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_READY_TIMEOUT_S = 20.0
_PAYLOADS = 512


@dataclass(frozen=True)
class Round:
    """One round of one process.

    Args:
        cpu_s_per_million: user and system CPU seconds of the process per million orders.
        orders_per_s: answered with 202.
        p50_ms, p99_ms: from the request's first byte to its answer, milliseconds.
    """

    who: str
    cpu_s_per_million: float
    orders_per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Target:
    """A process under load."""

    who: str
    pid: int
    port: int
    requests: list[bytes]


def cpu_s(pid: int) -> float:
    """User and system CPU seconds that a process has used.

    Source: proc(5), /proc/<pid>/stat, fields 14 and 15.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def payloads() -> list[bytes]:
    """Orders of 10 lines, about 1.3 KB each, with explicit line ids as in the API's example."""
    return [json.dumps(_order(number), separators=(",", ":")).encode() for number in range(_PAYLOADS)]


def _order(number: int) -> dict[str, object]:
    lines = [
        {
            "line_id": str(line),
            "stock_code": f"{85_000 + number * 7 + line}A",
            "description": "WHITE HANGING HEART T-LIGHT HOLDER",
            "quantity": 1 + (number + line) % 24,
            "unit_price": f"{(number * 13 + line * 7) % 1999 / 100:.2f}",
        }
        for line in range(1, 11)
    ]
    return {
        "order_id": str(536_365 + number),
        "ordered_at": f"2010-12-{1 + number % 28:02}T{8 + number % 10:02}:{number % 60:02}:00Z",
        "customer_id": str(12_346 + number),
        "country": "United Kingdom",
        "currency": "GBP",
        "lines": lines,
    }


def requests_of(bodies: list[bytes], token: str) -> list[bytes]:
    """Whole HTTP requests, ready to be written."""
    head = (
        "POST /v1/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n"
    )
    return [head.format(token, len(body)).encode() + body for body in bodies]


async def drive(target: Target, orders: int, connections: int) -> Round:
    """Send orders over keep-alive connections, one at a time on each, and measure the process meanwhile."""
    left = orders
    latencies_s: list[float] = []

    async def client() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        while left > 0:
            left -= 1
            started_s = time.perf_counter()
            writer.write(target.requests[left % len(target.requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 202 "):
                raise RuntimeError(f"{target.who}: {head!r}")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            if length:
                await reader.readexactly(int(length))
            latencies_s.append(time.perf_counter() - started_s)
        writer.close()
        await writer.wait_closed()

    cpu_before_s, started_s = cpu_s(target.pid), time.perf_counter()
    async with asyncio.TaskGroup() as clients:
        for _ in range(connections):
            clients.create_task(client())
    took_s, used_s = time.perf_counter() - started_s, cpu_s(target.pid) - cpu_before_s
    cuts = statistics.quantiles(latencies_s, n=100)
    return Round(target.who, used_s / orders * 1e6, orders / took_s, cuts[49] * 1e3, cuts[98] * 1e3)


@contextmanager
def process(arguments: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Python module until the block ends."""
    running = subprocess.Popen(
        [sys.executable, "-m", *arguments], env=environment, cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()
        if running.stdout is not None:
            running.stdout.close()


def _first_line(running: subprocess.Popen[bytes]) -> bytes:
    assert running.stdout is not None
    return running.stdout.readline()


@contextmanager
def targets(folder: Path) -> Iterator[list[Target]]:
    """The floor and the service, each over the same stub, ready to be driven."""
    keys = tokens.Keys.generate("bench")
    key_set = folder / "jwks.json"
    key_set.write_text(json.dumps(tokens.jwks([keys.public_jwk])))
    token = tokens.sign(keys.private_jwk, "bench", "sender")
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CADABRA_JWKS_FILE": str(key_set),
        "CADABRA_SENDER_ORDERS_PER_S": "1000000",
        "CADABRA_SENDER_BYTES_PER_S": "1000000000",
    }
    requests = requests_of(payloads(), token)
    with ExitStack() as stack:
        stub = stack.enter_context(process(["bench.kinesis_stub"], environment))
        environment["CADABRA_KINESIS_ENDPOINT"] = f"http://127.0.0.1:{int(_first_line(stub))}"
        floor = stack.enter_context(process(["bench.ingest_floor"], environment))
        service = stack.enter_context(process(["services.order_ingest"], environment))
        ports = int(_first_line(floor)), json.loads(_first_line(service))["port"]
        yield [
            Target("floor", floor.pid, ports[0], requests),
            Target("order_ingest", service.pid, ports[1], requests),
        ]


async def measure(found: list[Target], orders: int, connections: int, rounds: int) -> list[Round]:
    """Drive each target by turns; the first, shorter turn of each is for warming up and does not count."""
    for target in found:
        await drive(target, max(connections, orders // 4), connections)
    return [await drive(target, orders, connections) for _ in range(rounds) for target in found]


def main(arguments: list[str] | None = None) -> int:
    """Run the bench and print its table, or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=20_000, help="orders a round")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, targets(Path(folder)) as found:
        rounds = asyncio.run(measure(found, options.orders, options.connections, options.rounds))
    cost = {
        who: statistics.median(one.cpu_s_per_million for one in rounds if one.who == who)
        for who in ("floor", "order_ingest")
    }
    ratio = cost["order_ingest"] / cost["floor"]
    if options.json:
        print(json.dumps({"rounds": [asdict(one) for one in rounds], "ratio": ratio, "goal": GOAL_RATIO}))
    else:
        _print(rounds, ratio)
    return 0 if ratio <= GOAL_RATIO else 1


def _print(rounds: list[Round], ratio: float) -> None:
    print(f"{'':14}{'CPU s/million':>15}{'orders/s':>10}{'p50 ms':>9}{'p99 ms':>9}")
    for one in rounds:
        print(
            f"{one.who:14}{one.cpu_s_per_million:15.1f}{one.orders_per_s:10.0f}{one.p50_ms:9.1f}{one.p99_ms:9.1f}"
        )
    print(f"ratio of the medians: {ratio:.2f} (goal: at most {GOAL_RATIO})")


if __name__ == "__main__":
    sys.exit(main())
