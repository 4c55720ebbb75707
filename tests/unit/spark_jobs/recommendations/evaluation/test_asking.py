"""Who is asked for, and that nobody is shown what comes afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from spark_jobs.recommendations.evaluation import asking
from spark_jobs.recommendations.evaluation.asking import Asking, Before, PartOf
from spark_jobs.recommendations.ranking.histories import Histories
from spark_jobs.recommendations.ranking.learning import lot
from tests.unit.spark_jobs.recommendations.evaluation.small_shop import drawn, histories, in_blocks

AT, END = 100, 120
SHOP = {
    "back": [(90, 0, 1), (91, 1, 1), (110, 1, 1), (111, 2, 1)],
    "cancelled": [(90, 0, 1), (95, 0, -1), (101, 0, 2)],
    "gone": [(90, 2, 1)],
    "late": [(90, 2, 1), (120, 1, 1)],
    "newcomer": [(105, 0, 1)],
    "unknown article": [(90, 0, 1), (110, 3, 1)],
    "only gave back": [(90, 0, -1), (110, 0, 1)],
}
SOLD = np.array([True, True, True, False])


def _events(block: Histories) -> list[tuple[str, int]]:
    return [(block.customers[row], int(day)) for row, day in zip(block.row, block.day, strict=True)]


def test_who_is_asked_for_has_bought_before_and_buys_a_known_article_in_time() -> None:
    block = histories(SHOP)
    truth = Asking(AT, END, SOLD).truth(block)
    bought = {
        block.customers[row]: truth.article[truth.starts[row] : truth.starts[row + 1]].tolist()
        for row in Asking(AT, END, SOLD).rows(block)
    }
    assert bought == {"back": [1, 2], "cancelled": [0]}


def test_a_question_tells_purchases_before_the_day_and_what_is_not_new() -> None:
    block = histories(SHOP)
    question, truth = asking.question([PartOf(Asking(AT, END, SOLD))(block)], AT, 4)
    names = sorted(name for name in SHOP if name != "newcomer")
    assert [names[row] for row in question.asked] == ["back", "cancelled"]
    bought = {
        name: question.article[question.starts[row] : question.starts[row + 1]].tolist()
        for row, name in enumerate(names)
    }
    assert bought["back"] == [0, 1]
    assert bought["cancelled"] == []
    assert bought["only gave back"] == []
    assert question.seen.article.tolist() == [0, 1, 0]
    assert question.seen.starts.tolist() == [0, 2, 3]
    assert truth.article.tolist() == [1, 2, 0]
    assert question.day.max() < AT


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_a_question_is_the_same_in_whatever_blocks_the_customers_lie(size: int) -> None:
    whole = histories(drawn(50, 12, 50, 120))
    wanted = PartOf(Asking(AT, END, np.ones(12, np.bool_)))
    one, truth = asking.question([wanted(whole)], AT, 12)
    parts = list(in_blocks(whole, size).map(wanted))[::-1]
    other, other_truth = asking.question(parts, AT, 12)
    for name in ("starts", "article", "day", "asked"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert np.array_equal(one.seen.article, other.seen.article)
    assert np.array_equal(truth.article, other_truth.article)
    assert np.array_equal(truth.starts, other_truth.starts)


def test_nothing_from_the_day_on_is_seen() -> None:
    seen = list(Before(in_blocks(histories(SHOP), 2), AT).map(_events))
    found = {name for part in seen for name, _ in part}
    assert all(day < AT for part in seen for _, day in part)
    assert found == SHOP.keys() - {"newcomer"}


def test_of_many_customers_those_who_draw_low_lots_are_asked_for() -> None:
    whole = histories({f"c{number}": [(90, 0, 1), (110, 1, 1)] for number in range(400)})
    blocks, wanted = in_blocks(whole, 64), Asking(AT, END, np.ones(2, np.bool_))
    assert asking.bounded(blocks, wanted, 400) == wanted
    some = asking.bounded(blocks, wanted, 100)
    names = [name for part in blocks.map(PartOf(some)) for name in part.asked]
    assert sorted(names) == sorted(name for name in whole.customers if lot(name) < 0.25)
    assert 60 < len(names) < 140
