"""What an order line costs in lake_writer, beside a floor in the same run.

`python -m bench.lake` lets lake_writer and the floor (`bench/lake_floor.py`) turn the same real orders into Parquet
objects, both from and to a stub of constant cost (`bench/lake_stub.py`), and compares the processes' CPU time. Goal: at
most GOAL_RATIO times the floor that reads and makes its columns in the same way. Exit 1 past it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from dataclasses import asdict
from typing import Any

from bench import retail_orders
from bench.lake_stub import LakeStub
from bench.writer import measure
from contracts import codec
from contracts.order import partition_key

GOAL_RATIO = 1.5
SETTINGS = {"CADABRA_S3_ENDPOINT": "ENDPOINT", "CADABRA_OBJECT_MAX_AGE_S": "2"}
OURS = "lake_writer"
FLOOR, PLAIN = "floor", "SDK, a dictionary a row"
WHO = {
    FLOOR: ["bench.lake_floor", "ENDPOINT", "raw"],
    "SDK, our columns": ["bench.lake_floor", "ENDPOINT"],
    PLAIN: ["bench.lake_floor", "ENDPOINT", "plain"],
    OURS: ["services.lake_writer"],
}


def _serve(records: list[tuple[bytes, str]], go: Any, written: Any, port: Any) -> None:
    def ready(number: int) -> None:
        port.value = number

    asyncio.run(LakeStub(records, go, written).serve(ready))


def run(records: int, rounds: int) -> dict[str, Any]:
    """Measure by turns and compare medians."""
    orders = retail_orders.records(records)
    data = [(codec.encode(order), partition_key(order.source, order.order_id)) for order in orders]
    lines = sum(len(order.lines) for order in orders)
    found = [
        measure(name, how, data, 1, _serve, lines, SETTINGS)
        for _ in range(rounds)
        for name, how in WHO.items()
    ]
    median = {
        name: statistics.median(one.cpu_s_per_million for one in found if one.who == name) for name in WHO
    }
    return {
        "records": len(data),
        "lines": lines,
        "rounds": [asdict(one) for one in found],
        "cpu_s_per_million_lines": median,
        "ratio": median[OURS] / median[FLOOR],
        "ratio_to_plain_floor": median[OURS] / median[PLAIN],
        "goal": GOAL_RATIO,
    }


def main() -> int:
    """Print the table, or JSON with --json."""
    parser = argparse.ArgumentParser(prog="python -m bench.lake", description=__doc__)
    parser.add_argument("--records", type=int, default=12_000, help="invoices to land a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = run(options.records, options.rounds)
    if options.json:
        print(json.dumps(result))
    else:
        print(f"{result['lines']} lines in {result['records']} order records")
        print(f"{'':28}{'CPU s / million lines':>22}{'lines/s':>10}{'RSS MB':>9}")
        for one in result["rounds"]:
            print(
                f"{one['who']:28}{one['cpu_s_per_million']:22.2f}{one['records_per_s']:10.0f}{one['rss_mb']:9.0f}"
            )
        print(
            f"ratio {result['ratio']:.2f} (goal {GOAL_RATIO:.2f}); "
            f"to the SDK with a dictionary a row {result['ratio_to_plain_floor']:.2f}"
        )
    return 0 if result["ratio"] <= GOAL_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
