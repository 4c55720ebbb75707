"""What the senders know for sure: acknowledged, refused or unknown, and durable in a file.

The ledger is the only source of the expectation: the store must hold everything that is certain, and nothing that
was not at least possible. Senders are stubborn: what has no clear answer is sent again until it has one.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from botocore.exceptions import ClientError

from contracts import order as contract
from contracts.codec import OrderLine, encode
from tests.fault.orders import Content, FileLine, HttpOrder, Identity

_ATTEMPT_TIMEOUT_S = 15.0
_LONGEST_PAUSE_S = 0.3
_BATCH = 20


@dataclass
class Ledger:
    """The outcomes of one test.

    Args:
        certain: lines that were acknowledged, or are durable in a file: they must be stored.
        possible: lines that were sent and may be stored, those of `certain` included.
        acknowledged, refused, unknown: order ids by HTTP; unknown ones had no clear answer yet.
        answers: how often each status was seen; "cut" is a connection without an answer.
        in_flight: orders posted whose answer is awaited now.
        durable_bytes: length of the durable part of each order file.
    """

    certain: dict[Identity, Content] = field(default_factory=dict)
    possible: dict[Identity, Content] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    durable_bytes: Counter[str] = field(default_factory=Counter)
    durable_lines: int = 0

    def certain_of(self, source: str) -> set[Identity]:
        """The lines of one sender that must be stored."""
        return {identity for identity in self.certain if identity.source == source}

    def settle(self, order: HttpOrder, status: int | None) -> bool:
        """Book one answer; None is no answer at all. True once the order's fate is clear."""
        order_id = order.body["order_id"]
        self.answers["cut" if status is None else str(status)] += 1
        if status == 202:
            self.certain.update(order.lines)
            self.possible.update(order.lines)
            self.acknowledged.add(order_id)
        elif status is not None and 400 <= status < 500 and status != 429:
            self.refused[order_id] = status
        else:
            # A 503 promises that nothing was taken, but an earlier try of the same order may have been.
            self.possible.update(order.lines)
            self.unknown.add(order_id)
            return False
        self.unknown.discard(order_id)
        return True

    def durable(self, name: str, line: FileLine) -> None:
        """Book one line of a file whose last byte has been synced."""
        self.certain[line.identity] = self.possible[line.identity] = line.content
        self.durable_bytes[name] += len(line.data)
        self.durable_lines += 1


class HttpSender:
    """Posts every order until it is acknowledged or refused.

    Args:
        url: where order_ingest is now; asked for each try, because a restarted one has another port.
        token: of role `sender`; its subject is the orders' source.
        concurrency: connections that post at the same time.
        pause_s: what each of them rests after an order.
    """

    def __init__(
        self, ledger: Ledger, url: Callable[[], str], token: str, concurrency: int = 16, pause_s: float = 0.0
    ) -> None:
        self._ledger = ledger
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._concurrency = concurrency
        self._pause_s = pause_s

    async def send(self, orders: Sequence[HttpOrder]) -> None:
        """Send all; returns once every one has a clear answer."""
        waiting = iter(orders)
        timeout = aiohttp.ClientTimeout(total=_ATTEMPT_TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=self._concurrency)
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as http,
            asyncio.TaskGroup() as tasks,
        ):
            for number in range(self._concurrency):
                tasks.create_task(self._send_some(http, waiting, random.Random(number)))

    async def _send_some(
        self, http: aiohttp.ClientSession, waiting: Iterator[HttpOrder], rng: random.Random
    ) -> None:
        for order in waiting:
            status = await self._post(http, order)
            while not self._ledger.settle(order, status):
                await asyncio.sleep(rng.uniform(0.05, _LONGEST_PAUSE_S))
                status = await self._post(http, order)
            await asyncio.sleep(self._pause_s)

    async def _post(self, http: aiohttp.ClientSession, order: HttpOrder) -> int | None:
        self._ledger.in_flight += 1
        try:
            async with http.post(
                self._url() + "/v1/orders", json=order.body, headers=self._headers
            ) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, TimeoutError):
            return None
        finally:
            self._ledger.in_flight -= 1


class StreamSender:
    """Puts every order straight into the stream until it is taken: for tests of the consumer alone.

    Args:
        kinesis: an SDK client past every fault.
        stream: physical name.
        pause_s: time between two calls of up to 20 orders.
        shards: the shard that took each order, for tests that ask which order must come first.
    """

    def __init__(self, ledger: Ledger, kinesis: Any, stream: str, pause_s: float = 0.0) -> None:
        self._ledger = ledger
        self._kinesis = kinesis
        self._stream = stream
        self._pause_s = pause_s
        self.shards: dict[str, str] = {}

    async def send(self, orders: Sequence[HttpOrder]) -> None:
        """Send all that are valid; returns once each is in the stream."""
        waiting = [order for order in orders if order.valid]
        while waiting:
            batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
            waiting = await self._put(batch) + waiting
            await asyncio.sleep(self._pause_s)

    def taken_by(self, *shard_ids: str) -> set[str]:
        """The orders that these shards took."""
        return {order_id for order_id, shard_id in self.shards.items() if shard_id in shard_ids}

    async def _put(self, batch: list[HttpOrder]) -> list[HttpOrder]:
        """Put one batch; returns what has to be sent again."""
        records = [{"Data": data, "PartitionKey": key} for key, data in map(_record, batch)]
        try:
            answer = await self._kinesis.put_records(StreamName=self._stream, Records=records)
        except ClientError:  # the stream is being resharded
            outcomes: list[Any] = [{"ErrorCode": "whole call"} for _ in batch]
        else:
            outcomes = answer["Records"]
        again = []
        for order, outcome in zip(batch, outcomes, strict=True):
            if self._ledger.settle(order, 503 if outcome.get("ErrorCode") else 202):
                self.shards[order.body["order_id"]] = outcome["ShardId"]
            else:
                again.append(order)
        return again


def _record(order: HttpOrder) -> tuple[str, bytes]:
    """The one record of an order, made by the contract."""
    body, ordered_at = order.body, next(iter(order.lines.values())).ordered_at
    source = next(iter(order.lines)).source
    lines = [
        OrderLine(line_id=str(ordinal), ordered_at=ordered_at, **line)
        for ordinal, line in enumerate(body["lines"], 1)
    ]
    header = {name: body[name] for name in ("order_id", "customer_id", "country", "currency", "kind")}
    (part,) = contract.parts(source=source, lines=lines, ingested_at=ordered_at, **header)
    return contract.partition_key(source, body["order_id"]), encode(part)


class FileSender:
    """Writes order files one after the other, line by line, each synced before it counts.

    Args:
        folder: where order_file_ingest looks.
        pause_s: least time between two lines, so that files grow while they are read.
    """

    def __init__(self, ledger: Ledger, folder: Path, seed: int, pause_s: float = 0.0) -> None:
        self._ledger = ledger
        self._folder = folder
        self._rng = random.Random(f"file sender {seed}")
        self._pause_s = pause_s

    async def send(self, files: Sequence[tuple[str, list[FileLine]]]) -> None:
        """Write all; one line of ten stands half written for a moment."""
        for name, lines in files:
            descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                for line in lines:
                    await self._write(descriptor, line.data)
                    self._ledger.durable(name, line)
            finally:
                os.close(descriptor)

    async def _write(self, descriptor: int, data: bytes) -> None:
        if self._rng.random() < 0.1:
            half = self._rng.randrange(1, len(data))
            os.write(descriptor, data[:half])
            await asyncio.sleep(self._pause_s + 0.02)
            data = data[half:]
        os.write(descriptor, data)
        await asyncio.to_thread(os.fsync, descriptor)
        await asyncio.sleep(self._pause_s)
