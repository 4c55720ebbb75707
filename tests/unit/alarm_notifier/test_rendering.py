"""What messages say: an SMS is one part whatever the names are, a subject is SNS's, a document is complete."""

from __future__ import annotations

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import OrderRateAlarm
from services.alarm_notifier import gsm7
from services.alarm_notifier.incident import Incident, Timing, apply, job_is_silent
from services.alarm_notifier.message import Message
from services.alarm_notifier.rendering import render, short_id, sms_text
from services.alarm_notifier.stages import Tell
from services.kernel.adapters.sns import checked_message
from tests.alarms import a_heartbeat, an_alarm

CONSOLE = "https://console.shop.example"
LONGEST_CONSOLE = "https://" + "c" * 40
PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=64)
NUMBERS = st.one_of(st.none(), st.floats(0, 1e300), st.integers(0, 10**6).map(float))


def told(alarm: OrderRateAlarm, kind: str = "firing", **fields: object) -> Message:
    """A claimed message of a kind about a record."""
    values = {"incident_id": alarm.incident_id, "message_id": f"{alarm.incident_id}-00001", "attempt": 1}
    return Message(**{**values, "kind": kind, "record": alarm, "severity": alarm.severity, **fields})  # type: ignore[arg-type]


def tell(*messages: Message) -> Tell:
    return Tell(messages, ("webhook", "mail", "sms"))


def test_an_sms_says_what_where_how_much_since_when_and_where_to_look() -> None:
    alarm = an_alarm("country:Germany", started_ms=1_298_973_600_000)
    assert sms_text(tell(told(alarm)), CONSOLE) == (
        "CRITICAL surge Germany: 31 orders in 10 min, usual 6.25, since 03-01 10:00Z "
        f"{CONSOLE}/i/{short_id(alarm.incident_id)}"
    )


def test_a_repeat_says_so_and_which_incident_it_is_of_even_without_a_console() -> None:
    alarm = an_alarm("country:Spain")
    text = sms_text(tell(told(alarm, attempt=2)), "")
    assert text.endswith(f" (attempt 2) ref {short_id(alarm.incident_id)}")


def test_every_kind_has_words_of_its_own() -> None:
    kinds = ("firing", "reminder", "resolved", "withdrawn", "merged")
    texts = [sms_text(tell(told(an_alarm(), kind)), CONSOLE) for kind in kinds]
    assert [text.partition("CRITICAL")[0] for text in texts] == [
        "",
        "STILL ",
        "OVER ",
        "NEVER WAS ",
        "MERGED ",
    ]


def test_a_group_says_how_many_more() -> None:
    countries = [told(an_alarm(f"country:{name}")) for name in ("Spain", "France", "Italy")]
    rendered = render(tell(*countries), CONSOLE)
    assert " +2 more https" in rendered.texts["sms"]
    assert rendered.subject == "critical: orders: surge Spain +2 more"
    assert [one in rendered.texts["email"] for one in ("Spain", "France", "Italy")] == [True] * 3


def test_a_threshold_shows_its_limit_and_a_silent_job_its_own_words() -> None:
    threshold = an_alarm(rule="threshold", expected=None, expected_low=None, expected_high=9.0)
    assert ": 31 orders in 10 min, limit 9, since" in sms_text(tell(told(threshold)), "")
    silent = job_is_silent(Incident(incident_id="a" * 32, record=a_heartbeat(0)), 60_000).message
    assert silent is not None
    text = sms_text(tell(silent), "")
    assert text == f"CRITICAL alarm job silent, since 01-01 00:00Z ref {short_id(silent.incident_id)}"


def test_a_link_leads_to_the_incident() -> None:
    alarm = an_alarm()
    link = str(json.loads(render(tell(told(alarm)), CONSOLE).texts["https"])["link"])
    identity = base64.urlsafe_b64decode(link.rpartition("/")[2] + "==").hex()
    assert identity == alarm.incident_id
    assert json.loads(render(tell(told(alarm)), "").texts["https"])["link"] is None


def test_programs_get_every_figure_with_incident_and_attempt() -> None:
    rendered = render(tell(told(an_alarm(), attempt=3), told(an_alarm("country:Spain"), attempt=3)), CONSOLE)
    document = json.loads(rendered.texts["http"])
    assert rendered.texts["http"] == rendered.texts["https"]
    assert (document["schema"], document["attempt"], document["kind"]) == (
        "cadabra.alarm_message/1",
        3,
        "firing",
    )
    assert document["incident_id"] == an_alarm().incident_id
    assert [one["record"]["key"] for one in document["incidents"]] == ["total", "country:Spain"]
    assert set(document["incidents"][0]["record"]) == set(OrderRateAlarm.__struct_fields__)
    assert rendered.attributes["attempt"] == "3"
    assert rendered.attributes["channels"] == ("webhook", "mail", "sms")


@given(
    key=PRINTABLE,
    kind=st.sampled_from(["firing", "reminder", "resolved", "withdrawn", "merged"]),
    direction=st.sampled_from(["surge", "drop", "silence"]),
    observed=st.integers(0, 2**63 - 1),
    expected=NUMBERS,
    high=NUMBERS,
    console=st.sampled_from(["", CONSOLE, LONGEST_CONSOLE]),
    members=st.integers(1, 40),
    attempt=st.integers(1, 10**6),
)
def test_every_message_fits_its_channel_whatever_the_names(
    key: str,
    kind: str,
    direction: str,
    observed: int,
    expected: float | None,
    high: float | None,
    console: str,
    members: int,
    attempt: int,
) -> None:
    alarm = an_alarm(
        f"country:{key}", direction=direction, observed=observed, expected=expected, expected_high=high
    )
    rendered = render(tell(*[told(alarm, kind, attempt=attempt)] * members), console)
    assert gsm7.septets(rendered.texts["sms"]) <= gsm7.PART_SEPTETS
    assert "\n" not in rendered.texts["sms"]
    assert direction in rendered.texts["sms"]
    assert rendered.texts["sms"].endswith(short_id(alarm.incident_id))
    checked_message(rendered.subject, rendered.texts)


@given(st.text(max_size=2000))
def test_a_note_fits_an_sms_too(note: str) -> None:
    message = Message(incident_id="test", message_id="test-1", kind="test", note=note)
    rendered = render(tell(message), LONGEST_CONSOLE)
    assert gsm7.septets(rendered.texts["sms"]) <= gsm7.PART_SEPTETS
    checked_message(rendered.subject, rendered.texts)


def test_the_message_of_a_new_incident_can_be_rendered() -> None:
    change = apply(Incident(incident_id=an_alarm().incident_id), an_alarm(), 0, Timing(900_000, 0))
    assert change is not None
    assert change.message is not None
    assert render(tell(change.message), CONSOLE).attributes["incident_id"] == an_alarm().incident_id
