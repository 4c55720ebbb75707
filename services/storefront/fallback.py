"""Which articles an answer shows: own ones first, then the country's popular ones, then everybody's. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from contracts.recommendations import RecommendedArticle

OWN, COUNTRY, EVERYWHERE = "own", "country", "everywhere"


class Shown(NamedTuple):
    """An article that is shown.

    Args:
        origin: OWN, COUNTRY or EVERYWHERE.
        list_name: the list that it was taken from, as the contract names it.
    """

    origin: str
    list_name: str
    article: RecommendedArticle


def merged(lists: Iterable[tuple[str, Sequence[RecommendedArticle]]]) -> list[Shown]:
    """Put own lists of one scale together, the highest score first, an article once at its highest.

    Args:
        lists: names and articles; of equal scores the article with the smaller number stands first.
    """
    found = [Shown(OWN, name, article) for name, articles in lists for article in articles]
    found.sort(key=lambda shown: (-shown.article.score, shown.article.stock_code))
    highest: dict[str, Shown] = {}
    for shown in found:
        highest.setdefault(shown.article.stock_code, shown)
    return list(highest.values())


def listed(origin: str, name: str, articles: Iterable[RecommendedArticle]) -> list[Shown]:
    """One list as it is."""
    return [Shown(origin, name, article) for article in articles]


def without(shown: Sequence[Shown], left_out: Collection[str]) -> list[Shown]:
    """What is left of a list without these articles."""
    if not left_out:
        return list(shown)
    return [one for one in shown if one.article.stock_code not in left_out]


def filled(
    shown: Sequence[Shown], popular: Iterable[Shown], not_these: Collection[str], limit: int
) -> list[Shown]:
    """The first `limit` of a list, filled up from popular ones that are new to it.

    Args:
        not_these: articles that nothing is filled up with.
    """
    found = list(shown[:limit])
    have = {one.article.stock_code for one in found}
    for one in popular:
        if len(found) >= limit:
            break
        code = one.article.stock_code
        if code not in have and code not in not_these:
            found.append(one)
            have.add(code)
    return found


def fallback(shown: Sequence[Shown]) -> str | None:
    """What stands in for a list that has nothing of its own; None where it has."""
    if not shown or shown[0].origin == OWN:
        return None
    return shown[0].origin
