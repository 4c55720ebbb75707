"""Logistic regression by Newton's method: deterministic, small, and readable afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spark_jobs.recommendations.ranking.known import Floats, significant

_STEPS = 30
_TOLERANCE = 1e-8


@dataclass(frozen=True)
class Logistic:
    """P(label) = 1 / (1 + exp(-(intercept + features · weights))).

    Args:
        names: of the features.
        weights: float64[features], of the features as they are.
        intercept: a number.
    """

    names: tuple[str, ...]
    weights: Floats
    intercept: float

    def probability(self, features: Floats) -> Floats:
        """float64[n] within 0 and 1.

        Args:
            features: float64[n, features] in the order of `names`.
        """
        # Row by row, not as a product of matrices: that adds up otherwise for other numbers of rows.
        return _sigmoid(self.intercept + (features * self.weights).sum(axis=1))

    def as_json(self) -> dict[str, float]:
        """Each feature's weight, and the intercept."""
        return {"intercept": self.intercept, **dict(zip(self.names, map(float, self.weights), strict=True))}


def fit(names: tuple[str, ...], features: Floats, labels: Floats, penalty: float = 1.0) -> Logistic:
    """The weights that minimise log loss + penalty / 2 × ‖weights of standardised features‖², intercept free.

    Weights are rounded to six significant digits. Without any positive label, or without any negative, the
    probability is the same for everything: (positives + 0.5) / (n + 1).

    Args:
        features: float64[n, features], finite.
        labels: float64[n], 0 or 1.
        penalty: above 0.
    """
    positives = float(labels.sum())
    if positives in (0.0, float(len(labels))):
        share = (positives + 0.5) / (len(labels) + 1.0)
        return Logistic(names, np.zeros(len(names)), float(significant(np.log(share / (1.0 - share)))))
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-12, spread, 1.0)
    table = np.column_stack((np.ones(len(labels)), (features - mean) / spread))
    ridge = np.full(table.shape[1], penalty)
    ridge[0] = 0.0
    beta = _newton(table, labels, ridge)
    weights = significant(beta[1:] / spread)
    return Logistic(names, weights, float(significant(np.asarray(beta[0] - mean @ (beta[1:] / spread)))))


def _newton(table: Floats, labels: Floats, ridge: Floats) -> Floats:
    beta = np.zeros(table.shape[1])
    share = labels.mean()
    beta[0] = np.log(share / (1.0 - share))
    loss = _loss(table, labels, ridge, beta)
    for _ in range(_STEPS):
        p = _sigmoid(table @ beta)
        slope = table.T @ (p - labels) + ridge * beta
        curve = (table * (p * (1.0 - p))[:, None]).T @ table
        curve[np.diag_indices(len(beta))] += ridge + 1e-10
        step = np.linalg.solve(curve, slope)
        scale = 1.0
        while (changed := _loss(table, labels, ridge, beta - scale * step)) > loss and scale > 1e-6:
            scale /= 2.0
        beta = beta - scale * step
        if loss - changed < _TOLERANCE * max(1.0, abs(loss)):
            break
        loss = changed
    return beta


def _loss(table: Floats, labels: Floats, ridge: Floats, beta: Floats) -> float:
    logit = table @ beta
    return float(np.logaddexp(0.0, logit).sum() - labels @ logit + 0.5 * (ridge * beta) @ beta)


def _sigmoid(logit: Floats) -> Floats:
    # As exp of what is at most 0, so that nothing overflows.
    small = np.exp(-np.abs(logit))
    return np.asarray(np.where(logit >= 0, 1.0, small) / (1.0 + small))
