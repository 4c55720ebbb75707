"""`python -m deploy.local verify`: compares the order store with the raw file and the ledger, and says what differs."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Callable, Iterator

from deploy.local import environment, stored
from deploy.local.compare import Report, compare
from deploy.local.ledger import Ledger
from deploy.local.target import NotRunning, Target
from services.kernel.adapters.dynamodb import DynamoDB

SCAN_TIMEOUT_S = 60.0


async def check(target: Target, ledger: Ledger, *, complete: bool = True) -> Report:
    """Reads the whole store and compares it; see `compare`."""
    os.environ.update(environment.cloud())
    async with DynamoDB.open(target.dynamodb, environment.REGION, read_timeout_s=SCAN_TIMEOUT_S) as dynamodb:
        parts = await stored.read(dynamodb, target.order_history)
    return await asyncio.to_thread(compare, parts, ledger, complete=complete)


def table(report: Report) -> Iterator[str]:
    """The totals and the special populations, raw file and store beside each other."""
    raw, found = report.expected.as_json(), report.stored.as_json()
    yield f"  {'kind':<14}{'invoices':>10}{'lines':>10}{'units':>12}{'value GBP':>18}"
    for kind, sums in found["by_kind"].items():
        mark = "" if sums == raw["by_kind"].get(kind) else "   differs"
        row = (
            f"  {kind:<14}{sums['invoices']:>10,}{sums['lines']:>10,}{sums['units']:>12,}{sums['value']:>18}"
        )
        yield row + mark
    yield f"  {len(found['by_month'])} sums by month and kind, {found['customers']:,} customers, " + (
        f"{found['stock_codes']:,} stock codes"
    )
    yield ""
    yield f"  {'in the raw file and in the store':<44}{'raw':>10}{'store':>10}"
    for name in sorted(raw["populations"].keys() | found["populations"].keys()):
        expected, have = raw["populations"].get(name, 0), found["populations"].get(name, 0)
        yield f"  {name:<44}{expected:>10,}{have:>10,}{'' if expected == have else '   differs'}"


def told(report: Report) -> Iterator[str]:
    """The verdict, and the first differences where there are any."""
    if report.ok:
        yield "verify: the store equals the file, line by line"
        return
    yield f"verify: {report.difference_count:,} differences, the first ones:"
    for sentence in report.told:
        yield f"  {sentence}"


def main(arguments: list[str], say: Callable[[str], None] = print) -> int:
    """Prints the comparison; 0 where nothing differs, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="deploy.local verify", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument(
        "--partial", action="store_true", help="judge what was sent so far, not all of the raw file"
    )
    chosen = parser.parse_args(arguments)
    try:
        target = Target.current()
    except NotRunning as error:
        say(str(error))
        return 1
    ledger = Ledger(target.ledger_file, target.run_id)
    report = asyncio.run(check(target, ledger, complete=not chosen.partial))
    if chosen.json:
        say(json.dumps(report.as_json(), indent=1))
        return 0 if report.ok else 1
    for line in [*table(report), "", *told(report)]:
        say(line)
    return 0 if report.ok else 1
