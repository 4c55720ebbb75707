"""Which orders were counted, by event minute: so that each counts once, and so that a restored job knows them.

The entries that it writes hold up to 32 orders each and are only appended to: what one order adds to the state does
not depend on how many came in the same minute.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from hashlib import blake2b
from typing import NamedTuple

ORDERS_IN_ENTRY = 32
DIGEST_BYTES = 12
"""Of 10 million orders kept at a time, two share a digest with a probability of 1 in a quadrillion."""
PREFIX = "o:"


class Counted(NamedTuple):
    """One order as the ledger keeps it."""

    digest: bytes
    second: int
    country: str


class _Minute:
    __slots__ = ("digests", "entry", "size", "touched_ms")

    def __init__(self) -> None:
        self.digests: list[bytes] = []
        self.entry = 0
        self.size = 0
        self.touched_ms = 0


def digest_of(source: str, order_id: str) -> bytes:
    """The identity of an order in 12 bytes; the lengths keep `a` + `bc` and `ab` + `c` apart."""
    return blake2b(
        f"{len(source)}:{source}{order_id}".encode("utf-8", "surrogatepass"), digest_size=12
    ).digest()


class Ledger:
    """Distinct orders by the minute of their event time.

    Args:
        changed: takes the state entries that changed; None removes one.
    """

    def __init__(self, changed: MutableMapping[str, bytes | None]) -> None:
        self.started_ms = 0
        """When this job began, on its clock: what it restored counts as touched then."""
        self._changed = changed
        self._known: set[bytes] = set()
        self._minutes: dict[int, _Minute] = {}
        self._tails: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._known

    def add(self, order: Counted, now_ms: int) -> None:
        """Keep an order that was not known."""
        self._known.add(order.digest)
        number = order.second // 60
        minute = self._minutes.get(number)
        if minute is None:
            minute = self._minutes[number] = _Minute()
        elif minute.size == ORDERS_IN_ENTRY:
            minute.entry, minute.size = minute.entry + 1, 0
            self._tails[number] = b""
        minute.digests.append(order.digest)
        minute.touched_ms = now_ms
        minute.size += 1
        entry = self._tails.get(number, b"") + _line(order)
        self._tails[number] = entry
        self._changed[f"{PREFIX}{number}:{minute.entry}"] = entry

    def restore(self, key: str, entry: bytes) -> Iterator[Counted]:
        """Take over one entry; gives its orders."""
        number, piece = (int(part) for part in key.removeprefix(PREFIX).split(":"))
        minute = self._minutes.setdefault(number, _Minute())
        orders = list(_orders(entry, number))
        if piece >= minute.entry:
            minute.entry, minute.size = piece, len(orders)
            self._tails[number] = entry
        for order in orders:
            self._known.add(order.digest)
            minute.digests.append(order.digest)
            yield order

    def touched(self, second: int, now_ms: int) -> None:
        """Keep the minute for longer: a repeat of one of its orders came."""
        minute = self._minutes.get(second // 60)
        if minute is not None:
            minute.touched_ms = now_ms

    def prune(self, before_minute: int, touched_before_ms: int) -> tuple[list[int], int]:
        """Forget minutes that are old and were not touched of late.

        Returns:
            the minutes, and the one from which on everything is still there.
        """
        if self.started_ms > touched_before_ms:
            touched_before_ms = -1
        old = [number for number in self._minutes if number < before_minute]
        gone = [number for number in old if self._minutes[number].touched_ms <= touched_before_ms]
        for number in gone:
            minute = self._minutes.pop(number)
            self._tails.pop(number, None)
            self._known.difference_update(minute.digests)
            for entry in range(minute.entry + 1):
                self._changed[f"{PREFIX}{number}:{entry}"] = None
        return gone, min((number for number in old if number in self._minutes), default=before_minute)


def _line(order: Counted) -> bytes:
    return b"%02d%s%s\n" % (
        order.second % 60,
        order.digest.hex().encode(),
        order.country.encode("unicode_escape"),
    )


def _orders(entry: bytes, minute: int) -> Iterator[Counted]:
    for line in entry.splitlines():
        digest = bytes.fromhex(line[2 : 2 + 2 * DIGEST_BYTES].decode())
        country = line[2 + 2 * DIGEST_BYTES :].decode("unicode_escape")
        yield Counted(digest, minute * 60 + int(line[:2]), country)
