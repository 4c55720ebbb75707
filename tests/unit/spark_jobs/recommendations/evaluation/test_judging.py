"""Measures of what was handed over, reckoned by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spark_jobs.recommendations.evaluation import handover
from spark_jobs.recommendations.evaluation.__main__ import main
from spark_jobs.recommendations.evaluation.findings import ALL, NEW
from spark_jobs.recommendations.evaluation.handover import DEPTH, TEST, Question, Ranked
from spark_jobs.recommendations.evaluation.judging import beside_best, judge
from spark_jobs.recommendations.ranking.histories import Ints
from spark_jobs.recommendations.ranking.measures import Measures, Truth

NONE = np.zeros(0, np.int32)
DISCOUNT = 1 / np.log2(3)


def _ranked(*rows: list[int]) -> Ints:
    return np.array([[*row, *[-1] * (DEPTH - len(row))] for row in rows], np.int32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two customers: the first has article 0 already and buys 0 and 1, the second has 2 and buys it again."""
    place = tmp_path / "2011-10-10"
    seen = Truth(np.array([0, 1, 2]), np.array([0, 2]))
    Question(100, 4, np.zeros(1, np.int64), NONE, NONE, np.array([0, 1]), seen).write(place, TEST)
    handover.write_truth(place, TEST, Truth(np.array([0, 2, 3]), np.array([0, 1, 2])))
    Ranked(_ranked([0, 3], [0, 2]), _ranked([1], [1])).write(place, "ours")
    Ranked(_ranked([3, 0], [0, 1]), _ranked([3, 1], [3])).write(place, "popularity_all")
    Ranked(_ranked([3], [3]), _ranked([3], [3])).write(place, "item_knn")
    each = np.array([1.0, 0.0])
    for name in ("also_bought", "popular"):
        handover.write_lists(place, name, {"best": Measures(each, each, each)})
    np.savez(place / "buyers.npz", buyers=np.array([8, 4, 2, 0]), customers=8)
    facts = {"recipe": {"you_may_like": "ease"}, "articles": 4, "phases_s": {"fit": 1.0}}
    (place / "facts.json").write_text(json.dumps(facts))
    return place


def test_measures_by_split(folder: Path) -> None:
    cut = judge(folder, {})
    assert cut.users == {ALL: 2, NEW: 1}
    ours = cut.methods[ALL]["ours"]
    assert ours.recall.value == pytest.approx((1 / 2 + 1) / 2)
    assert ours.ndcg.value == pytest.approx((1 / (1 + DISCOUNT) + DISCOUNT) / 2)
    assert ours.map.value == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert ours.coverage == 3 / 4
    assert ours.novelty == pytest.approx((0 + 3 + 0 + 2) / 4)
    assert cut.methods[NEW]["ours"].recall.value == 1.0
    assert cut.methods[NEW]["popularity_all"].ndcg.value == pytest.approx(DISCOUNT)
    assert cut.methods[NEW]["item_knn"].ndcg.value == 0.0
    assert list(cut.methods[ALL]) == ["ours", "popularity_all", "item_knn"]
    assert cut.lists["popular"]["best"].ndcg.value == 0.5
    assert cut.cases == {"also_bought": 2, "popular": 2}


def test_a_place_that_nobody_is_asked_for_is_not_shown(folder: Path) -> None:
    assert judge(folder, {}).methods[NEW]["ours"].coverage == 1 / 4


def test_ours_beside_the_best_other(folder: Path) -> None:
    against = judge(folder, {}).against[NEW]
    assert against.peer == "popularity_all"
    assert against.ndcg.value == pytest.approx(1 - DISCOUNT)
    assert (against.ndcg.low, against.ndcg.high) == (against.ndcg.value, against.ndcg.value)


def test_differences_are_paired() -> None:
    random = np.random.default_rng(5)
    ours = random.random(300)
    other = ours - 0.01 + random.normal(0, 0.001, 300)
    found = beside_best({"ours": Measures(ours, ours, ours), "other": Measures(other, other, other)})
    assert found is not None
    assert 0.009 < found.ndcg.low < found.ndcg.value < found.ndcg.high < 0.011
    assert beside_best({"ours": Measures(ours, ours, ours)}) is None


def test_the_command_writes_the_page_and_says_what_is_missed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = folder.parent / "page.html"
    assert main([str(folder.parent), "--page", str(page)]) == 0
    assert "met    NEW NDCG@10 at 2011-10-10: 1.0000" in capsys.readouterr().out
    assert "<svg" in page.read_text()
    ours = Ranked.read(folder, "ours")
    assert ours is not None
    replace(ours, new=_ranked([3], [3])).write(folder, "ours")
    assert main([str(folder.parent), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [goal["met"] for goal in document["goals"]] == [False, False, True]
