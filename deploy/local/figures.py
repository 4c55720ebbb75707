"""Totals and special populations of order lines, counted the same way for the raw file and for the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from deploy.local import retail


class LineFacts(NamedTuple):
    """What an order line says, with its order's header, and nothing about where it rests.

    Args:
        unit_price: pounds; compared as a number.
        ordered_at: UTC, `YYYY-MM-DDTHH:MM:SS.mmmZ`.
        customer_id: None for a guest.
    """

    stock_code: str
    description: str | None
    quantity: int
    unit_price: Decimal
    ordered_at: str
    customer_id: str | None
    country: str
    currency: str
    kind: str


@lru_cache(maxsize=65536)
def decimal(text: str) -> Decimal:
    """The number that a decimal string stands for."""
    return Decimal(text)


def facts_of(line: retail.RetailLine) -> LineFacts:
    """What a line of the raw file says."""
    return LineFacts(
        line.stock_code,
        line.description,
        line.quantity,
        decimal(line.unit_price),
        line.ordered_at,
        line.customer_id,
        line.country,
        retail.CURRENCY,
        retail.kind_of(line.invoice_no),
    )


@dataclass(slots=True)
class Totals:
    """Sums over one kind, or one kind in one month."""

    invoices: int = 0
    lines: int = 0
    units: int = 0
    value: Decimal = field(default_factory=Decimal)

    def as_json(self) -> dict[str, int | str]:
        """The sums, the value as a decimal string."""
        return {
            "invoices": self.invoices,
            "lines": self.lines,
            "units": self.units,
            "value": f"{self.value.normalize():f}",
        }


@dataclass(slots=True)
class Figures:
    """Counts that grow order by order; two of them over the same orders are equal."""

    by_kind: dict[str, Totals] = field(default_factory=dict)
    by_month: dict[str, Totals] = field(default_factory=dict)
    populations: Counter[str] = field(default_factory=Counter)
    customers: set[str] = field(default_factory=set)
    stock_codes: set[str] = field(default_factory=set)

    def add(self, order_id: str, lines: Sequence[LineFacts]) -> None:
        """Counts one whole order; call it once per order.

        Args:
            lines: all its lines, at least one, in any order.
        """
        kind, month = lines[0].kind, min(line.ordered_at for line in lines)[:7]
        for sums in (
            self.by_kind.setdefault(kind, Totals()),
            self.by_kind.setdefault("all", Totals()),
            self.by_month.setdefault(f"{month} {kind}", Totals()),
        ):
            sums.invoices += 1
            sums.lines += len(lines)
            sums.units += sum(line.quantity for line in lines)
            sums.value += sum(line.quantity * line.unit_price for line in lines)
        self.customers.update(line.customer_id for line in lines if line.customer_id is not None)
        self.stock_codes.update(line.stock_code for line in lines)
        self._count_populations(order_id, kind, lines)

    def _count_populations(self, order_id: str, kind: str, lines: Sequence[LineFacts]) -> None:
        count = self.populations
        count["lines of guests"] += sum(line.customer_id is None for line in lines)
        count["invoices of guests"] += lines[0].customer_id is None
        count["lines of cancellations"] += len(lines) * (kind == "cancellation")
        count["lines of adjustments"] += len(lines) * (kind == "adjustment")
        count["quantity below zero without a C"] += sum(
            line.quantity < 0 and not order_id.startswith("C") for line in lines
        )
        count["lines that share invoice and stock code"] += len(lines) - len(
            {line.stock_code for line in lines}
        )
        count["lines equal to an earlier one"] += len(lines) - len(set(lines))
        count["invoices with two times"] += len({line.ordered_at for line in lines}) > 1
        count["lines of the largest invoice"] = max(count["lines of the largest invoice"], len(lines))
        for line in lines:
            for trait in _traits(line.description, line.stock_code, line.unit_price):
                count[trait] += 1

    def as_json(self) -> dict[str, Any]:
        """Everything counted, in a stable order."""
        return {
            "by_kind": {kind: self.by_kind[kind].as_json() for kind in sorted(self.by_kind)},
            "by_month": {month: self.by_month[month].as_json() for month in sorted(self.by_month)},
            "populations": {name: self.populations[name] for name in sorted(self.populations)},
            "customers": len(self.customers),
            "stock_codes": len(self.stock_codes),
        }


@lru_cache(maxsize=65536)
def _traits(description: str | None, stock_code: str, unit_price: Decimal) -> tuple[str, ...]:
    """The names of what is special about one line; cached, because a shop sells the same again and again."""
    text = description or ""
    exponent = unit_price.as_tuple().exponent
    traits = {
        "price below zero": unit_price < 0,
        "price zero": unit_price == 0,
        "price with three decimals": isinstance(exponent, int) and exponent <= -3,
        "description empty": not text,
        "description with a comma or a quote": "," in text or '"' in text,
        "description with blanks at an end": text != text.strip(),
        "description not ASCII": not text.isascii(),
        "stock code without five digits in front": not stock_code[:5].isdecimal() or len(stock_code) < 5,
    }
    return tuple(name for name, present in traits.items() if present)


def differences(expected: dict[str, Any], found: dict[str, Any], path: str = "") -> list[str]:
    """Every leaf in which two nested dictionaries differ, as sentences."""
    told: list[str] = []
    for name in sorted(expected.keys() | found.keys()):
        left, right = expected.get(name), found.get(name)
        where = f"{path}{name}"
        if isinstance(left, dict) and isinstance(right, dict):
            told += differences(left, right, f"{where} / ")
        elif left != right:
            told.append(f"{where}: the raw file has {_short(left)}, the store has {_short(right)}")
    return told


def _short(value: object) -> str:
    return "none" if value is None else str(value)
