"""Small histories, written out or drawn from a seed, and what plain Python says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from spark_jobs.recommendations.ranking.histories import Articles, Histories


class Event(NamedTuple):
    """One line: article, day, the customer's order, pieces."""

    article: int
    day: int
    order: int
    units: int = 1


def histories(
    events: Mapping[str, Sequence[Event | tuple[int, ...]]], countries: Mapping[str, str] | None = None
) -> Histories:
    """Customers with their events, in the order of the mapping."""
    rows = [
        sorted((Event(*event) for event in own), key=lambda e: (e.day, e.order, e.article))
        for own in events.values()
    ]
    flat = [event for own in rows for event in own]
    columns = [np.array([getattr(event, name) for event in flat], np.int32) for name in Event._fields]
    return Histories(
        tuple(events),
        tuple((countries or {}).get(name, "France") for name in events),
        np.concatenate(([0], np.cumsum([len(own) for own in rows]))).astype(np.int64),
        *columns,
    )


def articles(n: int) -> Articles:
    """So many articles with a text each."""
    return Articles(
        tuple(f"{10000 + number}" for number in range(n)), tuple(f"text {number}" for number in range(n))
    )


def drawn(seed: int, customers: int = 60, n: int = 24, days: int = 260) -> Histories:
    """Customers of two tastes, who come again, return things, and live in three countries."""
    random = np.random.default_rng(seed)
    events: dict[str, list[Event]] = {}
    countries = {}
    for number in range(customers):
        name = f"customer {number * 7919 % 100_000:05d}"
        countries[name] = ["Spain", "France", "Eire"][int(random.integers(3))]
        own: list[Event] = []
        taste = number % 2
        for order in range(int(random.integers(1, 9))):
            day = int(random.integers(0, days))
            wanted = random.choice(n // 2, size=int(random.integers(1, 6)), replace=False) * 2 + taste
            if random.random() < 0.3:
                wanted = np.append(wanted, random.integers(n))
            for article in np.unique(wanted):
                own.append(Event(int(article), day, order, int(random.integers(1, 5))))
        for order, event in enumerate([e for e in own if random.random() < 0.1]):
            own.append(
                Event(event.article, event.day + int(random.integers(0, 30)), 100 + order, -event.units)
            )
        events[name] = own
    return histories(events, countries)


def baskets_of(
    block: Histories, guests: Mapping[str, Sequence[int]] | None = None, day: int = 100
) -> Histories:
    """Each order as a row, and guests' orders with the articles given on one day."""
    orders: dict[str, list[Event]] = {}
    for row, name in enumerate(block.customers):
        for place in range(int(block.starts[row]), int(block.starts[row + 1])):
            if block.units[place] > 0:
                key = f"{name}/{block.order[place]}"
                line = Event(int(block.article[place]), int(block.day[place]), 0, int(block.units[place]))
                orders.setdefault(key, []).append(line)
    for name, wanted in (guests or {}).items():
        orders[name] = [Event(article, day, 0) for article in wanted]
    return histories(orders)


def split(block: Histories, size: int, seed: int | None = None) -> list[Histories]:
    """The customers in blocks, shuffled when a seed is given."""
    rows = list(range(len(block)))
    if seed is not None:
        np.random.default_rng(seed).shuffle(rows)
    return [block.of(rows[first : first + size]) for first in range(0, len(rows), size)]


def bought(block: Histories, row: int, at: int) -> dict[int, list[int]]:
    """Of each article that counts as bought before a day the days of its orders, by the rule's own words."""
    events = [
        (int(block.article[e]), int(block.day[e]), int(block.units[e]))
        for e in range(int(block.starts[row]), int(block.starts[row + 1]))
        if block.day[e] < at
    ]
    found = {}
    for article in {one for one, _, _ in events}:
        if sum(units for one, _, units in events if one == article) > 0:
            found[article] = [day for one, day, units in events if one == article and units > 0]
    return found
