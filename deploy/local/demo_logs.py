"""The logs' section of the demonstration: a recorded access log and live lines, each one document, and how fresh."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.local import access_log, environment, log_compare, log_freshness
from deploy.local.access_log import Written
from deploy.local.layout import ROOT
from deploy.local.log_compare import LogReport
from deploy.local.log_freshness import LogFreshness
from deploy.local.section import Context, Section
from deploy.local.target import Target
from services.kernel.adapters.opensearch import OpenSearch
from services.kernel.core.retry import Retry

PATIENCE_S = 60.0
"""How long no further document may come, before what is not there counts as missing."""
LOOK_EVERY_S = 0.2
REPORT_DAYS = ("2015-05-17", "2015-05-21")


async def run(context: Context) -> Section:
    """Ships the recorded log and live lines, compares, measures, and draws the report."""
    target, say = context.target, context.say
    os.environ.update(environment.cloud())
    say(f"Putting the recorded access log ({access_log.DATA_LINES:,} lines) where the shipper looks.")
    sample = target.layout.web_logs / "recorded.log"
    written = await asyncio.to_thread(put, sample)
    started = time.monotonic()
    await until_indexed(target, [sample], len(written))
    shipped_s = time.monotonic() - started
    say(f"Writing {log_freshness.LINES:,} lines as a web server does, {log_freshness.RATE_PER_S:,} a second.")
    fresh = await log_freshness.measure(target)
    written += list(access_log.lines(fresh.file, fresh.file.read_bytes()))
    await until_indexed(target, [sample, fresh.file], len(written))
    say("Comparing every line with its document.")
    report = await log_compare.compare(target, written)
    page = target.layout.folder / "log-report.html"
    summary = await asyncio.to_thread(draw, target, page)
    section = _section(report, fresh, shipped_s)
    section.notes += ["", *summary, "", f"The same with charts: {page}"]
    section.result["report"] = str(page)
    return section


def put(file: Path) -> list[Written]:
    """Put the recorded log in place under this name; its lines."""
    content = access_log.recorded()
    part = file.with_name(f".{file.name}.part")
    part.write_bytes(content)
    part.replace(file)
    return list(access_log.lines(file, content))


async def until_indexed(target: Target, files: Sequence[Path], lines: int) -> None:
    """Wait until so many documents of these files can be found, or until no more come."""
    query = {"query": {"terms": {"log.file.path": [str(file) for file in files]}}}
    count, moved = -1, time.monotonic()
    retry = Retry(cap_s=0.5, budget_s=PATIENCE_S)  # an index that has just been made may not answer yet
    async with OpenSearch.open(target.opensearch, environment.REGION) as search:
        while count < lines and time.monotonic() - moved < PATIENCE_S:
            now = await retry.call(lambda: search.count(target.access_logs, query))
            if now != count:
                count, moved = now, time.monotonic()
            await asyncio.sleep(LOOK_EVERY_S)


def draw(target: Target, page: Path) -> list[str]:
    """Have the console's report drawn of the recorded days; what it prints for people.

    Raises:
        RuntimeError: it was not drawn.
    """
    first, last = REPORT_DAYS
    command = [sys.executable, "-m", "services.console", "report", "--from", first, "--to", last]
    settings = {
        **environment.cloud(),
        "CADABRA_OPENSEARCH_ENDPOINT": target.opensearch,
        "CADABRA_NAMESPACE": target.namespace,
    }
    drawn = subprocess.run(
        [*command, "--html", str(page)],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    if drawn.returncode:
        raise RuntimeError(f"no report was drawn: {drawn.stderr.strip()}")
    return drawn.stdout.splitlines()


def _section(report: LogReport, fresh: LogFreshness, shipped_s: float) -> Section:
    named = ("written", "indexed", "missing", "doubled", "altered", "foreign")
    rows = [(f"lines {name}", f"{getattr(report, name):,}") for name in named]
    rows += [
        ("lines read in full", f"{report.in_full:,}"),
        ("recorded log written to found", f"{shipped_s:.1f} s"),
        ("written to found, p50 / p99", _freshness_text(fresh)),
    ]
    result = {
        **{name: getattr(report, name) for name in (*named, "in_full")},
        "differences": report.differences,
        "shipped_s": round(shipped_s, 1),
        "freshness": fresh.as_json(),
    }
    return Section("logs", "Logs", report.ok and not fresh.never, rows, list(report.differences), result)


def _freshness_text(fresh: LogFreshness) -> str:
    p50, p99 = fresh.quantile_s(0.5), fresh.quantile_s(0.99)
    if p50 is None or p99 is None:
        return "no line was found"
    lost = f", {fresh.never} never found" if fresh.never else ""
    goal = "within" if p99 <= log_freshness.GOAL_S else "MISSES"
    at = f"at {fresh.rate_per_s:,.0f} lines/s"
    return f"{p50:.2f} s / {p99:.2f} s {at}, {goal} the goal of {log_freshness.GOAL_S:g} s{lost}"
