"""What becomes of messages that are due: in turn, inhibited, silenced, told once, together, within the phones' cap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from services.alarm_notifier.incident import Incident, Timing, apply, reminded
from services.alarm_notifier.ledger import HOUR_MS, Ledger
from services.alarm_notifier.message import Message, State
from services.alarm_notifier.silence import Silence
from services.alarm_notifier.stages import MAX_GROUP, Drop, Hold, Situation, Tell, capped, decide
from services.alarm_notifier.watch import Patience, digest, reminders_due, silent_job
from tests.alarms import a_heartbeat, an_alarm

NOW_MS = 1_322_000_900_000


class World:
    """Incidents as they are and the open messages about them."""

    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        self.messages: list[Message] = []
        self.silences: list[Silence] = []

    def happens(self, key: str = "total", *, told: str = "", **fields: Any) -> Incident:
        """A record comes in; its message joins the open ones."""
        alarm = an_alarm(key, **fields)
        before = self.incidents.get(alarm.incident_id) or Incident(incident_id=alarm.incident_id)
        change = apply(before, alarm, NOW_MS, Timing(900_000, 0))
        assert change is not None
        incident = change.incident
        if told:
            incident = replace(incident, told=told, told_opening=incident.opening)
        self.incidents[alarm.incident_id] = incident
        if change.message is not None and not told:
            self.messages.append(change.message)
        return incident

    def silence(self, **matchers: str) -> None:
        matched = {"rule": None, "key": None, "direction": None, **matchers}
        times = {"created_at_ms": NOW_MS - 1, "ends_at_ms": NOW_MS + 1}
        self.silences.append(
            Silence(silence_id="s", reason="sale", created_by="anna", **matched, **times)  # type: ignore[arg-type]
        )

    def decided(self, in_flight: Sequence[str] = (), now_ms: int = NOW_MS) -> list[Drop | Hold | Tell]:
        firing = [one for one in self.incidents.values() if one.firing]
        situation = Situation(now_ms, self.incidents, firing, self.silences, frozenset(in_flight))
        return decide(self.messages, situation)


def only(decisions: Sequence[Drop | Hold | Tell]) -> Any:
    (decision,) = decisions
    return decision


def test_severity_decides_who_is_told() -> None:
    for severity, channels in (("warning", ("webhook", "mail")), ("critical", ("webhook", "mail", "sms"))):
        world = World()
        world.happens(severity=severity)
        assert only(world.decided()).channels == channels


def test_what_is_not_due_waits() -> None:
    world = World()
    world.happens()
    assert world.decided(now_ms=NOW_MS - 1) == []


def test_an_end_never_overtakes_its_beginning() -> None:
    world = World()
    world.happens()
    world.happens(resolution="recovered", minutes=20)
    assert [one.message_id[-5:] for one in only(world.decided()).messages] == ["00001"]
    first = world.messages[0].message_id
    assert world.decided(in_flight=[first]) == []


def test_what_is_of_one_kind_and_direction_goes_out_together_the_most_urgent_first() -> None:
    world = World()
    world.happens("country:Spain", severity="warning")
    world.happens("country:France", severity="critical")
    world.happens("country:Italy", direction="drop", severity="warning")
    surges, drops = sorted(
        (one for one in world.decided() if isinstance(one, Tell)), key=lambda one: -len(one.messages)
    )
    keys = [one.record.key for one in surges.messages if one.record]
    assert (keys, surges.channels) == (["country:France", "country:Spain"], ("webhook", "mail", "sms"))
    assert drops.channels == ("webhook", "mail")


def test_what_only_waits_for_others_goes_with_the_first_of_them() -> None:
    world = World()
    world.happens("country:Spain")
    world.happens("country:France")
    world.happens("country:Italy", direction="drop")
    world.messages[1:] = [replace(one, due_ms=NOW_MS + 300) for one in world.messages[1:]]
    assert len(only(world.decided()).messages) == 2
    world.messages[1] = replace(world.messages[1], failures=1)
    assert len(only(world.decided()).messages) == 1


def test_a_group_has_a_bound() -> None:
    world = World()
    for number in range(MAX_GROUP + 1):
        world.happens(f"country:{number}")
    assert [len(one.messages) for one in world.decided() if isinstance(one, Tell)] == [MAX_GROUP, 1]


def test_a_country_is_held_under_a_worldwide_incident_of_its_direction() -> None:
    world = World()
    worldwide = world.happens(told="critical")
    world.happens("country:Spain")
    assert only(world.decided())[1] == f"inhibited:{worldwide.incident_id}"
    world.happens("country:France", direction="drop")
    assert any(isinstance(one, Tell) for one in world.decided())


def test_a_worldwide_silence_speaks_for_every_drop() -> None:
    world = World()
    world.happens(direction="silence", rule="silence", told="critical")
    world.happens("country:Spain", direction="drop")
    world.happens("country:France", direction="surge")
    held, told = sorted(world.decided(), key=lambda one: isinstance(one, Tell))
    assert isinstance(held, Hold)
    assert isinstance(told, Tell)


def test_neither_an_info_nor_a_silent_job_holds_a_country_back() -> None:
    world = World()
    world.happens(severity="info")
    world.happens(rule="heartbeat", direction="silence", told="critical")
    world.happens("country:Spain")
    world.happens("country:Spain", direction="silence")
    assert all(isinstance(one, Tell) for one in world.decided())


def test_a_country_that_outlasts_the_worldwide_incident_is_told_then() -> None:
    world = World()
    world.happens(told="critical")
    world.happens("country:Spain")
    world.happens(resolution="recovered", minutes=20, told="critical")
    assert isinstance(only(world.decided()), Tell)


def test_what_ended_while_it_was_held_is_told_to_nobody() -> None:
    world = World()
    world.silence(key="country:Spain")
    world.happens("country:Spain")
    assert only(world.decided()) == Hold(world.messages[0], "silenced:s")
    world.happens("country:Spain", resolution="recovered", minutes=20)
    assert only(world.decided()) == Drop(world.messages[0], "silenced:s")
    del world.messages[0]
    assert only(world.decided()) == Drop(world.messages[0], "never_told")


def test_who_was_told_that_it_began_is_told_that_it_is_over_through_any_silence() -> None:
    world = World()
    world.happens(told="critical")
    world.silence(rule="learned")
    world.happens(resolution="recovered", minutes=20)
    assert only(world.decided()).channels == ("webhook", "mail", "sms")


def test_an_end_goes_to_those_who_were_told_of_the_beginning() -> None:
    world = World()
    world.happens(told="warning")
    world.happens(resolution="withdrawn", minutes=20)
    assert only(world.decided()).channels == ("webhook", "mail")


def test_a_silence_matches_by_each_of_its_words() -> None:
    for matchers, matches in (
        ({"rule": "learned"}, True),
        ({"key": "total", "direction": "surge"}, True),
        ({"key": "total", "direction": "drop"}, False),
        ({"rule": "threshold"}, False),
    ):
        world = World()
        world.silence(**matchers)
        world.happens()
        assert isinstance(only(world.decided()), Hold if matches else Tell)


def test_a_silence_that_is_over_or_was_ended_silences_nothing() -> None:
    for over in ({"ends_at_ms": NOW_MS}, {"expired_at_ms": NOW_MS}):
        world = World()
        world.silence(rule="learned")
        world.silences = [replace(world.silences[0], **over)]
        world.happens()
        assert isinstance(only(world.decided()), Tell)


def test_a_merged_incident_goes_on_without_a_phone_ringing_again() -> None:
    world = World()
    world.happens(told="critical")
    world.happens(started_ms=1_321_999_000_000, minutes=40)  # the same, with an earlier start: its new name
    told = only(world.decided())
    assert told.channels == ("webhook", "mail")
    assert (told.messages[0].quiet, told.messages[0].told) == (True, "critical")


def test_programs_are_told_that_an_incident_has_another_name() -> None:
    world = World()
    world.happens(told="critical")
    world.happens(resolution="merged", minutes=20, merged_into="c" * 32)
    assert only(world.decided()).channels == ("webhook",)


def test_the_beginning_of_a_merged_incident_is_told_by_its_successor() -> None:
    world = World()
    world.happens()
    world.happens(resolution="merged", minutes=20, merged_into="c" * 32)
    assert only(world.decided()) == Drop(world.messages[0], f"merged:{'c' * 32}")


def test_what_never_was_before_anybody_heard_of_it_is_told_to_nobody() -> None:
    world = World()
    world.happens()
    world.happens(resolution="withdrawn", minutes=20)
    assert only(world.decided()) == Drop(world.messages[0], "withdrawn")
    del world.messages[0]
    assert only(world.decided()) == Drop(world.messages[0], "never_told")


def test_a_reminder_is_told_only_while_nobody_took_it_on() -> None:
    for change, expected in (
        ({}, Tell),
        ({"acknowledged_by": "anna"}, Drop),
        ({"told": ""}, Tell),
    ):
        world = World()
        incident = replace(world.happens(told="critical"), **change)
        world.incidents[incident.incident_id] = incident
        message = reminded(incident, NOW_MS).message
        assert message is not None
        world.messages = [message]
        assert isinstance(only(world.decided()), expected), change


def test_what_was_decided_goes_the_way_that_was_decided() -> None:
    world = World()
    for key in ("country:Spain", "country:France"):
        world.happens(key)
    (told,) = world.decided()
    assert isinstance(told, Tell)
    claimed = [one.claimed(told.group, told.channels) for one in told.messages]
    world.silence(rule="learned")
    for messages in (claimed, [one.failed("Unavailable", NOW_MS) for one in claimed]):
        world.messages = messages
        again = only(world.decided())
        assert ([one.message_id for one in again.messages], again.channels) == (
            [one.message_id for one in told.messages],
            told.channels,
        )
        assert again.group == told.group


# The phones' cap

EMPTY = Ledger(cap=2, digest_every_ms=600_000)


def a_tell(key: str = "total") -> Tell:
    world = World()
    world.happens(key)
    told: Tell = only(world.decided())
    return told


def test_past_the_cap_phones_are_left_out_and_the_others_told() -> None:
    ledger = EMPTY
    for _ in range(2):
        told, ledger = capped(a_tell(), ledger, NOW_MS)
        assert "sms" in told.channels
    told, ledger = capped(a_tell("country:Spain"), ledger, NOW_MS)
    assert told.channels == ("webhook", "mail")
    assert [one.key for one in ledger.waiting] == ["country:Spain"]
    told, _ = capped(a_tell(), ledger, NOW_MS + HOUR_MS)
    assert "sms" in told.channels


def test_in_no_hour_more_than_the_cap() -> None:
    ledger, rang = EMPTY, []
    for at in range(0, 3 * HOUR_MS, 7 * 60_000):
        told, ledger = capped(a_tell(), ledger, at)
        rang += [at] if "sms" in told.channels else []
    assert all(sum(at - HOUR_MS < one <= at for one in rang) <= 2 for at in rang)
    assert len(rang) == 6


def test_an_attempt_is_not_counted_twice() -> None:
    told, ledger = capped(a_tell(), EMPTY, NOW_MS)
    again = Tell(tuple(one.claimed(told.group, told.channels) for one in told.messages), told.channels)
    assert capped(again, ledger, NOW_MS) == (again, ledger)


def test_a_digest_says_how_many_and_how_bad_and_is_not_capped_itself() -> None:
    ledger = EMPTY.overflowed((), NOW_MS)
    for key in ("country:Spain", "country:France", "country:Spain"):
        ledger = capped(a_tell(key), replace(ledger, cap=0), NOW_MS)[1]
    assert not ledger.digest_due(NOW_MS + 599_999)
    assert ledger.digest_due(NOW_MS + 600_000)
    message, after = digest(ledger, NOW_MS + 600_000)
    assert message.note == "DIGEST: 3 more messages (3 critical) not sent to phones: Spain, France"
    assert (after.waiting, after.digests, after.digest_due(NOW_MS * 2)) == ((), 1, False)
    situation = Situation(NOW_MS + 600_000, {})
    told = only(decide([message], situation))
    assert told.channels == ("sms",)
    assert capped(told, replace(after, cap=0), NOW_MS)[0] == told


def test_a_digest_names_at_most_50_and_counts_all() -> None:
    ledger = replace(EMPTY, cap=0)
    for number in range(60):
        ledger = capped(a_tell(f"country:{number}"), ledger, NOW_MS)[1]
    assert digest(ledger, NOW_MS)[0].note.startswith("DIGEST: 60 more messages (50 critical)")


# The watch

PATIENCE = Patience(reminder_ms=3_600_000, deadman_ms=60_000)


def test_a_reminder_is_due_for_what_was_told_long_ago_and_nobody_took_on() -> None:
    told = replace(World().happens(told="critical"), told_at_ms=NOW_MS)
    assert reminders_due([told], NOW_MS + 3_599_999, PATIENCE) == []
    assert reminders_due([told], NOW_MS + 3_600_000, PATIENCE) == [told]
    for not_yet in (replace(told, acknowledged_by="anna"), replace(told, told="")):
        assert reminders_due([not_yet], NOW_MS * 2, PATIENCE) == []


def test_a_job_is_silent_once_no_sign_of_life_came_while_we_watched() -> None:
    def alive(at_ms: int) -> Incident:
        return Incident(incident_id=str(at_ms), record=a_heartbeat(at_ms), seen_at_ms=at_ms)

    assert silent_job([], NOW_MS, 0, PATIENCE) is None
    assert silent_job([alive(NOW_MS)], NOW_MS + 59_999, 0, PATIENCE) is None
    assert silent_job([alive(NOW_MS)], NOW_MS + 60_000, 0, PATIENCE) == alive(NOW_MS)
    assert silent_job([alive(NOW_MS)], NOW_MS + 60_000, NOW_MS + 1, PATIENCE) is None
    assert silent_job([alive(NOW_MS), alive(NOW_MS + 30_000)], NOW_MS + 60_000, 0, PATIENCE) is None


def test_states_are_told_apart() -> None:
    world = World()
    world.happens()
    message = world.messages[0]
    claimed = message.claimed(message.message_id, ("mail",))
    assert (claimed.attempt, claimed.failed("x", 5).due_ms, claimed.failed("x", 5).open) == (1, 5, True)
    assert not claimed.sent("id", 1).open
    assert message.dropped("x").state is State.DROPPED
