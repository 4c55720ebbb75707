"""How long after its acknowledgement an order can be read, measured at a steady rate through the two HTTP APIs."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from deploy.local.target import Target

ORDERS = 200
RATE_PER_S = 50.0
POLL_S = 0.02
GOAL_S = 2.0
DEADLINE_S = 30.0
"""An order that cannot be read this long after its acknowledgement counts as lost."""
LINE = {"stock_code": "22423", "description": "REGENCY CAKESTAND 3 TIER", "unit_price": "12.75"}


def nearest_rank(ascending: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of all stays within; None of none."""
    if not ascending:
        return None
    rank = max(1, -(-len(ascending) * round(share * 1000) // 1000))
    return ascending[rank - 1]


@dataclass(frozen=True, slots=True)
class Freshness:
    """Times from acknowledgement to readable.

    Args:
        seconds: one per order that became readable, ascending.
        never: orders that did not within the deadline.
        wrong: orders that were read with another content.
    """

    seconds: list[float]
    never: int
    wrong: int

    def quantile_s(self, share: float) -> float | None:
        """The smallest time that at least this share of the orders stayed within (nearest rank)."""
        return nearest_rank(self.seconds, share)

    @property
    def met(self) -> bool:
        """Whether every order became readable as it was sent; the goal for the time is told, not judged."""
        return not (self.never or self.wrong)

    def as_json(self) -> dict[str, Any]:
        """The figures, times in seconds."""
        return {
            "orders": len(self.seconds) + self.never + self.wrong,
            "p50_s": self.quantile_s(0.5),
            "p99_s": self.quantile_s(0.99),
            "max_s": self.quantile_s(1.0),
            "goal_s": GOAL_S,
            "never": self.never,
            "wrong": self.wrong,
        }


def order(order_id: str, number: int) -> dict[str, Any]:
    """An order of three lines under a number that no shop uses."""
    return {
        "order_id": order_id,
        "ordered_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "customer_id": f"freshness-{number % 20}",
        "country": "United Kingdom",
        "currency": "GBP",
        "lines": [{**LINE, "line_id": str(line), "quantity": line + number} for line in (1, 2, 3)],
    }


async def measure(
    target: Target, sender_token: str, source: str, orders: int = ORDERS, rate_per_s: float = RATE_PER_S
) -> Freshness:
    """Sends orders at a steady rate and reads each one until it is there.

    Args:
        sender_token: of a sender of its own, so that these orders never mix with the shop's.
        source: that sender.

    Raises:
        RuntimeError: an order was not acknowledged.
    """
    run = uuid.uuid4().hex[:8]
    started = time.monotonic()

    async def one(number: int) -> float | str:
        await asyncio.sleep(max(0.0, started + number / rate_per_s - time.monotonic()))
        body = order(f"fresh-{run}-{number}", number)
        await send(session, target, sender_token, body)
        return await _readable(session, target, source, body)

    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=64)) as session:
        outcomes = await asyncio.gather(*(one(number) for number in range(orders)))
    seconds = sorted(outcome for outcome in outcomes if isinstance(outcome, float))
    return Freshness(seconds, outcomes.count("never"), outcomes.count("wrong"))


async def send(session: aiohttp.ClientSession, target: Target, token: str, body: Mapping[str, Any]) -> None:
    """Send one order.

    Raises:
        RuntimeError: it was not acknowledged.
    """
    headers = {"Authorization": f"Bearer {token}"}
    async with session.post(f"{target.order_ingest}/v1/orders", json=body, headers=headers) as response:
        if response.status != 202:
            raise RuntimeError(f"order {body['order_id']} was answered with {response.status}")


async def _readable(
    session: aiohttp.ClientSession, target: Target, source: str, body: Mapping[str, Any]
) -> float | str:
    acknowledged = time.monotonic()
    headers = {"Authorization": f"Bearer {target.operator_token}"}
    url = f"{target.storefront}/v1/orders/{body['order_id']}"
    while time.monotonic() - acknowledged < DEADLINE_S:
        async with session.get(url, params={"source": source}, headers=headers) as response:
            if response.status == 200:
                seconds = time.monotonic() - acknowledged
                return seconds if _same(body, await response.json()) else "wrong"
        await asyncio.sleep(POLL_S)
    return "never"


def _same(sent: Mapping[str, Any], read: Mapping[str, Any]) -> bool:
    fields = ("line_id", "stock_code", "description", "quantity", "unit_price")
    return [[line[name] for name in fields] for line in sent["lines"]] == [
        [line[name] for name in fields] for line in read["lines"]
    ]
