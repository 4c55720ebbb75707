"""What saved queries have to answer, worked out line by line in plain Python, without SQL."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import permutations
from typing import Any

from tests.sales_lake import Line, descriptions

Rows = list[tuple[Any, ...]]
_ALWAYS = (date.min, date.max)


class Answers:
    """The answers over some lines; a method for each saved query, named as it is."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self._descriptions = descriptions(lines)

    def course(self, country: str, year: int, month: int, top: int) -> Rows:
        found = Counter(
            line.description
            for line in self._lines
            if line.description is not None
            and (line.country, line.day.year, line.day.month) == (country, year, month)
        )
        return sorted(found.items(), key=lambda row: (-row[1], row[0]))[:top]

    def revenue_by_month_and_country(self, days: tuple[date, date] = _ALWAYS) -> Rows:
        groups = _grouped(
            self._within(days), lambda line: (line.day.year, line.day.month, line.country, line.currency)
        )
        return [
            (*key, len(_sale_orders(lines)), len(lines), _sold(lines), _returned(lines), _revenue(lines))
            for key, lines in sorted(groups.items())
        ]

    def sales_by_week(self, days: tuple[date, date] = _ALWAYS) -> Rows:
        groups = _grouped(self._within(days), lambda line: (*line.day.isocalendar()[:2], line.currency))
        return [
            (
                *key,
                len(_sale_orders(lines)),
                len({line.customer_id for line in lines if line.kind == "sale" and line.customer_id}),
                sum(line.quantity for line in lines),
                _sold(lines),
                _returned(lines),
                _revenue(lines),
            )
            for key, lines in sorted(groups.items())
        ]

    def top_products(self, top: int, days: tuple[date, date] = _ALWAYS) -> Rows:
        return self._ranked(
            self._within(days),
            top,
            lambda lines: _revenue(lines),
            lambda lines: (len(_sale_orders(lines)), sum(line.quantity for line in lines), _revenue(lines)),
        )

    def most_returned(self, top: int, days: tuple[date, date] = _ALWAYS) -> Rows:
        lines = [line for line in self._within(days) if line.kind == "cancellation"]
        return self._ranked(
            lines,
            top,
            _returned,
            lambda lines: (len(lines), -sum(line.quantity for line in lines), _returned(lines)),
        )

    def return_rate(self, least_sold: int, top: int) -> Rows:
        found: Rows = []
        for (code, currency), lines in _grouped(
            self._lines, lambda line: (line.stock_code, line.currency)
        ).items():
            sold = [line for line in lines if line.kind == "sale" and line.quantity > 0]
            pieces = sum(line.quantity for line in sold)
            back = -sum(line.quantity for line in lines if line.kind == "cancellation")
            if pieces >= least_sold:
                money = (_revenue(sold), _returned(lines))
                found.append((code, self._descriptions[code], currency, pieces, back, back / pieces, *money))
        found.sort(key=lambda row: (-row[5], row[0], row[2]))
        return [(*row[:5], round(row[5], 4), *row[6:]) for row in found[:top]]

    def cohort_retention(self) -> Rows:
        months: dict[str, set[tuple[int, int]]] = defaultdict(set)
        for line in self._lines:
            if line.kind == "sale" and line.customer_id:
                months[line.customer_id].add((line.day.year, line.day.month))
        cohorts = Counter(min(found) for found in months.values())
        cells = Counter(
            (*min(found), 12 * (year - min(found)[0]) + month - min(found)[1])
            for found in months.values()
            for year, month in found
        )
        return [
            (*cell, customers, cohorts[cell[:2]], round(customers / cohorts[cell[:2]], 4))
            for cell, customers in sorted(cells.items())
        ]

    def rfm_segments(self) -> Rows:
        found: dict[tuple[str, str], list[tuple[int, Decimal]]] = defaultdict(list)
        known = [line for line in self._lines if line.customer_id]
        for currency, lines in _grouped(known, lambda line: line.currency).items():
            customers = {
                customer: (
                    max(line.day for line in theirs if line.kind == "sale"),
                    len(_sale_orders(theirs)),
                    _revenue(theirs),
                )
                for customer, theirs in _grouped(lines, lambda line: line.customer_id).items()
                if _sale_orders(theirs)
            }
            fifths = [_fifths({who: one[place] for who, one in customers.items()}) for place in range(3)]
            for who, (_, orders, revenue) in customers.items():
                segment = _segment(*(fifth[who] for fifth in fifths))
                found[currency, segment].append((orders, revenue))
        return [
            (*key, len(them), sum(orders for orders, _ in them), sum(money for _, money in them))
            for key, them in sorted(found.items())
        ]

    def basket_affinity(self, least_orders: int, most_articles: int, top: int) -> Rows:
        sold = [line for line in self._lines if line.kind == "sale" and line.quantity > 0]
        baskets = [
            {line.stock_code for line in lines} for lines in _grouped(sold, lambda line: line.order).values()
        ]
        baskets = [basket for basket in baskets if len(basket) <= most_articles]
        singles = Counter(code for basket in baskets for code in basket)
        frequent = {code for code, orders in singles.items() if orders >= least_orders}
        pairs: Counter[tuple[str, ...]] = Counter()
        for basket in baskets:
            pairs.update(permutations(basket & frequent, 2))
        listed = sorted(
            ((orders, one, other) for (one, other), orders in pairs.items() if orders >= least_orders),
            key=lambda row: (-row[0], row[1], row[2]),
        )
        return [
            (
                one,
                self._descriptions[one],
                other,
                self._descriptions[other],
                orders,
                singles[one],
                singles[other],
                round(orders / singles[one], 4),
                round(orders * len(baskets) / (singles[one] * singles[other]), 4),
            )
            for orders, one, other in listed[:top]
        ]

    def _within(self, days: tuple[date, date]) -> list[Line]:
        return [line for line in self._lines if days[0] <= line.day <= days[1]]

    def _ranked(
        self,
        lines: Iterable[Line],
        top: int,
        weight: Callable[[Sequence[Line]], Decimal],
        shown: Callable[[Sequence[Line]], tuple[Any, ...]],
    ) -> Rows:
        rows: Rows = []
        for currency, theirs in sorted(_grouped(lines, lambda line: line.currency).items()):
            products = _grouped(theirs, lambda line: line.stock_code)
            ranked = sorted(products.items(), key=lambda one: (-weight(one[1]), one[0]))
            rows += [
                (currency, place, code, self._descriptions[code], *shown(found))
                for place, (code, found) in enumerate(ranked[:top], 1)
            ]
        return rows


def _grouped(lines: Iterable[Line], key: Callable[[Line], Any]) -> dict[Any, list[Line]]:
    groups: dict[Any, list[Line]] = defaultdict(list)
    for line in lines:
        groups[key(line)].append(line)
    return groups


def _sale_orders(lines: Iterable[Line]) -> set[tuple[str, str]]:
    return {line.order for line in lines if line.kind == "sale"}


def _sold(lines: Iterable[Line]) -> Decimal:
    return sum((line.amount for line in lines if line.kind == "sale"), Decimal(0))


def _returned(lines: Iterable[Line]) -> Decimal:
    return -sum((line.amount for line in lines if line.kind == "cancellation"), Decimal(0))


def _revenue(lines: Iterable[Line]) -> Decimal:
    return sum((line.amount for line in lines), Decimal(0))


def _fifths(values: Mapping[str, Any]) -> dict[str, int]:
    """Who is in which fifth, 1 to 5; the first ones are larger by one where it does not come out even."""
    ranked = sorted(values, key=lambda who: (values[who], who))
    size, larger = divmod(len(ranked), 5)
    fifths = [fifth for fifth in range(1, 6) for _ in range(size + (fifth <= larger))]
    return dict(zip(ranked, fifths, strict=True))


def _segment(recency: int, frequency: int, money: int) -> str:
    if recency >= 4 and frequency >= 4 and money >= 4:
        return "champions"
    if recency >= 3 and frequency >= 4:
        return "loyal"
    if recency >= 4 and frequency <= 2:
        return "new"
    if recency <= 2:
        return "at_risk" if frequency >= 3 else "lost"
    return "regular"
