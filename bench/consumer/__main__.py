"""Our consumer group beside its peers: same engines, same records, one run.

`python -m bench.consumer` prints the table, the ratios and whether each goal is met, and writes them to
`.local/bench/consumer.{json,md}`. Exit 1 where a goal is missed. bench/README.md says what each column means.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.consumer import scenarios, table
from bench.consumer.participants import KCL, ROOT, Participant, participants, why_not_kcl
from bench.consumer.stage import LEASE_TIME_S, RECORD_BYTES, Stage
from deploy.local import bench_peers
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.streams.group_settings import GroupSettings
from tests.engines import Engines, local_environment, started

FIGURES = ROOT / ".local" / "bench"
STALL_S = 35.0  # async-kinesis waits 30 s for room in its queue
STALL_RECORD_BYTES = 1024
SPLIT_AFTER_S = 15.0  # when the stalled workers have read all that they have room for and are quiet
STALL_RECORDS = 64_000  # half again what the bound of 64 MiB has room for


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: records of one round of reading, its rounds, and how often workers are lost."""

    records: int
    rounds: int
    failovers: int


QUICK = Size(records=60_000, rounds=1, failovers=1)
WHOLE = Size(records=150_000, rounds=3, failovers=2)


async def measure(engines: Engines, folder: Path, size: Size) -> list[table.Result]:
    """Run every scenario over every participant; what costs CPU by turns, the rest side by side."""
    everybody = participants()
    async with (
        Kinesis.open(engines.kinesis, "us-east-1") as kinesis,
        DynamoDB.open(engines.dynamodb, "us-east-1") as dynamodb,
    ):
        stage = Stage(engines, kinesis, dynamodb, folder)
        try:
            _say("reading from a Kinesis of constant cost, by turns")
            readings = [await scenarios.read(stage, who, size.records, size.rounds) for who in everybody]
            failovers = []
            for turn in range(size.failovers):
                _say(f"losing workers ({turn + 1} of {size.failovers})")
                failovers.append(await scenarios.failover(stage, everybody, turn))
            _say(f"stalling the sink for {STALL_S:g} s, and meanwhile splitting a shard")
            split, stalls = await asyncio.gather(
                _split_later(stage), asyncio.gather(*(_stall(stage, who) for who in everybody))
            )
        finally:
            stage.end()
    return [
        table.Result(who.name, reading, [one[who.name] for one in failovers], split[who.name], stalled)
        for who, reading, stalled in zip(everybody, readings, stalls, strict=True)
    ]


async def _stall(stage: Stage, who: Participant) -> scenarios.Stall:
    return await scenarios.stall(stage, who, STALL_RECORDS, STALL_RECORD_BYTES, STALL_S)


async def _split_later(stage: Stage) -> dict[str, scenarios.Split]:
    await asyncio.sleep(SPLIT_AFTER_S)
    return await scenarios.split(stage, participants())


def run(size: Size) -> dict[str, Any]:
    """Set up, measure, judge."""
    began_s = time.monotonic()
    bench_peers.put_in_place()
    absent = {KCL: why_not_kcl()}
    os.environ.update(local_environment(Engines("", "", "")))
    with tempfile.TemporaryDirectory(prefix="cadabra-bench-") as name, started(Path(name)) as engines:
        results = asyncio.run(measure(engines, Path(name), size))
    judged = table.goals(results[0], LEASE_TIME_S, GroupSettings().max_open_bytes)
    return {
        "record_bytes": RECORD_BYTES,
        "lease_time_s": LEASE_TIME_S,
        "rows": {one.name: table.row(one) for one in results},
        "ratios": {one.name: table.ratios(results[0], one) for one in results[1:]},
        "absent": absent,
        "goals": [asdict(goal) for goal in judged],
        "measured": [asdict(one) for one in results],
        "took_s": round(time.monotonic() - began_s, 1),
        "markdown": table.markdown(results, judged, absent),
    }


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def main() -> int:
    """Print the table, or JSON with --json."""
    parser = argparse.ArgumentParser(prog="python -m bench.consumer", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each, about 3 minutes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = run(QUICK if options.quick else WHOLE)
    text = found.pop("markdown")
    FIGURES.mkdir(parents=True, exist_ok=True)
    (FIGURES / "consumer.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    (FIGURES / "consumer.md").write_text(text, encoding="utf-8")
    print(json.dumps(found) if options.json else text)
    return 0 if all(goal["met"] for goal in found["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())
