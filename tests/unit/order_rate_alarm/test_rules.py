"""The rules as they come from a property group, and their table in the README."""

from pathlib import Path

import pytest

import flink_jobs.order_rate_alarm as package
from flink_jobs.order_rate_alarm.rules import Rules, WrongRules, table


def test_texts_become_numbers_and_the_rest_keeps_its_default() -> None:
    rules = Rules.from_properties({"threshold_count": "25", "surge_probability": "1e-5"})
    assert (rules.threshold_count, rules.surge_probability) == (25, 1e-5)
    assert rules.window_s == Rules().window_s


def test_every_problem_is_named() -> None:
    with pytest.raises(
        WrongRules, match=r"colour is no rule; .*threshold_count is no whole number; .*gap_s is no"
    ):
        Rules.from_properties({"threshold_count": "many", "colour": "red", "gap_s": "1.5"})
    with pytest.raises(WrongRules, match=r"window_s is 1, not 60 to 3600; .*country_min_expected is nan"):
        Rules.from_properties({"window_s": "1", "country_min_expected": "nan"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"window_s": 630},
        {"step_s": 90, "window_s": 900},
        {"drop_window_s": 500},
        {"surge_window_s": 1810},
        {"surge_window_s": 600},
    ],
)
def test_windows_are_made_of_whole_steps_of_whole_minutes(wrong: dict[str, int]) -> None:
    with pytest.raises(WrongRules):
        Rules.from_properties({name: str(value) for name, value in wrong.items()})


def test_the_table_in_the_readme_is_the_rules() -> None:
    assert package.__file__ is not None
    readme = (Path(package.__file__).parent / "README.md").read_text(encoding="utf-8")
    assert table() in readme
