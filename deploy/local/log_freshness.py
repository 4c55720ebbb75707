"""How long after a web server wrote a line it can be found, at a steady rate of lines."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.local.environment import REGION
from deploy.local.freshness import nearest_rank
from deploy.local.target import Target
from services.kernel.adapters.opensearch import OpenSearch
from services.kernel.core.retry import Retry

LINES = 10_000
RATE_PER_S = 1_000
SAMPLED_EVERY = 50
"""One line in so many is looked for: each look asks for all of those that were not seen yet."""
LOOK_EVERY_S = 0.05
GOAL_S = 3.0
DEADLINE_S = 60.0
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
_MARK = "looked-for"


@dataclass(frozen=True, slots=True)
class LogFreshness:
    """Times from written to found.

    Args:
        file: that the lines were written to.
        seconds: one per line that was found, ascending.
        never: lines that were looked for and not found within the deadline.
        rate_per_s: lines a second that were really written.
    """

    file: Path
    seconds: list[float]
    never: int
    rate_per_s: float

    def quantile_s(self, share: float) -> float | None:
        """The smallest time that at least this share of the lines stayed within (nearest rank)."""
        return nearest_rank(self.seconds, share)

    def as_json(self) -> dict[str, Any]:
        """The figures, times in seconds."""
        return {
            "lines_looked_for": len(self.seconds) + self.never,
            "rate_per_s": round(self.rate_per_s),
            "p50_s": self.quantile_s(0.5),
            "p99_s": self.quantile_s(0.99),
            "max_s": self.quantile_s(1.0),
            "goal_s": GOAL_S,
            "never": self.never,
        }


async def measure(target: Target, lines: int = LINES, rate_per_s: int = RATE_PER_S) -> LogFreshness:
    """Writes a log file of its own at a steady rate and looks for some of its lines until they are found."""
    run = uuid.uuid4().hex[:8]
    file = target.layout.web_logs / f"freshness-{run}.log"
    written: dict[str, float] = {}
    async with OpenSearch.open(target.opensearch, REGION) as search:
        looking = asyncio.create_task(
            _look(search, target.access_logs, run, written, -(-lines // SAMPLED_EVERY))
        )
        started = time.monotonic()
        try:
            await asyncio.to_thread(_write, file, run, lines, rate_per_s, written)
        except BaseException:
            looking.cancel()
            raise
        elapsed_s = time.monotonic() - started
        found = await looking
    seconds = sorted(at - written[path] for path, at in found.items())
    return LogFreshness(file, seconds, len(written) - len(found), lines / elapsed_s)


def _write(file: Path, run: str, lines: int, rate_per_s: int, written: dict[str, float]) -> None:
    """Writes as a web server does: a line at a time, whole, at the end of the file."""
    started = time.monotonic()
    with file.open("ab", buffering=0) as log:
        for number, (path, line) in enumerate(_lines(run, lines)):
            pause_s = started + number / rate_per_s - time.monotonic()
            if pause_s > 0:
                time.sleep(pause_s)
            log.write(line)
            if number % SAMPLED_EVERY == 0:
                written[path] = time.monotonic()


def _lines(run: str, lines: int) -> Iterator[tuple[str, bytes]]:
    for number in range(lines):
        kind = _MARK if number % SAMPLED_EVERY == 0 else "shown"
        path = f"/freshness/{run}/{kind}/{number}"
        at = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        text = (
            f'198.51.100.{number % 250} - - [{at}] "GET {path} HTTP/1.1" 200 {500 + number} "-" "{_AGENT}"\n'
        )
        yield path, text.encode()


async def _look(
    search: OpenSearch, indices: str, run: str, written: dict[str, float], wanted: int
) -> dict[str, float]:
    """Looks until every line that is looked for was found, or for the deadline after the last was written."""
    found: dict[str, float] = {}
    body = {
        "size": wanted,
        "_source": ["url.path"],
        "query": {"prefix": {"url.path": f"/freshness/{run}/{_MARK}/"}},
    }
    retry = Retry(
        cap_s=LOOK_EVERY_S, budget_s=DEADLINE_S
    )  # an index that has just been made may not answer yet
    while len(found) < wanted:
        answer = await retry.call(lambda: search.search(indices, body, timeout_s=DEADLINE_S))
        now = time.monotonic()
        for hit in answer["hits"]["hits"]:
            found.setdefault(hit["_source"]["url"]["path"], now)
        if len(written) == wanted and now - max(written.values()) > DEADLINE_S:
            break
        await asyncio.sleep(LOOK_EVERY_S)
    return found
