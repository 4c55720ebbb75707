"""What a version holds: everything that makes lists for a block of customers, for products and for countries."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from spark_jobs.recommendations.ranking.also_bought import AlsoBought
from spark_jobs.recommendations.ranking.basis import Basis
from spark_jobs.recommendations.ranking.customer_lists import Heads, Ranked, Scene
from spark_jobs.recommendations.ranking.histories import Articles, Histories, Ints, Longs
from spark_jobs.recommendations.ranking.known import Floats, Known
from spark_jobs.recommendations.ranking.popular import Popular, popular
from spark_jobs.recommendations.ranking.recipe import LIST_LENGTH, Recipe

_EPOCH = datetime.date(1970, 1, 1)
_LONGEST_TEXT = 1000
_LONGEST_COUNTRY = 64


@dataclass(frozen=True)
class Model:
    """The fitted methods of a recipe; can be pickled.

    Args:
        basis: statistics and models at the day until which was trained.
        heads: how a customer's lists are made.
    """

    recipe: Recipe
    articles: Articles
    basis: Basis
    heads: Heads
    also_bought: AlsoBought

    def rank_new(self, block: Histories, k: int) -> Ints:
        """int32[customers, k]: articles never bought before, -1 where a list has ended."""
        return self.heads.new_list(Scene.of(self.basis, block), max(k, LIST_LENGTH)).article[:, :k]

    def rank_own(self, block: Histories, k: int) -> Ints:
        """int32[customers, k]: articles bought before."""
        return self.heads.own_list(Scene.of(self.basis, block), max(k, LIST_LENGTH)).article[:, :k]

    def rank_all(self, block: Histories, k: int) -> Ints:
        """int32[customers, k]: both lists merged by probability."""
        scene, most = Scene.of(self.basis, block), max(k, LIST_LENGTH)
        return self.heads.own_list(scene, most).merged(self.heads.new_list(scene, most), k).article

    def rank_also_bought(self, queries: NDArray[Any], k: int) -> Ints:
        """int32[queries, k]: what lies in orders with each article asked for."""
        return self.also_bought.article[queries, :k]

    def rank_popular(self, country: str | None, k: int) -> Ints:
        """int32[at most k]: the list of a country, of everywhere for None or a country without a buyer."""
        return self.popular(country).article[:k]

    def popular(self, country: str | None) -> Popular:
        """The list of a country, or of everywhere."""
        return popular(self.recipe.popular, self.basis.statistics, country)

    def records(self, block: Histories) -> list[dict[str, Any]]:
        """Records of recommendations/1, one for each of the block's customers with a purchase, in the block's order."""
        scene = Scene.of(self.basis, block)
        new, own = self.heads.new_list(scene, LIST_LENGTH), self.heads.own_list(scene, LIST_LENGTH)
        asked, spoken = self._spoken(scene.known)
        rows = np.flatnonzero(scene.known.distinct > 0)
        return [self._customer(scene.known, int(row), new, own, asked, spoken) for row in rows]

    def product_records(self) -> list[dict[str, Any]]:
        """Records of every article that lay in an order with another."""
        found = []
        for number in np.flatnonzero((self.also_bought.article >= 0).any(axis=1)):
            also = self.also_bought
            items = [
                self._item(int(also.article[number, place]), float(also.score[number, place]), int(times))
                for place, times in enumerate(also.times[number])
                if also.article[number, place] >= 0
            ]
            text = _text(self.articles.texts[number])
            found.append(
                _record(f"product:{self.articles.codes[number]}", text, None, [("also_bought", items)])
            )
        return found

    def country_records(self) -> list[dict[str, Any]]:
        """Records of every country with a buyer, and of everywhere."""
        names: list[str | None] = [name for name in self.basis.statistics.countries if name]
        found = []
        for name in [*names, None]:
            best = self.popular(name)
            each = zip(best.article, best.score, best.times, strict=True)
            items = [self._item(int(article), float(score), int(times)) for article, score, times in each]
            subject = "everywhere" if name is None else f"country:{name[:_LONGEST_COUNTRY]}"
            found.append(_record(subject, None, None, [("popular", items)]))
        return found

    def save(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, for one .npz file without pickled objects."""
        arrays: dict[str, NDArray[Any]] = {
            "codes": np.array(self.articles.codes, np.str_),
            "trend": self.basis.trend,
            "buyers": self.basis.statistics.buyers.ever,
            "buyers_recent": self.basis.statistics.buyers.recent,
            "new_weights": self.heads.new.weights,
            "own_weights": self.heads.own.weights,
            "returning_weights": self.heads.returning.weights,
            "also_bought": self.also_bought.article,
            "also_bought_score": self.also_bought.score,
        }
        if self.basis.ease is not None:
            arrays["ease"] = self.basis.ease
        if self.basis.als is not None:
            arrays["als"] = self.basis.als.values
        if self.basis.item_knn is not None:
            arrays |= {
                f"item_knn_{part}": getattr(self.basis.item_knn, part)
                for part in ("data", "indices", "indptr")
            }
        return arrays

    def parameters(self) -> dict[str, Any]:
        """What people read of the model: weights by name of the feature, JSON-able."""
        return {
            "customers": self.basis.statistics.customers,
            "you_may_like": self.heads.new.as_json(),
            "buy_again": self.heads.own.as_json(),
            "returning": self.heads.returning.as_json(),
        }

    def _spoken(self, known: Known) -> tuple[Floats, Any]:
        """float64[pairs], how loud each own article speaks, and [articles, articles], for which others."""
        if self.basis.ease is not None:
            return np.asarray(self.basis.query(known).data, np.float64), self.basis.ease
        also = self.also_bought
        row, place = np.nonzero((also.article >= 0) & (also.score > 0))
        shape = (len(self.articles), len(self.articles))
        alike = sparse.csr_matrix((also.score[row, place], (row, also.article[row, place])), shape=shape)
        return np.ones(len(known.row)), alike

    def _customer(
        self, known: Known, row: int, new: Ranked, own: Ranked, asked: Floats, spoken: Any
    ) -> dict[str, Any]:
        pairs = slice(known.starts[row], known.starts[row + 1])
        mine = known.article[pairs]
        place = {int(article): number for number, article in enumerate(mine)}
        orders, last = known.orders[pairs], known.last[pairs]
        again = []
        for article, score in _listed(own, row):
            number = place[article]
            day = (_EPOCH + datetime.timedelta(int(last[number]))).isoformat()
            again.append(self._item(article, score, int(orders[number]), last_on=day))
        wanted = _listed(new, row)
        because = _because(mine, asked[pairs], spoken, [article for article, _ in wanted])
        like = [
            self._item(article, score, because=reason)
            for (article, score), reason in zip(wanted, because, strict=True)
        ]
        country = known.histories.countries[row][:_LONGEST_COUNTRY] or None
        lists = [("you_may_like", like), ("buy_again", again)]
        return _record(f"customer:{known.histories.customers[row]}", None, country, lists)

    def _item(
        self,
        article: int,
        score: float,
        times: int | None = None,
        last_on: str | None = None,
        because: int | None = None,
    ) -> dict[str, Any]:
        return {
            "stock_code": self.articles.codes[article],
            "description": _text(self.articles.texts[article]),
            "score": score,
            "times": times,
            "last_on": last_on,
            "because": None if because is None else self.articles.codes[because],
            "because_description": None if because is None else _text(self.articles.texts[because]),
        }


def _listed(ranked: Ranked, row: int) -> list[tuple[int, float]]:
    used = ranked.article[row] >= 0
    return list(zip(ranked.article[row][used].tolist(), ranked.score[row][used].tolist(), strict=True))


def _because(mine: Longs, asked: Floats, spoken: Any, wanted: Sequence[int]) -> list[int | None]:
    """Of each article wanted the own one that speaks most for it; None where none does."""
    if not wanted or not len(mine):
        return [None] * len(wanted)
    part = spoken[mine[:, None], np.array(wanted)]
    loud = asked[:, None] * np.asarray(part.toarray() if sparse.issparse(part) else part)
    best = loud.argmax(axis=0)
    most = loud[best, np.arange(len(wanted))]
    return [int(mine[one]) if value > 0 else None for one, value in zip(best, most, strict=True)]


def _record(
    subject: str, description: str | None, country: str | None, lists: list[tuple[str, list[dict[str, Any]]]]
) -> dict[str, Any]:
    filled = [{"name": name, "items": items} for name, items in lists]
    return {"subject": subject, "description": description, "country": country, "lists": filled}


def _text(text: str | None) -> str | None:
    return None if text is None else text[:_LONGEST_TEXT]
