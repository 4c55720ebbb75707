"""What a record makes of an incident: the highest rank counts, whatever the order, and a message is due or not."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.codec import OrderRateAlarm
from services.alarm_notifier.incident import (
    Incident,
    Timing,
    apply,
    inherited,
    job_is_silent,
    reminded,
)
from services.alarm_notifier.message import State
from tests.alarms import a_heartbeat, an_alarm

NOW_MS = 1_322_000_900_000
TIMING = Timing(max_age_ms=900_000, group_wait_ms=500)
FIRES = an_alarm()
WORSE = an_alarm(minutes=11)
OVER = an_alarm(resolution="recovered", minutes=20)
AGAIN = an_alarm(minutes=25)


def after(*alarms: OrderRateAlarm, before: Incident | None = None) -> tuple[Incident, list[str]]:
    """The incident after these records, and the kinds of messages that became due."""
    incident = before or Incident(incident_id=FIRES.incident_id)
    kinds: list[str] = []
    for alarm in alarms:
        change = apply(incident, alarm, NOW_MS, TIMING)
        if change is not None:
            incident = change.incident
            kinds += [change.message.kind] if change.message is not None else []
    return incident, kinds


def told(incident: Incident, severity: str = "critical") -> Incident:
    return replace(incident, told=severity, told_opening=incident.opening)


def test_a_new_incident_is_told_once() -> None:
    incident, kinds = after(FIRES, FIRES, FIRES)
    assert (kinds, incident.firing, incident.opening, incident.version) == (["firing"], True, 1, 1)


def test_an_end_is_told_and_an_incident_that_fires_again_is_opened_anew() -> None:
    incident, kinds = after(FIRES, OVER, AGAIN)
    assert kinds == ["firing", "resolved", "firing"]
    assert incident.opening == 2
    assert told(after(FIRES)[0]).told_in(2) == ""


def test_only_what_grew_worse_is_told_again() -> None:
    mild = an_alarm(severity="warning")
    assert after(mild, an_alarm(severity="warning", minutes=11))[1] == ["firing"]
    assert after(mild, WORSE)[1] == ["firing", "firing"]
    assert after(WORSE, an_alarm(severity="warning", minutes=12))[1] == ["firing"]


def test_an_info_is_stored_and_told_to_nobody_not_even_its_end() -> None:
    incident, kinds = after(an_alarm(severity="info"), OVER)
    assert (kinds, incident.list) == ([], "resolved")


def test_an_info_that_grows_to_a_warning_is_told() -> None:
    assert after(an_alarm(severity="info"), an_alarm(severity="warning", minutes=11))[1] == ["firing"]


@pytest.mark.parametrize(("age_ms", "state"), [(900_000, State.PENDING), (900_001, State.DROPPED)])
def test_what_was_detected_too_late_is_stored_and_not_told(age_ms: int, state: State) -> None:
    change = apply(Incident(incident_id="x"), an_alarm(age_ms=age_ms), NOW_MS, TIMING)
    assert change is not None
    assert change.message is not None
    assert (change.message.state, change.incident.firing) == (state, True)
    assert change.message.outcome == ("" if state is State.PENDING else "too_old")


def test_a_country_waits_longer_than_the_whole_world() -> None:
    dues = []
    for key in ("total", "country:Spain"):
        change = apply(Incident(incident_id="x"), an_alarm(key), NOW_MS, TIMING)
        assert change is not None
        assert change.message is not None
        dues.append(change.message.due_ms - NOW_MS)
    assert dues == [500, 1000]


def test_a_correction_follows_an_end() -> None:
    never_was = an_alarm(resolution="withdrawn", minutes=20)
    assert after(FIRES, never_was)[1] == ["firing", "withdrawn"]
    assert after(FIRES, OVER, never_was)[1] == ["firing", "resolved", "withdrawn"]
    assert after(FIRES, OVER, an_alarm(resolution="recovered", minutes=21))[1] == ["firing", "resolved"]


def test_an_end_without_a_beginning_is_told_to_nobody() -> None:
    incident, kinds = after(OVER, FIRES)
    assert (kinds, incident.list) == ([], "resolved")


def test_a_successor_inherits_what_was_told_and_nothing_else() -> None:
    merged = an_alarm(resolution="merged", minutes=20, merged_into="c" * 32)
    untold = apply(after(FIRES)[0], merged, NOW_MS, TIMING)
    assert untold is not None
    assert untold.successor is None
    change = apply(told(after(FIRES)[0]), merged, NOW_MS, TIMING)
    assert change is not None
    assert (change.successor, change.message and change.message.kind) == ("c" * 32, "merged")
    heir = inherited(Incident(incident_id="c" * 32), "critical", NOW_MS)
    assert heir is not None
    assert (heir.told_in(1), heir.version, heir.list) == ("critical", 1, "")
    assert inherited(heir, "warning", NOW_MS) is None
    opened, _ = after(FIRES, before=heir)
    assert opened.told_in(opened.opening) == "critical"


def test_taking_it_on_ends_with_the_opening() -> None:
    taken = replace(after(FIRES)[0], acknowledged_by="anna")
    assert after(WORSE, before=taken)[0].acknowledged_by == "anna"
    assert after(OVER, AGAIN, before=taken)[0].acknowledged_by == ""


def test_a_reminder_is_a_message_of_the_same_opening() -> None:
    change = reminded(told(after(FIRES)[0]), NOW_MS)
    assert change.message is not None
    assert (change.message.kind, change.message.opening, change.message.message_id[-5:]) == (
        "reminder",
        1,
        "00002",
    )
    assert change.incident.told_at_ms == NOW_MS


def test_a_job_that_falls_silent_is_an_incident_until_its_next_sign_of_life() -> None:
    beat = a_heartbeat(NOW_MS)
    alive, kinds = after(beat)
    assert (kinds, alive.list) == ([], "heartbeat")
    silent = job_is_silent(alive, NOW_MS + 60_000)
    assert (silent.incident.list, silent.message and silent.message.severity) == ("firing", "critical")
    assert silent.incident.record is not None
    assert silent.incident.record.started_at == beat.window_end
    late, kinds = after(a_heartbeat(NOW_MS + 30_000), before=silent.incident)
    assert (late.list, kinds) == ("firing", [])  # it was sent before the silence was noticed
    back, kinds = after(a_heartbeat(NOW_MS + 70_000), before=silent.incident)
    assert (back.list, kinds) == ("heartbeat", ["resolved"])


def test_signs_of_life_alone_are_told_to_nobody() -> None:
    assert after(*(a_heartbeat(NOW_MS + at * 10_000) for at in range(5)))[1] == []


RECORDS = [FIRES, WORSE, OVER, AGAIN, an_alarm(resolution="withdrawn", minutes=25)]


def test_every_order_of_arrival_ends_in_the_same_record() -> None:
    for order in itertools.permutations(RECORDS):
        assert after(*order)[0].record == RECORDS[-1]


@given(st.lists(st.sampled_from(RECORDS), max_size=12))
def test_a_repeat_changes_nothing_whenever_it_comes(arrived: list[OrderRateAlarm]) -> None:
    incident, _ = after(*arrived)
    assert after(*arrived, before=incident) == (incident, [])
