"""Goals are judged at their cut-off alone, and have to be exceeded."""

from __future__ import annotations

import json

import pytest

from spark_jobs.recommendations.evaluation import findings
from spark_jobs.recommendations.evaluation.findings import three, verdicts
from tests.unit.spark_jobs.recommendations.evaluation.found import cut


def test_all_goals_are_met() -> None:
    assert [one.met for one in verdicts([cut("2011-08-31", new=(0, 0)), cut()])] == [True] * 3


@pytest.mark.parametrize(
    ("new", "every", "missed"),
    [
        ((0.07, 0.123), (0.16, 0.38), "NEW NDCG@10 at 2011-10-10: .1230, goal above .123, 0.0000 short"),
        ((0.066, 0.13), (0.16, 0.38), "NEW recall@10 at 2011-10-10: .0660, goal above .067, 0.0010 short"),
        ((0.07, 0.13), (0.16, 0.3706), "ALL NDCG@10 at 2011-10-10: .3706, goal above .373, 0.0024 short"),
    ],
)
def test_a_goal_that_is_missed_says_by_how_much(
    new: tuple[float, float], every: tuple[float, float], missed: str
) -> None:
    assert [one.sentence for one in verdicts([cut(new=new, every=every)]) if not one.met] == [missed]


def test_no_goal_at_another_cut_off() -> None:
    assert verdicts([cut("2011-08-31", new=(0, 0))]) == []


def test_all_of_it_for_machines() -> None:
    document = json.loads(json.dumps(findings.as_json([cut()], verdicts([cut()]), {"took": {}})))
    assert document["cuts"][0]["methods"]["NEW"]["ours"]["ndcg"]["value"] == 0.13
    assert [goal["met"] for goal in document["goals"]] == [True] * 3


@pytest.mark.parametrize(
    ("value", "text"), [(0.3731, ".373"), (0.0, ".000"), (1.0, "1.000"), (-0.0042, "-.004")]
)
def test_three_decimals(value: float, text: str) -> None:
    assert three(value) == text
