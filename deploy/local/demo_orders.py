"""The orders' section of the demonstration: all lines in once, all lines found, and how fresh the history is."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import aiohttp

from deploy.local import drain, freshness, replay, verify
from deploy.local.compare import Report
from deploy.local.freshness import Freshness
from deploy.local.ledger import Ledger
from deploy.local.replay import Replayed
from deploy.local.secret_files import token
from deploy.local.section import Context, Section
from deploy.local.target import Target

FRESHNESS_SOURCE = "freshness"
EXAMPLE_CUSTOMER = "12748"
EXAMPLE_ORDERS = 3


async def run(context: Context) -> Section:
    """Replays, drains, verifies and measures; see the modules of these names."""
    target, say = context.target, context.say
    with Ledger(target.ledger_file, target.run_id) as ledger:
        say("Replay: the last week of invoices as order files, all before by HTTP.")
        replayed = await replay.run(target, ledger, out=sys.stderr)
        say("Waiting until the writer has stored everything.")
        drain_s = await drain.until_drained(target, replayed.orders)
        say("Comparing every line of the store with the raw file.")
        started = time.monotonic()
        report = await verify.check(target, ledger)
        verify_s = time.monotonic() - started
    say("Measuring how soon an acknowledged order can be read.")
    fresh = await freshness.measure(
        target, token(target.layout, "sender", FRESHNESS_SOURCE), FRESHNESS_SOURCE
    )
    section = _section(replayed, drain_s, report, verify_s, fresh)
    section.notes += ["", *await _example(target)]
    return section


def _section(
    replayed: Replayed, drain_s: float, report: Report, verify_s: float, fresh: Freshness
) -> Section:
    counts = report.as_json()
    rate = replayed.lines_acknowledged / max(replayed.elapsed_s, 0.001)
    through = replayed.lines_acknowledged / max(replayed.elapsed_s + drain_s, 0.001)
    cut = replayed.cut_between_files
    named = ("sent", "acknowledged", "stored", "missing", "doubled", "conflicting", "altered", "foreign")
    rows = [(f"lines {name}", f"{counts[name]:,}") for name in named]
    rows += [
        ("orders sent again, outcome unknown", f"{replayed.sent_again:,}"),
        (
            "invoices cut between two order files",
            f"{len(cut)} ({', '.join(cut[:3])}{', ...' if cut[3:] else ''})",
        ),
        ("lines/s acknowledged", f"{rate:,.0f} ({replayed.elapsed_s:.1f} s)"),
        ("drain after the last acknowledgement", f"{drain_s:.1f} s"),
        ("lines/s from sender to store", f"{through:,.0f}"),
        ("comparison", f"{verify_s:.1f} s"),
        ("acknowledged to readable, p50 / p99", _freshness_text(fresh)),
    ]
    result: dict[str, Any] = {
        **counts,
        "sent_again": replayed.sent_again,
        "cut_between_files": cut,
        "replay_s": round(replayed.elapsed_s, 1),
        "drain_s": round(drain_s, 1),
        "verify_s": round(verify_s, 1),
        "lines_per_s": round(rate),
        "freshness": fresh.as_json(),
        "replay": asdict(replayed)["counts"],
    }
    ok = report.ok and counts["sent"] == counts["acknowledged"] == counts["stored"] and fresh.met
    notes = ["", *verify.table(report), "", *verify.told(report)]
    return Section("orders", "Orders", ok, rows, notes, result)


def _freshness_text(fresh: Freshness) -> str:
    p50, p99 = fresh.quantile_s(0.5), fresh.quantile_s(0.99)
    if p50 is None or p99 is None:
        return "no order became readable"
    lost = f", {fresh.never} never readable, {fresh.wrong} wrong" if fresh.never or fresh.wrong else ""
    goal = "within" if p99 <= freshness.GOAL_S else "MISSES"
    return f"{p50:.2f} s / {p99:.2f} s, {goal} the goal of {freshness.GOAL_S:g} s{lost}"


async def _example(target: Target) -> list[str]:
    """The newest orders of one customer, read with that customer's own token."""
    headers = {"Authorization": f"Bearer {token(target.layout, 'customer', EXAMPLE_CUSTOMER)}"}
    url = f"{target.storefront}/v1/customers/{EXAMPLE_CUSTOMER}/orders"
    async with (
        asyncio.timeout(30),
        aiohttp.ClientSession() as session,
        session.get(url, params={"limit": EXAMPLE_ORDERS}, headers=headers) as response,
    ):
        response.raise_for_status()
        orders = (await response.json())["orders"]
    told = [f"The newest {len(orders)} orders of customer {EXAMPLE_CUSTOMER}:"]
    for order in orders:
        total = Decimal(order["total"])
        told.append(
            f"  {order['ordered_at'][:16].replace('T', ' ')}  {order['kind']} {order['order_id']} from "
            f"{order['source']}, {len(order['lines'])} lines, {total:,.2f} {order['currency']}"
        )
        for line in order["lines"][:3]:
            told.append(
                f"      {line['quantity']:>6} x {line['unit_price']:>8}  {line['stock_code']:<8} "
                f"{line['description']}"
            )
        if len(order["lines"]) > 3:
            told.append(f"      ... and {len(order['lines']) - 3} more")
    return told
