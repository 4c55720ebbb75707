"""Sends the real data through both doors: the last week of invoices as order files, all before by HTTP.

`python -m deploy.local replay [--speed N]` goes on where a stopped one left off, for as long as the same run of the
platform is up.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

import aiohttp

from deploy.local import replay_files, retail
from deploy.local.ledger import FINAL, Ledger
from deploy.local.replay_http import (
    ANSWER_TIMEOUT_S,
    CONNECT_TIMEOUT_S,
    Encoded,
    GaveUp,
    HttpSender,
    NotAccepted,
    encode,
)
from deploy.local.target import NotRunning, Target

BATCH_CONNECTIONS = 4
BATCH_ORDERS = 200
BATCH_BYTES = 512 * 1024
SINGLE_CONNECTIONS = 8
SINGLE_EVERY = 10
"""Every so many orders, one goes in a request of its own."""
ALL_LINES = 541_909
PROGRESS_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one replay did.

    Args:
        sent_again: orders that were sent once more because their outcome was unknown.
        orders: distinct orders that the platform has to have, those in files included.
        cut_between_files: invoices whose lines are in more than one order file.
    """

    counts: dict[str, int]
    sent_again: int
    orders: int
    cut_between_files: list[str]
    elapsed_s: float

    @property
    def lines_sent(self) -> int:
        """Lines that left the sender, whatever became of them."""
        return (
            sum(self.counts[f"lines_{name}"] for name in ("sent", "acknowledged", "refused", "unknown"))
            + (self.counts["file_lines"])
        )

    @property
    def lines_acknowledged(self) -> int:
        """Lines that the platform has to have: acknowledged, or durable in a file."""
        return self.counts["lines_acknowledged"] + self.counts["file_lines"]


class Pace:
    """Waits until an event time comes round in a replay that runs `speed` times as fast as the data did."""

    def __init__(self, first_time: str, speed: float) -> None:
        self._first = _seconds(first_time)
        self._speed = speed
        self._started = time.monotonic()

    async def wait_until(self, event_time: str) -> None:
        """Returns once the replay has come to this time."""
        due_s = self._started + (_seconds(event_time) - self._first) / self._speed
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))


def _seconds(event_time: str) -> float:
    return datetime.fromisoformat(event_time).timestamp()


class Replay:
    """One replay of the raw file into one platform.

    Args:
        speed: how many times as fast as the data; None is as fast as the platform takes it.
    """

    def __init__(
        self, target: Target, ledger: Ledger, raw: Path = retail.DATA_FILE, speed: float | None = None
    ) -> None:
        self._target = target
        self._ledger = ledger
        self._raw = raw
        self._index = retail.spans(raw)
        self._last_week = retail.last_week_begins(self._index)
        left = [
            span.first_time
            for invoice_no, span in self._index.items()
            if ledger.outcome(target.source, invoice_no) not in FINAL
        ]
        first_time = min(left, default=self._last_week)
        self._pace = Pace(first_time, speed) if speed else None

    async def run(self) -> Replayed:
        """Sends everything that has no final outcome yet and returns when all has.

        Raises:
            GaveUp: the platform answered nothing for long; run it again to go on.
            NotAccepted: the platform does not accept this sender.
        """
        started = time.monotonic()
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=ANSWER_TIMEOUT_S
        )
        async with aiohttp.ClientSession(
            timeout=timeout, connector=aiohttp.TCPConnector(limit=BATCH_CONNECTIONS + SINGLE_CONNECTIONS)
        ) as session:
            sender = HttpSender(
                session,
                self._target.order_ingest,
                self._target.sender_token,
                self._target.source,
                self._ledger,
            )
            async with asyncio.TaskGroup() as group:
                files = group.create_task(self._write_files())
                group.create_task(self._send(sender))
        elapsed_s = time.monotonic() - started
        counts, written = self._ledger.counts(), files.result()
        orders = counts["orders_acknowledged"] + len(
            {line.invoice_no for file in written for line in file.lines}
        )
        return Replayed(counts, sender.sent_again, orders, replay_files.cut_invoices(written), elapsed_s)

    async def _write_files(self) -> list[replay_files.PlannedFile]:
        lines = await asyncio.to_thread(lambda: list(self._file_lines()))
        files = replay_files.plan(lines)
        wait_until = self._pace.wait_until if self._pace else None
        folder, source = self._target.layout.order_files, self._target.file_source
        await replay_files.write(files, folder, source, self._ledger, wait_until)
        return files

    def _file_lines(self) -> Iterator[retail.RetailLine]:
        for line in retail.lines(self._raw):
            if self._index[line.invoice_no].first_time >= self._last_week:
                yield line

    def _http_invoices(self) -> Iterator[retail.Invoice]:
        for invoice in retail.invoices(self._raw, self._index):
            if self._index[invoice.invoice_no].first_time >= self._last_week:
                continue
            if self._ledger.outcome(self._target.source, invoice.invoice_no) not in FINAL:
                yield invoice

    async def _send(self, sender: HttpSender) -> None:
        """A bounded number of orders is in memory: the queues', and one request's per connection."""
        batches: asyncio.Queue[list[Encoded] | None] = asyncio.Queue(BATCH_CONNECTIONS)
        singles: asyncio.Queue[Encoded | None] = asyncio.Queue(SINGLE_CONNECTIONS)

        async def batch_worker() -> None:
            while (orders := await batches.get()) is not None:
                await sender.send_batch(orders)

        async def single_worker() -> None:
            while (order := await singles.get()) is not None:
                await sender.send_single(order)

        async with asyncio.TaskGroup() as group:
            for _ in range(BATCH_CONNECTIONS):
                group.create_task(batch_worker())
            for _ in range(SINGLE_CONNECTIONS):
                group.create_task(single_worker())
            await self._feed(batches, singles)
            for _ in range(BATCH_CONNECTIONS):
                await batches.put(None)
            for _ in range(SINGLE_CONNECTIONS):
                await singles.put(None)

    async def _feed(
        self, batches: asyncio.Queue[list[Encoded] | None], singles: asyncio.Queue[Encoded | None]
    ) -> None:
        batch: list[Encoded] = []
        size_bytes = 0
        for number, invoice in enumerate(self._http_invoices(), 1):
            if self._pace:
                await self._pace.wait_until(invoice.lines[-1].ordered_at)
            if number % SINGLE_EVERY == 0:
                await singles.put(encode(invoice, with_line_ids=True))
                continue
            order = encode(invoice)
            batch.append(order)
            size_bytes += len(order.body)
            # A paced replay sends what is due at once whenever a connection is free.
            if len(batch) >= BATCH_ORDERS or size_bytes >= BATCH_BYTES or (self._pace and batches.empty()):
                await batches.put(batch)
                batch, size_bytes = [], 0
        if batch:
            await batches.put(batch)


async def show_progress(ledger: Ledger, out: TextIO, lines: int = ALL_LINES) -> None:
    """Prints how far a replay is until it is cancelled: in place on a terminal, else a line each time."""
    started = time.monotonic()
    begun = _acknowledged(ledger)
    while True:
        await asyncio.sleep(PROGRESS_EVERY_S)
        counts = ledger.counts()
        done = _acknowledged(ledger)
        open_lines = counts["lines_sent"] + counts["lines_unknown"]
        rate = (done - begun) / (time.monotonic() - started)
        eta = f"{(lines - done) / rate:.0f} s" if rate > 0 else "unknown"
        text = f"{done + open_lines:,} of {lines:,} lines sent, {done:,} acknowledged, {rate:,.0f} lines/s, eta {eta}"
        begin, end = ("\r", " " * 10) if out.isatty() else ("", "\n")
        print(f"{begin}replay: {text}", end=end, file=out, flush=True)


def _acknowledged(ledger: Ledger) -> int:
    counts = ledger.counts()
    return counts["lines_acknowledged"] + counts["lines_refused"] + counts["file_lines"]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    failure: BaseException = group
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


async def run(
    target: Target, ledger: Ledger, speed: float | None = None, out: TextIO = sys.stderr
) -> Replayed:
    """Replays the real data with a progress line; see `Replay.run` for what it raises."""
    replay = Replay(target, ledger, speed=speed)
    progress = asyncio.create_task(show_progress(ledger, out))
    try:
        return await replay.run()
    except BaseExceptionGroup as group:
        stopped = group.subgroup((GaveUp, NotAccepted))
        if stopped is None:
            raise
        raise _first(stopped) from None  # one sentence tells it; the other connections stopped with it
    finally:
        progress.cancel()
        if out.isatty():
            print(file=out)


def main(arguments: list[str], say: Callable[[str], None] = print) -> int:
    """`python -m deploy.local replay`; 0 when every line was acknowledged, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="deploy.local replay", description=__doc__)
    parser.add_argument("--speed", type=float, help="times real time; without it as fast as it goes")
    chosen = parser.parse_args(arguments)
    if chosen.speed is not None and chosen.speed <= 0:
        parser.error("--speed must be above 0")
    try:
        target = Target.current()
    except NotRunning as error:
        say(str(error))
        return 1
    with Ledger(target.ledger_file, target.run_id) as ledger:
        before = _acknowledged(ledger)
        try:
            replayed = asyncio.run(run(target, ledger, chosen.speed))
        except (GaveUp, NotAccepted) as error:
            say(f"stopped: {error}; run it again to go on: what was sent is in {target.ledger_file}")
            return 1
        now = _acknowledged(ledger) - before
    say(
        f"{replayed.lines_sent:,} lines sent, {replayed.lines_acknowledged:,} acknowledged or durable in files, "
        f"{replayed.counts['lines_refused']:,} refused; {now:,} of them in this replay, in "
        f"{replayed.elapsed_s:.0f} s, {now / max(replayed.elapsed_s, 0.001):,.0f} lines/s"
    )
    return 0 if replayed.lines_acknowledged == replayed.lines_sent else 1
