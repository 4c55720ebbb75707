"""What the serving bench puts into the tables: records as long as the shop's real customers have them.

Who bought what, how often and when is real; the scores are drawn by a seed, for serving does not look at their worth.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice

from contracts import codec
from deploy.local import retail

SEED = 8
VERSION = "20111210T000000Z-00000008"
TRAINED_UNTIL = "2011-12-10T00:00:00.000Z"
LENGTH = 50
"""Articles in each list of a customer and of a country, as the training writes them."""

LATER = "2011-12-10T12:00:00.000Z"
ORDERED_SINCE = 10
"""One customer in so many has ordered since the training, one order of the customer's own articles."""


class Shop:
    """The real customers' purchases."""

    def __init__(self) -> None:
        self.descriptions: dict[str, str] = {}
        self.countries: dict[str, str] = {}
        self.orders: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.last_on: dict[tuple[str, str], str] = {}
        self.buyers: Counter[str] = Counter()
        for line in retail.lines():
            if line.customer_id is None or line.quantity <= 0 or not line.stock_code[:5].isdigit():
                continue
            customer, code = line.customer_id, line.stock_code
            self.descriptions[code] = line.description
            self.countries[customer] = line.country
            if code not in self.orders[customer]:
                self.buyers[code] += 1
            self.orders[customer][code].add(line.invoice_no)
            self.last_on[customer, code] = line.ordered_at[:10]
        self.popular = [code for code, _ in self.buyers.most_common(LENGTH * 4)]

    def bodies(self, most: int | None) -> Iterator[tuple[str, bytes]]:
        """Every subject and its record: customers, the countries' and everybody's popular articles."""
        draw = random.Random(SEED)
        for customer in islice(sorted(self.orders), most):
            yield f"customer:{customer}", self._customer(customer, draw)
        for country in (None, *sorted(set(self.countries.values()))):
            items = [self._article(code, draw, times=self.buyers[code]) for code in self.popular[:LENGTH]]
            subject = "everywhere" if country is None else f"country:{country}"
            yield subject, _record(subject, None, {"popular": items})

    def _customer(self, customer: str, draw: random.Random) -> bytes:
        own = self.orders[customer]
        reasons = sorted(own)
        like = [
            self._article(code, draw, because=draw.choice(reasons))
            for code in [code for code in self.popular if code not in own][:LENGTH]
        ]
        often = sorted(own, key=lambda code: (-len(own[code]), code))[:LENGTH]
        again = [
            self._article(code, draw, times=len(own[code]), last_on=self.last_on[customer, code])
            for code in often
        ]
        lists = {"you_may_like": like, "buy_again": again}
        return _record(f"customer:{customer}", self.countries[customer], lists)

    def _article(
        self,
        code: str,
        draw: random.Random,
        times: int | None = None,
        last_on: str | None = None,
        because: str | None = None,
    ) -> codec.RecommendedArticle:
        return codec.RecommendedArticle(
            stock_code=code,
            description=self.descriptions[code],
            score=float(f"{draw.random():.6g}"),
            times=times,
            last_on=last_on,
            because=because,
            because_description=None if because is None else self.descriptions[because],
        )


def _record(subject: str, country: str | None, lists: dict[str, list[codec.RecommendedArticle]]) -> bytes:
    listed = [
        codec.RecommendedList(name=name, items=sorted(items, key=lambda item: -item.score))
        for name, items in lists.items()
    ]
    return codec.encode(
        codec.Recommendations(subject=subject, description=None, country=country, lists=listed)
    )
