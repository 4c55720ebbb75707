"""The names of lists and of the methods that compete for each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass

LIST_LENGTH = 50  # of a customer's lists and of popular
ALSO_BOUGHT_LENGTH = 20
WINDOW_DAYS = 40  # what is learned and judged lies this many days ahead

# Per list every method, the yardsticks (popularity) first; of equal ones the earlier wins.
METHODS: dict[str, tuple[str, ...]] = {
    "you_may_like": (
        "popularity_all",
        "popularity_30d",
        "item_knn",
        "als",
        "ease",
        "ease_als",
        "learned",
    ),
    "buy_again": ("popularity_30d", "frequency", "faded_frequency", "next_purchase"),
    "also_bought": ("popularity_all", "co_occurrence", "cosine", "lift", "ease"),
    "popular": ("popularity_all", "popularity_30d", "country_all", "country_30d", "country_faded"),
}


@dataclass(frozen=True)
class Recipe:
    """The method of each list, names of `METHODS`.

    Raises:
        ValueError: a name is none of the list's.
    """

    you_may_like: str = "ease"
    buy_again: str = "next_purchase"
    also_bought: str = "cosine"
    popular: str = "country_30d"

    def __post_init__(self) -> None:
        for name, method in asdict(self).items():
            if method not in METHODS[name]:
                raise ValueError(f"{name} has no method {method}, only {', '.join(METHODS[name])}")

    def as_json(self) -> dict[str, str]:
        """Of each list the method's name."""
        return asdict(self)


def candidates(name: str, only: Collection[str] | None, factors: bool) -> list[str]:
    """The methods that compete for a list.

    Args:
        name: the list.
        only: methods that may compete; None for all. Popularity always does, as the yardstick.
        factors: whether factors of Spark's ALS can be had.
    """
    return [
        method
        for method in METHODS[name]
        if method.startswith("popularity_")
        or ((only is None or method in only) and (factors or "als" not in method))
    ]
