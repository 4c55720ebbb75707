"""Sends orders to `order_ingest` until each has a final answer, and tells the ledger every outcome."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple

import aiohttp

from deploy.local.ledger import FINAL, Ledger, Outcome
from deploy.local.replay_window import Window
from deploy.local.retail import Invoice

TRY_AGAIN = (408, 429)
"""Client errors that say nothing about the order: the same bytes may be taken later."""
MISDIRECTED = (401, 403, 404, 405, 415)
"""Answers that are about the sender and not about the order: going on would refuse all of them."""
CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 60.0
LARGEST_PAUSE_S = 5.0


class Encoded(NamedTuple):
    """One order ready to be sent: its body is one line of JSON without a line feed."""

    order_id: str
    lines: int
    body: bytes


class Answer(NamedTuple):
    """What the service said of one order, or of a whole request.

    Args:
        pause_s: what it asks for with Retry-After, 0 where it does not.
    """

    status: int
    code: str
    pause_s: float = 0.0

    @property
    def refuses(self) -> bool:
        """Whether the same bytes would be refused again."""
        return 400 <= self.status < 500 and self.status not in TRY_AGAIN


class GaveUp(RuntimeError):
    """No order found a final answer for longer than the sender's patience."""


class NotAccepted(RuntimeError):
    """The service does not accept this sender, or does not keep to its interface; nothing more is sent."""


def encode(invoice: Invoice, *, with_line_ids: bool = False) -> Encoded:
    """The body of an invoice as API.md has it; a line tells its time only where it is not the order's.

    Args:
        with_line_ids: whether lines carry their ordinal; without it the service gives the same ones.
    """
    first = invoice.lines[0]
    ordered_at = invoice.ordered_at
    lines = []
    for ordinal, line in enumerate(invoice.lines, 1):
        fields: dict[str, str | int] = {
            "stock_code": line.stock_code,
            "description": line.description,
            "quantity": line.quantity,
            "unit_price": line.unit_price,
        }
        if with_line_ids:
            fields["line_id"] = str(ordinal)
        if line.ordered_at != ordered_at:
            fields["ordered_at"] = line.ordered_at
        lines.append(fields)
    body = {
        "order_id": invoice.invoice_no,
        "ordered_at": ordered_at,
        "customer_id": first.customer_id,
        "country": first.country,
        "currency": "GBP",
        "kind": invoice.kind,
        "lines": lines,
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Encoded(invoice.invoice_no, len(lines), text.encode())


class HttpSender:
    """Sends orders by HTTP and records each outcome; an order of unknown outcome is sent again.

    Args:
        url: of `order_ingest`.
        source: the subject of the token.
        patience_s: how long no order may find a final answer before `GaveUp`.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        token: str,
        source: str,
        ledger: Ledger,
        patience_s: float = 120.0,
    ) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._source = source
        self._ledger = ledger
        self._patience_s = patience_s
        self._progress_at = time.monotonic()
        self._window = Window()
        self.sent_again = 0
        self.last_failure = ""

    async def send_batch(self, orders: Sequence[Encoded]) -> None:
        """Sends orders over one connection, again and again, until each has a final answer."""
        await self._until_final(orders, batch=True)

    async def send_single(self, order: Encoded) -> None:
        """Sends one order in a request of its own until it has a final answer."""
        await self._until_final([order], batch=False)

    async def _until_final(self, orders: Sequence[Encoded], *, batch: bool) -> None:
        self._progress_at = time.monotonic()
        left, failures = list(orders), 0
        while left:
            for order in left:
                self._note(order, "sent")
            before, asked_s = len(left), 0.0
            try:
                asked_s = await (self._batch(left) if batch else self._single(left[0]))
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self.last_failure = repr(error)
            left = [order for order in left if not self._is_final(order)]
            failures = 0 if len(left) < before else failures + 1
            if left:
                self._window.was_too_much()
                self.sent_again += len(left)
                for order in left:
                    self._note(order, "unknown")
                await self._pause(failures, asked_s)

    def _is_final(self, order: Encoded) -> bool:
        return self._ledger.outcome(self._source, order.order_id) in FINAL

    async def _pause(self, failures: int, asked_s: float) -> None:
        if time.monotonic() - self._progress_at > self._patience_s:
            raise GaveUp(f"no order got an answer for {self._patience_s:.0f} s; last: {self.last_failure}")
        backoff_s = random.uniform(0, min(LARGEST_PAUSE_S, 0.1 * 2 ** min(failures, 10)))
        await asyncio.sleep(max(asked_s, backoff_s))

    async def _batch(self, orders: Sequence[Encoded]) -> float:
        """One request with many orders; returns the pause that the service asks for, in seconds."""
        places = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal places
            for order in orders:
                await self._window.enter()
                places += 1
                yield order.body + b"\n"

        headers = {**self._headers, "Content-Type": "application/x-ndjson"}
        url = f"{self._url}/v1/orders:batch"
        try:
            async with self._session.post(url, data=body(), headers=headers) as response:
                if response.status != 200:
                    answer = await _answer(response)
                    if answer.refuses:
                        raise NotAccepted(f"{url} answered {answer.status} {answer.code}")
                    self.last_failure = f"{answer.status} {answer.code}"
                    return answer.pause_s
                waiting = iter(orders)
                async for line in response.content:
                    if not self._take_answer(line, waiting):
                        break
                    places -= 1
                    self._window.leave()
        finally:
            self._window.leave(places)
        return 0.0

    def _take_answer(self, line: bytes, waiting: Iterator[Encoded]) -> bool:
        """Settles the order that this line answers; False where the answers end before the orders do."""
        if not line.endswith(b"\n"):
            return False  # the connection was cut in the middle of an answer
        result = json.loads(line)
        answer = Answer(result["status"], result.get("error", {}).get("code", ""))
        if result.get("order_id") is None:
            self.last_failure = f"{answer.status} {answer.code}"
            return False  # the service takes no more of this request: it drains, or was too slow
        order = next(waiting)
        if result["order_id"] != order.order_id:
            raise NotAccepted(f"the answer to {order.order_id} names {result['order_id']}")
        self._settle(order, answer)
        return True

    async def _single(self, order: Encoded) -> float:
        """One request with one order; returns the pause that the service asks for, in seconds."""
        headers = {**self._headers, "Content-Type": "application/json"}
        await self._window.enter()
        try:
            async with self._session.post(
                f"{self._url}/v1/orders", data=order.body, headers=headers
            ) as response:
                answer = await _answer(response)
        finally:
            self._window.leave()
        if answer.status in MISDIRECTED:
            raise NotAccepted(f"{self._url}/v1/orders answered {answer.status} {answer.code}")
        self._settle(order, answer)
        return answer.pause_s

    def _settle(self, order: Encoded, answer: Answer) -> None:
        """Records an answer if it is final; otherwise the order is sent again."""
        if answer.status == 202:
            self._note(order, "acknowledged")
        elif answer.refuses:
            self._note(order, "refused", f"{answer.status} {answer.code}")
        else:
            self.last_failure = f"{answer.status} {answer.code}"
            self._window.was_too_much()
            return
        self._window.went_well()
        self._progress_at = time.monotonic()

    def _note(self, order: Encoded, outcome: Outcome, detail: str = "") -> None:
        self._ledger.order(self._source, order.order_id, order.lines, outcome, detail)


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    text = await response.read()
    asked = response.headers.get("Retry-After", "")
    try:
        code = json.loads(text).get("error", {}).get("code", "")
    except (ValueError, AttributeError):
        code = ""
    return Answer(response.status, code, float(asked) if asked.isdecimal() else 0.0)
