"""The whole of the part in Spark, in this process: everything is handed over, and the future changes no ranking."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from spark_jobs.progress import Progress
from spark_jobs.recommendations.evaluation.findings import LABELS
from spark_jobs.recommendations.evaluation.handover import TEST, VALIDATION, Question, Ranked
from spark_jobs.recommendations.evaluation.judging import judge
from spark_jobs.recommendations.evaluation.run import run
from tests.unit.spark_jobs.recommendations.evaluation.small_shop import (
    Event,
    articles,
    baskets,
    drawn,
    histories,
    in_blocks,
)

CUT = "1970-07-20"
AT, ARTICLES = (date.fromisoformat(CUT) - date(1970, 1, 1)).days, 15
OURS = set(LABELS) - {"implicit_als", "implicit_bpr"}


def _factors(at: int) -> np.ndarray:
    return np.random.default_rng(at).normal(size=(ARTICLES, 4)).astype(np.float32)


def _run(events: dict[str, list[Event]], folder: Path, size: int = 16) -> dict[str, Ranked]:
    whole = histories(events)
    run(
        in_blocks(whole, size),
        in_blocks(baskets(whole), 64),
        articles(ARTICLES),
        {"ours": _factors, "plain": _factors, "course": _factors},
        [CUT],
        folder,
        Progress(lambda _: None),
    )
    found = {method: Ranked.read(folder / CUT, method) for method in OURS}
    return {method: ranked for method, ranked in found.items() if ranked is not None}


@pytest.fixture(scope="module")
def shop() -> dict[str, list[Event]]:
    """Sixty customers, some of whom come only after the cut-off."""
    early, late = drawn(60, ARTICLES, AT - 130, AT + 30), drawn(8, ARTICLES, AT, AT + 30, seed=2)
    return {**early, **{f"late {name}": events for name, events in late.items()}}


def test_everything_is_handed_over_and_can_be_measured(shop: dict[str, list[Event]], tmp_path: Path) -> None:
    found = _run(shop, tmp_path)
    assert found.keys() == OURS
    question = Question.read(tmp_path / CUT, TEST)
    assert (question.at, Question.read(tmp_path / CUT, VALIDATION).at) == (AT, AT - 40)
    for ranked in found.values():
        for shown, seen in ((ranked.all, None), (ranked.new, question.seen)):
            assert shown.shape == (len(question.asked), 10)
            for row, own in enumerate(shown):
                codes = own[own >= 0].tolist()
                assert len(set(codes)) == len(codes)
                if seen is not None:
                    assert not set(codes) & set(
                        seen.article[seen.starts[row] : seen.starts[row + 1]].tolist()
                    )
    cut = judge(tmp_path / CUT, {})
    assert cut.cases["popular"] == 8
    assert cut.methods["ALL"].keys() == OURS
    assert all(0 < one.ndcg.value <= 1 for one in cut.methods["ALL"].values())


def test_what_happens_after_the_cut_off_changes_no_ranking(
    shop: dict[str, list[Event]], tmp_path: Path
) -> None:
    """The same customers buy something afterwards, so that the same are asked for, but nothing of it is the same."""
    random = np.random.default_rng(9)
    other = {
        name: [
            (day, article, units) if day < AT else (AT + int(random.integers(30)), number % 5, 1 + units)
            for number, (day, article, units) in enumerate(events)
        ]
        for name, events in shop.items()
    }
    other = {
        name: sorted({(day, article): (day, article, units) for day, article, units in events}.values())
        for name, events in other.items()
    }
    one, two = _run(shop, tmp_path / "one"), _run(other, tmp_path / "two", size=7)
    for method in OURS:
        assert np.array_equal(one[method].all, two[method].all), method
        assert np.array_equal(one[method].new, two[method].new), method


def test_nobody_bought_afterwards(shop: dict[str, list[Event]], tmp_path: Path) -> None:
    early = {name: [event for event in events if event[0] < AT] for name, events in shop.items()}
    with pytest.raises(ValueError, match="nobody who was known bought anything in the test window"):
        _run({name: events for name, events in early.items() if events}, tmp_path)
