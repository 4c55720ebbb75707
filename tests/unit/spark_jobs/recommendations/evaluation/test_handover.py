"""What is written is what is read, and a question's file holds no answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spark_jobs.recommendations.evaluation import handover
from spark_jobs.recommendations.evaluation.handover import TEST, Question, Ranked
from spark_jobs.recommendations.ranking.measures import Measures, Truth

QUESTION = Question(
    at=100,
    articles=3,
    starts=np.array([0, 2, 3]),
    article=np.array([0, 2, 1], np.int32),
    day=np.array([90, 91, 92], np.int32),
    asked=np.array([1]),
    seen=Truth(np.array([0, 1]), np.array([1])),
)


def test_a_question(tmp_path: Path) -> None:
    QUESTION.write(tmp_path / "2011-10-10", TEST)
    handover.write_truth(tmp_path / "2011-10-10", TEST, Truth(np.array([0, 1]), np.array([2])))
    found = Question.read(tmp_path / "2011-10-10", TEST)
    assert (found.at, found.articles) == (100, 3)
    assert found.row.tolist() == [0, 0, 1]
    assert found.seen.article.tolist() == [1]
    assert found.asked.tolist() == [1]
    with np.load(tmp_path / "2011-10-10" / f"{TEST}.npz") as file:
        assert not [name for name in file.files if "truth" in name]
    assert handover.read_truth(tmp_path / "2011-10-10", TEST).article.tolist() == [2]


def test_a_ranking_and_one_that_nobody_gave(tmp_path: Path) -> None:
    Ranked(np.array([[1, -1]], np.int32), np.array([[0, 2]], np.int32)).write(tmp_path, "ours")
    found = Ranked.read(tmp_path, "ours")
    assert found is not None
    assert (found.all.tolist(), found.new.tolist()) == ([[1, -1]], [[0, 2]])
    assert Ranked.read(tmp_path, "others") is None


def test_lists_for_guests_keep_the_order_of_methods(tmp_path: Path) -> None:
    values = np.array([0.5, 0.25])
    found = {
        "ease": Measures(values, values * 2, values * 0),
        "co_occurrence": Measures(values, values, values),
    }
    handover.write_lists(tmp_path, "also_bought", found)
    read = handover.read_lists(tmp_path, "also_bought")
    assert list(read) == ["ease", "co_occurrence"]
    assert read["ease"].ndcg.tolist() == [1.0, 0.5]


def test_no_question_was_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Question.read(tmp_path, TEST)
