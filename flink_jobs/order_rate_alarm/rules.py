"""What the alarm is to watch for: every number of the rules, with its unit, its default and its limits.

A value comes as text from a Flink property group; the table in README.md is made from here and checked by a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


class WrongRules(ValueError):
    """The rules cannot be used; the message names every problem, and nothing was taken over."""


def _rule(default: float, low: float, high: float, meaning: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "meaning": meaning})


@dataclass(frozen=True, slots=True)
class Rules:
    """Every number that the detector goes by; the field's metadata say what it means and what is allowed."""

    threshold_count: int = _rule(
        10,
        0,
        1_000_000,
        "Orders in `threshold_window_s`, worldwide, at which the rule `threshold` fires; 0: off.",
    )
    threshold_window_s: int = _rule(
        10, 1, 60, "Length in seconds of the window of the rule `threshold`; one ends at every whole second."
    )
    window_s: int = _rule(600, 60, 3600, "Length in seconds of the window of the rule `learned`.")
    step_s: int = _rule(
        60, 60, 600, "Seconds between the ends of two such windows; `window_s` is a multiple."
    )
    drop_window_s: int = _rule(
        3600,
        0,
        14_400,
        "Length in seconds of a second, longer window, in which only drops are looked for; 0: off.",
    )
    drop_step_s: int = _rule(
        300, 60, 3600, "Seconds between the ends of two of those; `drop_window_s` is a multiple."
    )
    surge_window_s: int = _rule(
        1800,
        0,
        3600,
        "Length in seconds of a second, longer window, in which only surges of the total are looked for; 0: off.",
    )
    surge_probability: float = _rule(
        1.2e-4,
        0,
        0.1,
        "A window is a surge if the baseline gives a count this high at most this probability; 0: off.",
    )
    surge_window_probability: float = _rule(1e-3, 0, 0.1, "The same of the longer window of surges; 0: off.")
    drop_probability: float = _rule(
        1e-3,
        0,
        0.1,
        "A window is a drop if the baseline gives a count this low at most this probability; 0: off.",
    )
    silence_probability: float = _rule(
        3e-4,
        0,
        0.1,
        "It is silent if the baseline gives no order for so long at most this probability; 0: off.",
    )
    country_min_expected: float = _rule(
        3.0, 0, 1e6, "Orders that a country's window has to expect before the rule `learned` judges it."
    )
    country_share: float = _rule(
        0.1, 0, 1, "A country's window is unusual at this share of the probabilities of the rule `learned`."
    )
    grace_s: int = _rule(
        30,
        0,
        3600,
        "Seconds of stream time past the end of a window before all that waits for its end is judged.",
    )
    resolve_s: int = _rule(
        900, 0, 86_400, "Seconds of usual rate, in event time, after which an incident is resolved."
    )
    gap_s: int = _rule(
        1800, 0, 86_400, "A detection less than this after an incident was resolved joins it, in event time."
    )
    behind_s: int = _rule(
        120,
        1,
        86_400,
        "A record that was taken in longer ago than this shows that the stream is read from behind.",
    )
    behind_hold_s: int = _rule(
        30,
        1,
        3600,
        "Seconds without such a record after which drops, silences and recoveries are judged again.",
    )
    retention_s: int = _rule(
        21_600, 3600, 604_800, "Seconds of stream time that orders, windows and incidents are kept."
    )
    untouched_s: int = _rule(
        600,
        0,
        86_400,
        "What is older than that goes only once it was not touched for so long on the job's clock.",
    )
    future_limit_s: int = _rule(
        86_400,
        0,
        604_800,
        "An order dated further ahead of the job's clock is not counted; a nearer one waits.",
    )
    tick_limit_s: int = _rule(
        60, 1, 3600, "Between two calls the job's clock counts for at most this: a jump of it is no silence."
    )
    critical_probability: float = _rule(
        1e-6, 0, 1, "At most this probability, and the money below: `critical`."
    )
    critical_value: float = _rule(
        2000.0, 0, 1e12, "Money at stake, in the baseline's currency, for `critical`."
    )
    warning_value: float = _rule(
        500.0, 0, 1e12, "Money at stake at which an incident is at least a `warning`."
    )

    def __post_init__(self) -> None:
        problems = [text for each in fields(self) for text in _problems(each, getattr(self, each.name))]
        for window, step in (("window_s", "step_s"), ("drop_window_s", "drop_step_s")):
            if not problems and getattr(self, window) % getattr(self, step):
                problems.append(f"{window} is not a multiple of {step}")
            if not problems and getattr(self, step) % 60:
                problems.append(f"{step} is not a multiple of 60")
        if not problems and self.surge_window_s % 60:
            problems.append("surge_window_s is not a multiple of 60")
        if not problems and 0 < self.surge_window_s <= self.window_s:
            problems.append("surge_window_s is not longer than window_s")
        if problems:
            raise WrongRules("; ".join(problems))

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> Rules:
        """Read the rules from texts by the names of the fields; what is absent has its default.

        Raises:
            WrongRules: a name is unknown, or a value is no number or out of its range; all problems are named.
        """
        known = {each.name: each for each in fields(cls)}
        values: dict[str, Any] = {}
        problems = [f"{name} is no rule" for name in properties if name not in known]
        for name, each in known.items():
            if name not in properties:
                continue
            try:
                values[name] = int(properties[name]) if each.type == "int" else float(properties[name])
            except ValueError:
                problems.append(f"{name} is no {'whole number' if each.type == 'int' else 'number'}")
        if problems:
            raise WrongRules("; ".join(problems))
        return cls(**values)


def _problems(each: Any, value: float) -> list[str]:
    low, high = each.metadata["low"], each.metadata["high"]
    return [] if low <= value <= high else [f"{each.name} is {value:g}, not {low:g} to {high:g}"]


def table() -> str:
    """The rules as a Markdown table, for README.md."""
    rows = ["| rule | type, range | default | meaning |", "| --- | --- | --- | --- |"]
    for each in fields(Rules):
        low, high = each.metadata["low"], each.metadata["high"]
        allowed, meaning = f"{each.type}, {low:.12g} to {high:.12g}", each.metadata["meaning"]
        rows.append(f"| `{each.name}` | {allowed} | `{each.default:.12g}` | {meaning} |")
    return "\n".join(rows) + "\n"
