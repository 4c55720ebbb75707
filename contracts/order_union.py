"""Parts of one order, united by line identity: the one rule that every sink of orders follows.

An order may arrive in several parts that overlap, repeat and contradict each other. The result depends only
on which parts there are and on their sequence numbers, never on the order in which they are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, Protocol, TypeVar

_DIGITS = re.compile(r"([0-9]+)")


class Line(Protocol):
    """A line of an order, as the contract `order/1` describes it."""

    @property
    def line_id(self) -> str: ...
    @property
    def stock_code(self) -> str: ...
    @property
    def description(self) -> str | None: ...
    @property
    def quantity(self) -> int: ...
    @property
    def unit_price(self) -> str: ...
    @property
    def ordered_at(self) -> str: ...


LineT = TypeVar("LineT", bound=Line)
LineT_co = TypeVar("LineT_co", bound=Line, covariant=True)


class Part(Protocol[LineT_co]):
    """An order, or one part of it, as the contract `order/1` describes it."""

    @property
    def order_id(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def event_id(self) -> str: ...
    @property
    def customer_id(self) -> str | None: ...
    @property
    def country(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def lines(self) -> Sequence[LineT_co]: ...


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Where a line stands: in which part, and which line of it.

    Args:
        sequence_number: the smallest one under which the part came.
        event_id: the part's.
        index: ordinal in the part's `lines`, 0-based.
    """

    sequence_number: int
    event_id: str
    index: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """The same line identity with other content: the winner stays, the loser belongs into `rejected`."""

    line_id: str
    winner: Occurrence
    loser: Occurrence


@dataclass(frozen=True, slots=True)
class UnitedOrder(Generic[LineT]):
    """One whole order.

    Args:
        ordered_at: the earliest of `lines`, RFC 3339 with milliseconds, UTC.
        customer_id, country, currency, kind: of the part with the smallest sequence number.
        lines: each line identity once, by time, then by the natural order of the line ids (2 before 10).
        conflicts: in the order of `lines`, then of the losers' sequence numbers.
    """

    order_id: str
    source: str
    ordered_at: str
    customer_id: str | None
    country: str
    currency: str
    kind: str
    lines: tuple[LineT, ...]
    conflicts: tuple[Conflict, ...]


def union(parts: Iterable[tuple[int, Part[LineT]]]) -> UnitedOrder[LineT]:
    """Unite the parts of one order: per line the smallest sequence number wins, in any order of arrival.

    Lines are the same content when the part's customer, country, currency and kind and the line's own fields
    are equal; prices are compared as numbers, so that 2.5 repeats 2.50. A line that repeats the winner is no
    conflict. Parts with one event id are one part. Equal sequence numbers (two parts from one aggregated
    record) are ordered by event id.

    Args:
        parts: pairs of sequence number and part, at least one, all of one source and order id.

    Raises:
        ValueError: no part, or parts of different orders; a bug of the caller.
    """
    ordered = _distinct(parts)
    header = ordered[0][1]
    winners: dict[str, tuple[Occurrence, Part[LineT], LineT]] = {}
    conflicts: list[Conflict] = []
    for sequence_number, part in ordered:
        if (part.source, part.order_id) != (header.source, header.order_id):
            raise ValueError("parts of different orders cannot be united")
        for index, line in enumerate(part.lines):
            here = Occurrence(sequence_number, part.event_id, index)
            there = winners.setdefault(line.line_id, (here, part, line))
            if there[0] is not here and not _same_content(there[1], there[2], part, line):
                conflicts.append(Conflict(line.line_id, there[0], here))
    lines = sorted((line for _, _, line in winners.values()), key=_line_order)
    rank = {line.line_id: at for at, line in enumerate(lines)}
    conflicts.sort(key=lambda conflict: rank[conflict.line_id])
    return UnitedOrder(
        order_id=header.order_id,
        source=header.source,
        ordered_at=lines[0].ordered_at,
        customer_id=header.customer_id,
        country=header.country,
        currency=header.currency,
        kind=header.kind,
        lines=tuple(lines),
        conflicts=tuple(conflicts),
    )


def _distinct(parts: Iterable[tuple[int, Part[LineT]]]) -> list[tuple[int, Part[LineT]]]:
    """One pair per event id, that with its smallest sequence number, smallest first."""
    kept: dict[str, tuple[int, Part[LineT]]] = {}
    for pair in sorted(parts, key=lambda pair: (pair[0], pair[1].event_id)):
        kept.setdefault(pair[1].event_id, pair)
    if not kept or not all(part.lines for _, part in kept.values()):
        raise ValueError("an order has at least one part, a part at least one line")
    return list(kept.values())


def _same_content(one_part: Part[LineT], one: LineT, other_part: Part[LineT], other: LineT) -> bool:
    return (
        one.stock_code == other.stock_code
        and one.description == other.description
        and one.quantity == other.quantity
        and one.ordered_at == other.ordered_at
        and (one.unit_price == other.unit_price or Decimal(one.unit_price) == Decimal(other.unit_price))
        and one_part.customer_id == other_part.customer_id
        and one_part.country == other_part.country
        and one_part.currency == other_part.currency
        and one_part.kind == other_part.kind
    )


def _line_order(line: Line) -> tuple[str, list[str | int], str]:
    pieces: list[str | int] = list(_DIGITS.split(line.line_id))
    pieces[1::2] = [int(digits) for digits in pieces[1::2]]
    return line.ordered_at, pieces, line.line_id
