"""What others would use ranks as it says."""

from __future__ import annotations

from spark_jobs.recommendations.ranking.baselines import NAMES, baselines
from spark_jobs.recommendations.ranking.histories import InProcess
from tests.unit.spark_jobs.recommendations.ranking.made_histories import histories

BLOCK = histories(
    {
        "a": [(0, 10, 0), (3, 20, 1), (3, 30, 2)],
        "b": [(0, 10, 0), (1, 10, 0)],
        "c": [(0, 10, 0), (1, 10, 0)],
        "d": [(2, 95, 0), (4, 300, 1)],
    }
)


def test_each_one_by_its_rule() -> None:
    found = baselines(InProcess([BLOCK]), 100, 5)
    assert tuple(found) == NAMES
    ranked = {name: one.rank(BLOCK, 3, new=False).tolist() for name, one in found.items()}
    assert ranked["popularity_all"] == [[0, 1, 2]] * 4
    assert ranked["popularity_30d"] == [[2, 0, 1]] * 4
    assert ranked["own_history"][:2] == [[3, 0, 2], [0, 1, 2]]
    assert ranked["item_knn"][0] == [1, 0, 3]


def test_new_leaves_out_what_was_bought_before() -> None:
    found = baselines(InProcess([BLOCK]), 100, 5)
    assert found["popularity_all"].rank(BLOCK, 3, new=True)[0].tolist() == [1, 2, -1]
    assert found["own_history"].rank(BLOCK, 3, new=True)[1].tolist() == [2, 3, -1]
    assert found["item_knn"].rank(BLOCK, 2, new=True)[0].tolist() == [1, 2]
