"""The warehouse's section of the demonstration: what has landed is loaded, and every place has every line, once."""

from __future__ import annotations

import sys

from deploy.local import drain, replay, warehouse
from deploy.local.ledger import Ledger
from deploy.local.section import Context, Section
from deploy.local.warehouse import Refreshed


async def run(context: Context) -> Section:
    """Loads and compares; on a platform that nothing was sent to yet the real data is sent first."""
    target, say = context.target, context.say
    with Ledger(target.ledger_file, target.run_id) as ledger:
        if not ledger.sources():
            say("Replay: the last week of invoices as order files, all before by HTTP.")
            replayed = await replay.run(target, ledger, out=sys.stderr)
            await drain.until_drained(target, replayed.orders)
        done = await warehouse.refresh(target, ledger, say)
    return _section(done)


def _section(done: Refreshed) -> Section:
    result = done.as_json()
    return Section(
        "warehouse",
        "Lake and warehouse",
        done.code == 0 and _complete(done),
        list(warehouse.rows(done)),
        ["", *warehouse.told(done)],
        result,
    )


def _complete(done: Refreshed) -> bool:
    """Whether all of the raw file was sent, so that the places are equal to it and not just to one another."""
    return done.report is not None and done.report.replayed["raw"] == replay.ALL_LINES
