"""Reasons say what the numbers of a list mean, and nothing that they do not."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.recommendations import RecommendedArticle
from services.storefront.reasons import reason


def an_article(**fields: Any) -> RecommendedArticle:
    filled = {"times": None, "last_on": None, "because": None, "because_description": None} | fields
    return RecommendedArticle(stock_code="22423", description=None, score=0.5, **filled)


@pytest.mark.parametrize(
    ("name", "fields", "country", "expected", "text"),
    [
        (
            "you_may_like",
            {"because": "22699", "because_description": "ROSES TEACUP"},
            None,
            {"kind": "because_you_bought", "stock_code": "22699", "description": "ROSES TEACUP"},
            "because you bought ROSES TEACUP",
        ),
        (
            "you_may_like",
            {"because": "22699"},
            None,
            {"kind": "because_you_bought", "stock_code": "22699", "description": None},
            "because you bought 22699",
        ),
        ("you_may_like", {}, None, {"kind": "chosen_for_you"}, "chosen for you"),
        (
            "buy_again",
            {"times": 7, "last_on": "2011-11-07"},
            None,
            {"kind": "bought_before", "times": 7, "last_on": "2011-11-07"},
            "you bought it 7 times, last on 7 November 2011",
        ),
        (
            "buy_again",
            {"times": 1, "last_on": "2011-01-31"},
            None,
            {"kind": "bought_before", "times": 1, "last_on": "2011-01-31"},
            "you bought it once, on 31 January 2011",
        ),
        (
            "buy_again",
            {},
            None,
            {"kind": "bought_before", "times": 0, "last_on": None},
            "you bought it before",
        ),
        (
            "also_bought",
            {"times": 1512},
            None,
            {"kind": "bought_together", "times": 1512},
            "bought together in 1,512 orders",
        ),
        (
            "also_bought",
            {"times": 1},
            None,
            {"kind": "bought_together", "times": 1},
            "bought together in 1 order",
        ),
        (
            "popular",
            {"times": 12},
            "France",
            {"kind": "popular", "country": "France", "times": 12},
            "popular in France: 12 customers bought it of late",
        ),
        (
            "popular",
            {"times": 1},
            None,
            {"kind": "popular", "country": None, "times": 1},
            "popular everywhere: 1 customer bought it of late",
        ),
    ],
)
def test_every_list_has_its_reason(
    name: str, fields: dict[str, Any], country: str | None, expected: dict[str, Any], text: str
) -> None:
    assert reason(name, an_article(**fields), country) == (expected, text)
