"""`python -m deploy.local demo`: the real data through the whole platform, every line compared, on fresh engines.

A later part of the platform adds its own figures as one more section.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from deploy.local import (
    control,
    demo_alarms,
    demo_logs,
    demo_orders,
    demo_recommendations,
    demo_warehouse,
    processes,
)
from deploy.local.layout import Layout
from deploy.local.section import Context, Section
from deploy.local.state import RunState
from deploy.local.target import LEDGER_NAME, Target

SECTIONS: dict[str, Callable[[Context], Coroutine[Any, Any, Section]]] = {
    "alarms": demo_alarms.run,  # first: what follows is a surge by itself, and would hold the incident open
    "orders": demo_orders.run,
    "logs": demo_logs.run,
    "warehouse": demo_warehouse.run,
    "recommendations": demo_recommendations.run,
}
"""What the demonstration shows, in order; `--only` chooses one."""


@dataclass(slots=True)
class Demo:
    """What one demonstration found."""

    sections: list[Section] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    start_s: float = 0.0
    elapsed_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every section is as it should be."""
        return all(section.ok for section in self.sections)

    def as_json(self) -> dict[str, Any]:
        """Everything, times in seconds and memory in bytes."""
        return {
            "ok": self.ok,
            "elapsed_s": round(self.elapsed_s, 1),
            "start_s": round(self.start_s, 1),
            "peak_rss_bytes": self.memory,
            "sections": {section.name: section.result for section in self.sections},
        }


def start_fresh(say: Callable[[str], None]) -> Target:
    """Stops what runs in this folder, forgets what was sent to it, and starts the platform with empty engines.

    Raises:
        NotUp: it did not start.
    """
    layout = Layout.current()
    say("The engines start empty: what an earlier run stored here is gone now.")
    control.down(layout, say)
    gone = [layout.order_files.glob("*.csv"), layout.web_logs.glob("*.log"), layout.baselines.glob("*.json")]
    for left in [layout.folder / LEDGER_NAME, *chain(*gone)]:
        left.unlink(missing_ok=True)
    control.up(layout, say)
    return Target.current(layout)


def peak_memory(layout: Layout) -> dict[str, int]:
    """The largest resident memory of each unit of the run with its children, in bytes, and the sum of them."""
    run = RunState.load(layout.state_file)
    found: dict[str, int] = {}
    for unit in run.units if run else []:
        if unit.pid is not None and processes.usage(unit.pid) is not None:
            found[unit.name] = sum(map(processes.peak_bytes, processes.tree(unit.pid)))
    return {**found, "all": sum(found.values())}


def run(names: list[str], say: Callable[[str], None]) -> Demo:
    """Runs the chosen sections on a fresh platform, which stays up."""
    started = time.monotonic()
    target = start_fresh(say)
    demo = Demo(start_s=time.monotonic() - started)
    for name in names:
        before = frozenset(section.name for section in demo.sections)
        demo.sections.append(asyncio.run(SECTIONS[name](Context(target, say, before))))
    demo.memory = peak_memory(target.layout)
    demo.elapsed_s = time.monotonic() - started
    return demo


def show(demo: Demo, target: Target, say: Callable[[str], None]) -> None:
    """Prints everything that was found, and where to look further."""
    for section in demo.sections:
        say(f"\n{section.title}\n{'-' * len(section.title)}")
        for label, value in section.rows:
            say(f"  {label:<44}{value}")
        for line in section.notes:
            say(line)
    memory = ", ".join(f"{name} {size // 2**20} MB" for name, size in demo.memory.items() if name != "all")
    say(f"\nPeak memory: {memory}; together {demo.memory['all'] // 2**20} MB")
    say(f"All of it took {demo.elapsed_s:.0f} s, {demo.start_s:.0f} s of them to start.")
    say(
        f"\nThe platform stays up until `make down`; addresses and tokens are in {target.layout.endpoints_file}"
    )
    say(f"  order_ingest  {target.order_ingest}/v1/orders")
    say(f"  storefront    {target.storefront}/v1/customers/17850/orders")
    say(f"                {target.storefront}/v1/customers/17850/recommendations")
    say("  a token       make token ROLE=customer SUBJECT=17850")
    say("\nOK: nothing differs" if demo.ok else "\nFAILED: see the differences above")


def main(arguments: list[str]) -> int:
    """Runs the demonstration; 0 where nothing differs, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="deploy.local demo", description=__doc__)
    parser.add_argument("--only", choices=list(SECTIONS), help="this section alone")
    parser.add_argument(
        "--json", action="store_true", help="one JSON document at the end, all else on stderr"
    )
    chosen = parser.parse_args(arguments)
    names = [chosen.only] if chosen.only else list(SECTIONS)

    def say(text: str) -> None:
        print(text, file=sys.stderr if chosen.json else sys.stdout, flush=True)

    try:
        demo = run(names, say)
    except (control.NotUp, RuntimeError) as error:
        say(f"FAILED: {error}")
        return 1
    except BaseExceptionGroup as group:
        for failure in _leaves(group):
            say(f"FAILED: {failure!r}")
        return 1
    show(demo, Target.current(), say)
    if chosen.json:
        print(json.dumps(demo.as_json(), indent=1))
    return 0 if demo.ok else 1


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for failure in group.exceptions:
        found += _leaves(failure) if isinstance(failure, BaseExceptionGroup) else [failure]
    return found
