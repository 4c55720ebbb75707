"""What one sender, and all together, may use: token buckets and one budget of bytes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

BURST_S = 2.0
MAX_SENDERS = 10_000


class TokenBucket:
    """A rate that may be overdrawn once: a big request passes, and the next ones wait until it is paid.

    Args:
        rate_per_s: tokens that come back a second; `BURST_S` seconds of them are there at first and at most.
        clock: monotonic seconds.
    """

    def __init__(self, rate_per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s = rate_per_s
        self._most = max(1.0, rate_per_s * BURST_S)
        self._level = self._most
        self._clock = clock
        self._at_s = clock()

    def wait_s(self) -> float:
        """Seconds until something may be taken; 0.0 for now."""
        now = self._clock()
        self._level = min(self._most, self._level + (now - self._at_s) * self._rate_per_s)
        self._at_s = now
        return 0.0 if self._level > 0 else max(-self._level, 1e-9) / self._rate_per_s

    def take(self, tokens: float) -> None:
        """Take tokens, even those that are not there."""
        self._level -= tokens


@dataclass(frozen=True, slots=True)
class RateExceeded:
    """A sender is too fast: what ran out (`orders` or `bytes`), and for how many seconds."""

    what: str
    wait_s: float


class SenderLimits:
    """One pair of buckets a sender; the longest silent one is forgotten past MAX_SENDERS."""

    def __init__(
        self, orders_per_s: float, bytes_per_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rates = (orders_per_s, bytes_per_s)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[TokenBucket, TokenBucket]] = OrderedDict()

    def exceeded(self, sender: str) -> RateExceeded | None:
        """Say whether this sender has to wait; None if not."""
        orders, size = self._of(sender)
        if (wait_s := orders.wait_s()) > 0:
            return RateExceeded("orders", wait_s)
        if (wait_s := size.wait_s()) > 0:
            return RateExceeded("bytes", wait_s)
        return None

    def charge(self, sender: str, orders: int, size_bytes: int) -> None:
        """Count what a sender uses."""
        order_bucket, byte_bucket = self._of(sender)
        order_bucket.take(orders)
        byte_bucket.take(size_bytes)

    def _of(self, sender: str) -> tuple[TokenBucket, TokenBucket]:
        found = self._buckets.get(sender)
        if found is None:
            orders_per_s, bytes_per_s = self._rates
            found = (TokenBucket(orders_per_s, self._clock), TokenBucket(bytes_per_s, self._clock))
            self._buckets[sender] = found
            if len(self._buckets) > MAX_SENDERS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(sender)
        return found


class MemoryBudget:
    """Bytes that all requests together may hold; what does not fit is refused, never waited for."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0

    def reserve(self, size_bytes: int) -> bool:
        """Hold this many bytes; False, and nothing held, if they do not fit."""
        if self.used_bytes + size_bytes > self.limit_bytes:
            return False
        self.used_bytes += size_bytes
        return True

    def release(self, size_bytes: int) -> None:
        """Give back what was reserved."""
        self.used_bytes -= size_bytes


class Reservation:
    """One request's share of the budget, which may change its size until it is given back by `with`."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self.size_bytes = 0

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.release(self.size_bytes)
        self.size_bytes = 0

    def resize(self, size_bytes: int) -> bool:
        """Hold this many bytes instead; False, and everything as before, if they do not fit."""
        if not self._budget.reserve(size_bytes - self.size_bytes):
            return False
        self.size_bytes = size_bytes
        return True
