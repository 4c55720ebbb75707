"""The warehouse's section of the demonstration: what has landed is loaded, and every place has every line, once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from deploy.local import drain, replay, warehouse
from deploy.local.layout import ROOT
from deploy.local.ledger import Ledger
from deploy.local.section import Context, Section
from deploy.local.target import Target
from deploy.local.warehouse import Refreshed

QUESTION = [
    "query",
    "course",
    "--param",
    "country=United Kingdom",
    "--param",
    "year=2011",
    "--param",
    "month=11",
]
ANSWERS = 5


async def run(context: Context) -> Section:
    """Loads, compares and asks; on a platform that nothing was sent to yet the real data is sent first."""
    target, say = context.target, context.say
    with Ledger(target.ledger_file, target.run_id) as ledger:
        await ensure_sent(context, ledger)
        done = await warehouse.refresh(target, ledger, say)
    section = _section(done)
    if section.ok:
        section.notes += ["", *await asyncio.to_thread(ask, target)]
    return section


async def ensure_sent(context: Context, ledger: Ledger) -> None:
    """Sends the real data, and waits until the order store has it, where nothing was sent to this platform yet."""
    if not ledger.sources():
        context.say("Replay: the last week of invoices as order files, all before by HTTP.")
        replayed = await replay.run(context.target, ledger, out=sys.stderr)
        await drain.until_drained(context.target, replayed.orders)


def ask(target: Target) -> list[str]:
    """The course's question to the lake, as the console answers it; what it prints for people.

    Raises:
        RuntimeError: it has no answer.
    """
    command = [sys.executable, "-m", "deploy.local", "console", *QUESTION, "--param", f"top={ANSWERS}"]
    environment = {**os.environ, "CADABRA_LOCAL_DIR": str(target.layout.folder)}
    asked = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if asked.returncode:
        raise RuntimeError(f"the course's question has no answer: {asked.stderr.strip()}")
    question = (
        "The descriptions on most lines from the United Kingdom in November 2011 (make query NAME=course):"
    )
    return [question, *(f"  {line}" for line in asked.stdout.splitlines())]


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
