"""The typed record of `recommendations/1`, as `contracts.codec` decodes and encodes it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated

from msgspec import Meta, Struct

from contracts import scalars

MAX_LISTS = 4
MAX_ARTICLES = 100
_SUBJECT = r"^(customer:|product:|country:|everywhere)[^\u0000-\u001f\u007f-\u009f]*\Z"
_DATE_LENGTH = len("2011-11-17")

Subject = Annotated[str, Meta(min_length=1, max_length=80, pattern=_SUBJECT)]
ListName = Annotated[
    str, Meta(min_length=7, max_length=12, pattern=r"^(you_may_like|buy_again|also_bought|popular)\Z")
]
Code = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(max_length=1000)]
CountryName = Annotated[str, Meta(min_length=1, max_length=64)]
Times = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class RecommendedArticle(Struct, frozen=True, kw_only=True, gc=False):
    """One article of a list; which reasons it has is its list's affair."""

    stock_code: Code
    description: Text | None
    score: float
    times: Times | None
    last_on: str | None
    because: Code | None
    because_description: Text | None


class RecommendedList(Struct, frozen=True, kw_only=True):
    """One list of a subject, the best first."""

    name: ListName
    items: Annotated[list[RecommendedArticle], Meta(max_length=MAX_ARTICLES)]


class Recommendations(Struct, frozen=True, kw_only=True):
    """What one version recommends to one subject: a record of `recommendations/1`."""

    subject: Subject
    description: Text | None
    country: CountryName | None
    lists: Annotated[list[RecommendedList], Meta(max_length=MAX_LISTS)]

    def articles(self, name: str) -> Sequence[RecommendedArticle]:
        """The articles of a list, the best first; empty where there is no such list."""
        for one in self.lists:
            if one.name == name:
                return one.items
        return ()


def holds(record: Recommendations) -> bool:
    """Whether what the types cannot say is so: no list and no article of a list twice, and days that exist."""
    if len({one.name for one in record.lists}) != len(record.lists):
        return False
    return all(map(_list_holds, record.lists))


def _list_holds(one: RecommendedList) -> bool:
    if len({article.stock_code for article in one.items}) != len(one.items):
        return False
    return all(article.last_on is None or _is_date(article.last_on) for article in one.items)


def _is_date(text: str) -> bool:
    return len(text) == _DATE_LENGTH and _is_known_date(text)


# A shop's days of orders are few thousand, and each stands in very many records.
_is_known_date = lru_cache(maxsize=4096)(scalars.is_date)
