"""The bench's verdicts: what counts as a goal met, and what a figure that never came looks like."""

from __future__ import annotations

from dataclasses import replace

from bench.consumer.ledger import Difference
from bench.consumer.scenarios import Failover, Loss, Reading, Split, Stall
from bench.consumer.table import Result, goals, markdown, ratios, row

NOTHING = Difference(sent=10, lost=0, twice=0, unknown=0)


def _failover(
    handoff_s: float | None, takeover_s: float | None, difference: Difference = NOTHING
) -> Failover:
    return Failover(Loss("a", handoff_s, 0, twice=1), Loss("b", takeover_s, 0, twice=2), difference)


OURS = Result(
    "ours",
    Reading(1000.0, 20.0, 100.0, NOTHING),
    [_failover(0.5, 11.0), _failover(0.9, 9.0, replace(NOTHING, twice=3))],
    Split(1.5, 1.0, NOTHING),
    Stall(35.0, 60.0, NOTHING),
)
PEER = replace(OURS, name="peer", failovers=[_failover(None, 22.0, replace(NOTHING, lost=4))])


def _missed(result: Result) -> list[str]:
    return [goal.title for goal in goals(result, lease_time_s=10, max_open_bytes=64_000_000) if not goal.met]


def test_all_goals_are_met_by_figures_within_their_bounds() -> None:
    assert _missed(OURS) == []


def test_the_slowest_round_is_what_counts() -> None:
    assert (OURS.handoff_s, OURS.takeover_s, OURS.twice) == (0.9, 11.0, 3)
    late = replace(OURS, failovers=[*OURS.failovers, _failover(1.2, 12.1)])
    assert len(_missed(late)) == 2


def test_what_never_came_is_a_miss_and_no_figure() -> None:
    assert PEER.handoff_s is None
    assert len(_missed(PEER)) == 3  # lost, take-over, hand-off
    assert row(PEER)["hand-off on SIGTERM, s"] is None


def test_repeats_are_told_by_their_cause() -> None:
    found = row(OURS)
    assert (found["of these, by the hand-off"], found["of these, by kill -9"]) == (2, 4)


def test_a_record_lost_by_a_stalled_sink_is_a_miss() -> None:
    assert len(_missed(replace(OURS, stall=Stall(35.0, 70.0, replace(NOTHING, lost=1))))) == 2


def test_ratios_leave_out_what_has_no_figure() -> None:
    found = ratios(OURS, PEER)
    assert found["take-over after kill -9, s"] == 2.0
    assert found["hand-off on SIGTERM, s"] is None


def test_the_table_names_everybody_every_goal_and_who_is_absent() -> None:
    judged = goals(OURS, 10, 64_000_000)
    text = markdown([OURS, PEER], judged, {"absent one": "not measured: because"})
    assert "| | ours | peer |" in text
    assert "never" in text
    assert "absent one: not measured: because" in text
    assert text.count("- pass:") == len(judged)
