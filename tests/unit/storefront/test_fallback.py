"""Own articles first, popular ones after them, none twice and none that was left out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.recommendations import RecommendedArticle
from services.storefront.fallback import (
    COUNTRY,
    EVERYWHERE,
    OWN,
    Shown,
    fallback,
    filled,
    listed,
    merged,
    without,
)


def an_article(stock_code: str, score: float = 0.5) -> RecommendedArticle:
    return RecommendedArticle(
        stock_code=stock_code,
        description=None,
        score=score,
        times=None,
        last_on=None,
        because=None,
        because_description=None,
    )


def codes(shown: Sequence[Shown]) -> list[str]:
    return [one.article.stock_code for one in shown]


def test_two_lists_are_one_by_score_and_equal_scores_stand_by_number() -> None:
    like = [an_article("b", 0.4), an_article("d", 0.1)]
    again = [an_article("c", 0.9), an_article("a", 0.4)]
    found = merged([("you_may_like", like), ("buy_again", again)])
    assert [(one.list_name, one.article.stock_code) for one in found] == [
        ("buy_again", "c"),
        ("buy_again", "a"),
        ("you_may_like", "b"),
        ("you_may_like", "d"),
    ]


def test_an_article_of_both_lists_stands_once_at_its_highest() -> None:
    found = merged(
        [
            ("you_may_like", [an_article("a", 0.2)]),
            ("buy_again", [an_article("a", 0.8), an_article("b", 0.5)]),
        ]
    )
    assert [(one.list_name, one.article.stock_code) for one in found] == [
        ("buy_again", "a"),
        ("buy_again", "b"),
    ]


CODES = st.lists(st.sampled_from("abcdefghij"), max_size=10, unique=True)
SCORED = st.lists(
    st.tuples(st.sampled_from("abcdefghij"), st.floats(0, 1)), max_size=8, unique_by=lambda pair: pair[0]
)


@given(SCORED, SCORED, CODES, CODES, CODES, st.integers(1, 12))
def test_whatever_the_lists_are(
    like: list[tuple[str, float]],
    again: list[tuple[str, float]],
    country: list[str],
    everywhere: list[str],
    left_out: list[str],
    limit: int,
) -> None:
    own = merged(
        [
            ("you_may_like", [an_article(*pair) for pair in like]),
            ("buy_again", [an_article(*pair) for pair in again]),
        ]
    )
    popular = listed(COUNTRY, "popular", map(an_article, country))
    popular += listed(EVERYWHERE, "popular", map(an_article, everywhere))
    left = without(own, left_out)
    known = {*left_out, *codes(own)}
    shown = filled(left, popular, known, limit)
    assert (
        len(codes(shown))
        == len(set(codes(shown)))
        == min(limit, len(left) + len({*country, *everywhere} - known))
    )
    assert not set(codes(shown)) & set(left_out)
    assert codes(shown)[: len(left)] == codes(left)[:limit]
    origins = [one.origin for one in shown]
    assert origins == sorted(origins, key=[OWN, COUNTRY, EVERYWHERE].index)
    assert [one.article.score for one in shown if one.origin == OWN] == sorted(
        (one.article.score for one in shown if one.origin == OWN), reverse=True
    )


@pytest.mark.parametrize(("origin", "expected"), [(OWN, None), (COUNTRY, COUNTRY), (EVERYWHERE, EVERYWHERE)])
def test_what_stands_in_is_said_only_of_a_list_with_nothing_of_its_own(
    origin: str, expected: str | None
) -> None:
    shown = [*listed(origin, "popular", [an_article("a")]), *listed(EVERYWHERE, "popular", [an_article("b")])]
    assert fallback(shown) == expected
    assert fallback([]) is None
