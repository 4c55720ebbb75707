"""A customer's two lists by any method, on one scale: the probability of an order within the window ahead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spark_jobs.recommendations.ranking import buy_again, calibration, returning, you_may_like
from spark_jobs.recommendations.ranking.basis import Basis
from spark_jobs.recommendations.ranking.histories import Histories, Ints
from spark_jobs.recommendations.ranking.known import Floats, Known, best_of, significant, top
from spark_jobs.recommendations.ranking.learning import Examples, chosen
from spark_jobs.recommendations.ranking.logistic import Logistic
from spark_jobs.recommendations.ranking.measures import Truth

LEARNED = ("learned", "next_purchase")

# The first of a hundred candidates are those that luck helped most: what is learned overrates them. Found on three
# windows before 2011-10-10 (README); anything from a half to 0.7 does.
NEW_COUNTS = 0.6


@dataclass(frozen=True)
class Ranked:
    """Lists of a block's customers.

    Args:
        article: int32[customers, k], -1 where a list has ended.
        score: float64[customers, k], falling; -inf where a list has ended.
    """

    article: Ints
    score: Floats

    def first(self, k: int) -> Ranked:
        """The lists cut."""
        return Ranked(self.article[:, :k], self.score[:, :k])

    def merged(self, other: Ranked, k: int) -> Ranked:
        """The best k of both, equal scores by number of article; no article is in both."""
        article = np.concatenate((self.article, other.article), axis=1)
        score = np.concatenate((self.score, other.score), axis=1)
        order = np.lexsort((article, -score), axis=1)[:, :k]
        return Ranked(np.take_along_axis(article, order, 1), np.take_along_axis(score, order, 1))


@dataclass
class Scene:
    """A block as a basis sees it; what several methods ask for is reckoned once."""

    basis: Basis
    known: Known
    _scores: dict[str, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, basis: Basis, block: Histories) -> Scene:
        """The block as it was known at the basis' day."""
        return cls(basis, basis.known(block))

    def scores(self, method: str) -> NDArray[Any]:
        """As `Basis.scores`."""
        if method not in self._scores:
            self._scores[method] = self.basis.scores(method, self.known)
        return self._scores[method]

    def new(self, method: str, weights: Logistic | None, k: int) -> Ranked:
        """The best k new articles of each customer.

        Args:
            method: of `METHODS["you_may_like"]`.
            weights: of `learned`.
        """
        if method != "learned":
            open_ = you_may_like.unseen(self.scores(method), self.known, self.basis.statistics.sold > 0)
            return Ranked(*top(open_, k))
        first, table = self.new_features()
        return _reordered(first, _probability(weights, table, first.article), k)

    def own(self, method: str, weights: Logistic | None, k: int) -> Ranked:
        """The best k of the articles each customer bought.

        Args:
            method: of `METHODS["buy_again"]`.
            weights: of `next_purchase`.
        """
        known = self.known
        if method == "next_purchase":
            score = _filled(weights).probability(self.own_features())
        else:
            score = buy_again.plain_score(method, known, self.basis)
        return Ranked(*best_of(known.row, known.article, score, len(known), k))

    def own_features(self) -> Floats:
        """As `buy_again.features`."""
        return buy_again.features(self.known, self.basis, self.scores("ease"))

    def new_features(self) -> tuple[Ranked, Floats]:
        """The lists that `learned` orders anew, and their features."""
        first = self.new("ease", None, you_may_like.LOOKED_AT)
        return first, you_may_like.features(self.known, self.basis, first.article, first.score)


@dataclass(frozen=True)
class Heads:
    """How a customer's two lists are made: methods, and weights of what is learned or calibrated.

    Args:
        new: weights of `learned`, or those that turn places of another method into probabilities.
        own: weights of `next_purchase`, or likewise.
        returning: weights of a customer's ordering anything. The others are learned from customers who did: what they
            say holds if the customer orders, and times this it holds in any case.
    """

    you_may_like: str
    buy_again: str
    new: Logistic
    own: Logistic
    returning: Logistic

    def new_list(self, scene: Scene, k: int) -> Ranked:
        """You may like, with probabilities."""
        ranked = scene.new(self.you_may_like, self.new, k)
        if self.you_may_like not in LEARNED:
            ranked = _calibrated(self.new, scene, ranked)
        return self._in_any_case(scene, Ranked(ranked.article, ranked.score * NEW_COUNTS))

    def own_list(self, scene: Scene, k: int) -> Ranked:
        """Buy again, with probabilities."""
        ranked = scene.own(self.buy_again, self.own, k)
        if self.buy_again not in LEARNED:
            ranked = _calibrated(self.own, scene, ranked)
        return self._in_any_case(scene, ranked)

    def _in_any_case(self, scene: Scene, ranked: Ranked) -> Ranked:
        orders = self.returning.probability(returning.features(scene.known))
        return Ranked(ranked.article, significant(ranked.score * orders[:, None]))


@dataclass(frozen=True)
class Lessons:
    """Work for blocks: examples of both lists, from a basis and what was ordered in the window after it.

    Args:
        end: first day after the window.
        k: how many places of a list that is calibrated.
    """

    basis: Basis
    end: int
    you_may_like: str
    buy_again: str
    k: int

    def __call__(self, block: Histories) -> tuple[Examples, Examples, Examples]:
        """Examples of new articles, of own ones and of customers' ordering at all, from some of the block's customers.

        Articles' examples are of customers who ordered in the window: whether one comes back is another question.
        """
        some = chosen(block, self.basis.statistics.customers)
        ahead = some.between(self.basis.at, self.end).sales()
        everybody, came = self.basis.known(some), np.diff(ahead.starts) > 0
        asked = everybody.distinct > 0
        names = np.array(some.customers, object)
        back = Examples(names[asked], returning.features(everybody)[asked], came[asked].astype(np.float64))
        rows = np.flatnonzero(asked & came).tolist()
        scene, truth = Scene.of(self.basis, some.of(rows)), Truth.of(ahead.of(rows))
        return self._new(scene, truth), self._own(scene, truth), back

    def _new(self, scene: Scene, truth: Truth) -> Examples:
        if self.you_may_like == "learned":
            return _examples(scene.known, *scene.new_features(), truth)
        return self._places(scene, scene.new(self.you_may_like, None, self.k), truth)

    def _own(self, scene: Scene, truth: Truth) -> Examples:
        if self.buy_again != "next_purchase":
            return self._places(scene, scene.own(self.buy_again, None, self.k), truth)
        known = scene.known
        names = np.array(known.histories.customers, object)[known.row]
        return Examples(names, scene.own_features(), truth.holds(known.row, known.article).astype(np.float64))

    def _places(self, scene: Scene, ranked: Ranked, truth: Truth) -> Examples:
        table = calibration.features(scene.known, ranked.article, ranked.score)
        return _examples(scene.known, ranked, table, truth)


def names_of(method: str) -> tuple[str, ...]:
    """The names of the features of a method's weights."""
    learned = {"learned": you_may_like.FEATURES, "next_purchase": buy_again.FEATURES}
    return learned.get(method, calibration.FEATURES)


def _examples(known: Known, ranked: Ranked, table: Floats, truth: Truth) -> Examples:
    n, k = ranked.article.shape
    row = np.repeat(np.arange(n), k)
    article = ranked.article.ravel().astype(np.int64)
    used = article >= 0
    names = np.array(known.histories.customers, object)[row[used]]
    return Examples(names, table[used], truth.holds(row[used], article[used]).astype(np.float64))


def _calibrated(weights: Logistic, scene: Scene, ranked: Ranked) -> Ranked:
    table = calibration.features(scene.known, ranked.article, ranked.score)
    probability = _probability(weights, table, ranked.article)
    return Ranked(ranked.article, significant(calibration.falling(probability)))


def _probability(weights: Logistic | None, table: Floats, article: Ints) -> Floats:
    value = _filled(weights).probability(table).reshape(article.shape)
    return np.where(article >= 0, value, -np.inf)


def _filled(weights: Logistic | None) -> Logistic:
    if weights is None:
        raise ValueError("a method that learns needs its weights")
    return weights


def _reordered(ranked: Ranked, score: Floats, k: int) -> Ranked:
    rounded = significant(score)
    order = np.lexsort((ranked.article, -rounded), axis=1)[:, :k]
    return Ranked(np.take_along_axis(ranked.article, order, 1), np.take_along_axis(rounded, order, 1))
