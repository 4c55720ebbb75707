"""Versions of recommendations as they stand in the table, put there directly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts import codec
from services.kernel.adapters.dynamodb import DynamoDB

TRAINED_UNTIL = "2011-11-01T00:00:00.000Z"
"""Before the orders that tests store by default."""

Article = codec.RecommendedArticle


def an_article(stock_code: str, score: float = 0.5, **fields: Any) -> Article:
    """One article of a list; its text is its number unless it is given."""
    filled: dict[str, Any] = {
        "times": None,
        "last_on": None,
        "because": None,
        "because_description": None,
    } | fields
    return Article(stock_code=stock_code, score=score, **({"description": f"THE {stock_code}"} | filled))


@dataclass
class Version:
    """A version on its way into the table."""

    name: str
    trained_until: str = TRAINED_UNTIL
    bodies: dict[str, bytes] = field(default_factory=dict)

    def customer(
        self,
        customer_id: str,
        may_like: Sequence[Article],
        again: Sequence[Article],
        country: str | None = None,
    ) -> Version:
        """Add a customer's record."""
        lists = {"you_may_like": may_like, "buy_again": again}
        return self._add(f"customer:{customer_id}", lists, country=country)

    def product(self, stock_code: str, also_bought: Sequence[Article]) -> Version:
        """Add a product's record."""
        return self._add(f"product:{stock_code}", {"also_bought": also_bought}, description="ITS TEXT")

    def popular(self, country: str | None, articles: Sequence[Article]) -> Version:
        """Add a country's record, or everybody's."""
        return self._add("everywhere" if country is None else f"country:{country}", {"popular": articles})

    def _add(self, subject: str, lists: dict[str, Sequence[Article]], **header: str | None) -> Version:
        listed = [
            codec.RecommendedList(name=name, items=list(items)) for name, items in lists.items() if items
        ]
        fields: dict[str, Any] = {"description": None, "country": None} | header
        record = codec.Recommendations(subject=subject, lists=listed, **fields)
        self.bodies[subject] = codec.encode(record)
        return self

    async def write(self, dynamodb: DynamoDB, namespace: str) -> None:
        """Put every record; nobody sees them before the flip."""
        items = [
            {"subject": {"S": subject}, "version": {"S": self.name}, "body": {"B": body}}
            for subject, body in self.bodies.items()
        ]
        for at in range(0, len(items), 25):
            left, _ = await dynamodb.batch_write(f"{namespace}-recommendations", items[at : at + 25])
            assert not left

    async def flip(self, dynamodb: DynamoDB, namespace: str) -> None:
        """Put the pointer onto this version."""
        await dynamodb.put_item(
            f"{namespace}-recommendations",
            {
                "subject": {"S": "current"},
                "version": {"S": "current"},
                "serving": {"S": self.name},
                "generation": {"N": "1"},
                "trained_until": {"S": self.trained_until},
                "flipped_at": {"S": self.trained_until},
                "forced": {"BOOL": False},
            },
        )

    async def expire(self, dynamodb: DynamoDB, namespace: str) -> None:
        """Remove every record."""
        for subject in self.bodies:
            key = {"subject": {"S": subject}, "version": {"S": self.name}}
            await dynamodb.delete_item(f"{namespace}-recommendations", key)
