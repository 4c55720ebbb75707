"""The specification's numbers are the code's."""

from __future__ import annotations

from pathlib import Path

from deploy.local import evaluate
from spark_jobs.recommendations.evaluation import asking, findings, judging, peers
from spark_jobs.recommendations.evaluation.plain_als import COURSE, PLAIN
from spark_jobs.recommendations.ranking.neighbours import NEIGHBOURS, SHRINK

ROOT = Path(__file__).parents[5]
TEXT = (ROOT / "spark_jobs/recommendations/evaluation/README.md").read_text(encoding="utf-8")


def test_cut_offs_and_goals() -> None:
    assert f"# cut-offs {', '.join(evaluate.CUTOFFS)}" in TEXT
    goals = [
        f"{split} {findings.WORDS[name]} above {findings.three(goal)}" for split, name, goal in findings.GOALS
    ]
    assert f"On cut-off {findings.GOAL_CUT}: {', '.join(goals)}." in " ".join(TEXT.split())


def test_limits_and_settings() -> None:
    assert f"of more than {asking.MOST_ASKED:,}" in TEXT
    assert f"{judging.DRAWS:,} bootstrap draws" in TEXT
    assert f"cosine of buyers, {NEIGHBOURS} neighbours, shrink {SHRINK:g} " in TEXT
    assert (
        f"rank {COURSE.rank}, {COURSE.iterations} rounds, regularisation {COURSE.regularisation:g} " in TEXT
    )
    plain = f"rank {PLAIN.rank}, {PLAIN.iterations} rounds, alpha {PLAIN.alpha:g}, "
    assert f"{plain}regularisation {PLAIN.regularisation:g} " in TEXT
    assert (len(peers.ALS), len(peers.BPR), peers.TRENDS) == (6, 3, (0.0, 0.5, 1.0))
    lock = (ROOT / "requirements/bench-peers.lock").read_text(encoding="utf-8")
    assert "implicit==0.7.2" in lock
    assert "`implicit` 0.7.2" in TEXT
