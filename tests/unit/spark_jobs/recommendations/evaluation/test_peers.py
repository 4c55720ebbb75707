"""Around the library: the grid is judged on the validation window alone, rankings leave out what they must."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spark_jobs.recommendations.evaluation import handover, peers
from spark_jobs.recommendations.evaluation.handover import TEST, VALIDATION, Question, Ranked
from spark_jobs.recommendations.ranking.measures import Truth

AT = 100
KNOWN = Question(
    at=AT,
    articles=4,
    starts=np.array([0, 3, 4]),
    article=np.array([0, 0, 1, 1], np.int32),
    day=np.array([10, 95, 95, 10], np.int32),
    asked=np.array([0, 1]),
    seen=Truth(np.array([0, 2, 3]), np.array([0, 1, 1])),
)


def _model(items: list[float]) -> Any:
    return SimpleNamespace(
        user_factors=np.ones((2, 1), np.float32), item_factors=np.array(items, np.float32)[:, None]
    )


def test_weights_of_purchases() -> None:
    assert peers.matrix(KNOWN, "once").toarray().tolist() == [[1, 1, 0, 0], [0, 1, 0, 0]]
    assert peers.matrix(KNOWN, "orders").toarray().tolist() == [[2, 1, 0, 0], [0, 1, 0, 0]]
    recent = peers.matrix(KNOWN, "recent").toarray()
    assert recent[0, 0] == pytest.approx(2 ** (-90 / 90) + 2 ** (-5 / 90))


def test_the_trend_counts_buyers_once() -> None:
    assert peers.trend(KNOWN).tolist() == pytest.approx([2 / 2, 2 / 3, 1, 1])


def test_new_leaves_out_what_was_seen_and_own_comes_first() -> None:
    ranker = peers.Ranker(_model([4, 3, 2, 1]), KNOWN)
    assert ranker.rank(peers.SCORES, 0.0)[:, :4].tolist() == [[0, 1, 2, 3], [0, 1, 2, 3]]
    assert ranker.rank(peers.NEW, 0.0)[:, :4].tolist() == [[2, 3, -1, -1], [0, 2, 3, -1]]
    assert ranker.rank(peers.OWN_FIRST, 0.0)[1, 0] == 1
    assert ranker.rank(peers.SCORES, 1.0)[0, :2].tolist() == [0, 1]
    assert ranker.rank(peers.NEW, 0.0).shape == (2, 10)


def test_the_best_of_the_grid_by_the_validation_windows_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = peers.ALS[0], peers.ALS[1]
    models = {good: _model([0.1, 0.2, 0.3, 4]), bad: _model([0.1, 0.2, 4, 0.3])}
    monkeypatch.setattr(peers, "GRIDS", {"implicit_als": [bad, good]})
    monkeypatch.setattr(peers, "train", lambda settings, _known: models[settings])
    KNOWN.write(tmp_path, VALIDATION)
    KNOWN.write(tmp_path, TEST)
    handover.write_truth(tmp_path, VALIDATION, Truth(np.array([0, 1, 2]), np.array([3, 3])))
    told: list[str] = []
    chosen = dict(peers.evaluate(tmp_path, told.append))
    assert chosen["implicit_als"]["new"]["settings"]["regularization"] == good.regularization
    assert chosen["implicit_als"]["new"]["ndcg"] == 1.0
    ranked = Ranked.read(tmp_path, "implicit_als")
    assert ranked is not None
    assert ranked.new[:, 0].tolist() == [3, 3]
    assert len(told) == 1
