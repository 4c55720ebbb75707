"""The log bench's verdicts: what is compared with what, and what counts as a goal met."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.logs.table import Result, Right, Round, Samples, Scope, goals, markdown, row

SAMPLES = Samples(10_000, 30)
ALL = Right(10_000, 30)
LOOP = Result("ours, loop", Scope.LOOP, [Round(500_000, 2.0, 2.0, 30.0)], ALL, peer=False)
PROCESS = Result("ours, command", Scope.PROCESS, [Round(500_000, 4.0, 3.0, 40.0)], ALL, peer=False)
OURS = {Scope.LOOP: LOOP, Scope.PROCESS: PROCESS}
PEER = Result("peer", Scope.PROCESS, [Round(100_000, 2.0, 1.2, 10.0)], Right(9_000, 20), peer=True)


def _missed(*peers: Result, loop: Result = LOOP, process: Result = PROCESS) -> list[str]:
    judged = goals({Scope.LOOP: loop, Scope.PROCESS: process}, peers, SAMPLES)
    return [goal.title for goal in judged if not goal.met]


def test_all_goals_are_met_where_ours_is_faster_and_right_more_often() -> None:
    assert _missed(PEER) == []


def test_a_peer_is_compared_with_what_was_measured_in_the_same_way() -> None:
    between = replace(
        PEER, rounds=[Round(500_000, 4.0, 2.5, 10.0)]
    )  # slower than the loop, faster than the command
    assert _missed(between) == ["fewer CPU seconds a line than peer"]
    assert _missed(replace(between, scope=Scope.LOOP)) == []


def test_the_median_of_the_rounds_counts() -> None:
    one_bad = [Round(500_000, 2.0, 2.0, 30.0), Round(500_000, 2.0, 2.2, 30.0), Round(500_000, 9.0, 9.0, 30.0)]
    assert replace(LOOP, rounds=one_bad).cpu_s_per_million == pytest.approx(4.4)


def test_fewer_lines_a_cpu_second_than_promised_is_a_miss() -> None:
    slow = replace(LOOP, rounds=[Round(500_000, 3.4, 3.4, 30.0)])
    assert len(_missed(loop=slow)) == 1


@pytest.mark.parametrize(
    ("mine", "other", "met"),
    [
        (ALL, ALL, True),
        (Right(9_999, 30), Right(9_998, 30), True),
        (Right(9_999, 30), Right(9_999, 30), False),
        (Right(9_999, 30), Right(10_000, 29), False),
        (None, Right(1, 0), False),
    ],
)
def test_ours_is_right_on_more_lines_or_on_all(mine: Right | None, other: Right, met: bool) -> None:
    missed = _missed(replace(PEER, right=other), process=replace(PROCESS, right=mine))
    assert missed == ([] if met else ["right on more lines than peer, or on all"])


def test_a_count_is_not_shown_as_if_somebody_had_looked() -> None:
    counted = replace(PEER, right=Right(10_000, 29, counted=True))
    assert row(counted, OURS, SAMPLES)["right of 10,000"] == "10,000 (counted)"
    judged = goals(OURS, [counted], SAMPLES)
    assert any("peer takes 10,029" in goal.found for goal in judged)


def test_the_table_names_everybody_every_goal_and_who_is_absent() -> None:
    judged = goals(OURS, [PEER], SAMPLES)
    text = markdown([LOOP, PROCESS, PEER], OURS, judged, {"absent one": "because"}, SAMPLES)
    assert [f"| {name} |" in text for name in ("ours, loop", "ours, command", "peer")] == [True] * 3
    assert "- not measured: absent one: because" in text
    assert text.count("- pass:") == len(judged)
    assert "2.0" in text.splitlines()[4]  # the peer's CPU beside the command's
