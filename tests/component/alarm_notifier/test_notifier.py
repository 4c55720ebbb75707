"""The notifier as a process on the real engines: what people are told, when, and what they are not told."""

from __future__ import annotations

import time

from contracts.codec import encode
from services.kernel.streams.rejected_reader import read_all
from tests.alarms import a_heartbeat, an_alarm, now_ms
from tests.component.alarm_notifier.conftest import Desk
from tests.fault.waiting import until


async def test_an_incident_is_told_when_it_fires_and_when_it_is_over(desk: Desk) -> None:
    await desk.start()
    fires, over = an_alarm(), an_alarm(resolution="recovered", minutes=20)
    await desk.put(fires)
    put_at = time.time()
    (told,) = await desk.is_told("firing")
    print(f"record to message: {told.received_at_ms / 1000 - put_at:.2f} s")
    await desk.put(fires, over, over, fires)
    (ended,) = await desk.is_told("resolved")

    assert told.body["incident_id"] == ended.body["incident_id"] == fires.incident_id
    assert (told.body["attempt"], ended.body["attempt"]) == (1, 1)
    assert told.body["incidents"][0]["record"]["observed"] == 31
    assert (told.attributes["kind"], told.attributes["attempt"]) == ("firing", "1")
    assert told.body["link"].startswith("https://console.shop.example/i/")
    status, shown = await desk.ask("GET", f"/v1/incidents/{fires.incident_id}")
    assert (status, shown["state"], shown["told_severity"]) == (200, "resolved", "critical")
    assert [one["state"] for one in shown["messages"]] == ["sent", "sent"]


async def test_a_country_is_told_only_where_nothing_worldwide_says_it(desk: Desk) -> None:
    await desk.start()
    total, spain, france = an_alarm(), an_alarm("country:Spain"), an_alarm("country:France")
    await desk.put(spain, total, france)
    (told,) = await desk.is_told("firing")
    assert told.body["incident_id"] == total.incident_id

    async def both_held() -> bool:
        shown = [await desk.ask("GET", f"/v1/incidents/{one.incident_id}") for one in (spain, france)]
        held = [document["messages"][0]["held"] if "messages" in document else "" for _, document in shown]
        return held == [f"inhibited:{total.incident_id}"] * 2

    await until(both_held, 20, "both countries are held back under the worldwide incident")
    await desk.put(an_alarm("country:France", resolution="recovered", minutes=20))
    # Its shard is another one than the world's: only what is stored is before what is put next.
    await until(lambda: desk.is_stored(france.incident_id, "resolved"), 20, "France is over")
    await desk.put(an_alarm(resolution="recovered", minutes=20))
    (late,) = (await desk.is_told("firing", 2))[1:]
    assert [one["record"]["key"] for one in late.body["incidents"]] == ["country:Spain"]
    assert len(desk.told("resolved")) == 1


async def test_what_begins_together_in_several_countries_is_one_message(desk: Desk) -> None:
    await desk.start(CADABRA_GROUP_WAIT_S="0.5")
    countries = [an_alarm(f"country:{at}", direction="drop", severity="warning") for at in range(4)]
    await desk.put(*countries)
    (told, *more) = await desk.is_told("firing")
    assert more == []
    assert len(told.body["incidents"]) == 4
    assert "sms" not in told.body["channels"]


async def test_an_old_detection_is_stored_and_told_to_nobody(desk: Desk) -> None:
    notifier = await desk.start(CADABRA_MAX_ALARM_AGE_S="60")
    old, fresh = an_alarm(age_ms=60_001), an_alarm(direction="drop", age_ms=60_000)
    await desk.put(old, fresh)
    (told,) = await desk.is_told("firing")
    assert told.body["incident_id"] == fresh.incident_id
    _, shown = await desk.ask("GET", f"/v1/incidents/{old.incident_id}")
    assert [(one["state"], one["outcome"]) for one in shown["messages"]] == [("dropped", "too_old")]
    assert (await notifier.metrics())['cadabra_alarm_notifier_dropped_total{why="too_old"}'] == 1


async def test_a_silent_job_is_told_and_its_return_too(desk: Desk) -> None:
    await desk.start(CADABRA_DEADMAN_S="2")
    await desk.put(a_heartbeat(now_ms()))
    (told,) = await desk.is_told("firing")
    assert told.body["incidents"][0]["record"]["rule"] == "heartbeat"
    assert told.body["severity"] == "critical"
    await desk.put(a_heartbeat(now_ms()))
    await desk.is_told("resolved")
    status, page = await desk.ask("GET", "/v1/incidents?state=resolved")
    assert (status, page["incidents"]) == (200, [])  # signs of life are no incidents


async def test_past_the_cap_phones_get_a_digest(desk: Desk) -> None:
    notifier = await desk.start(CADABRA_MAX_SMS_PER_HOUR="1", CADABRA_DIGEST_S="2")
    for direction in ("surge", "drop", "silence"):
        await desk.put(an_alarm(direction=direction))
        await until(
            lambda d=direction: any(
                one.body["incidents"][0]["record"]["direction"] == d for one in desk.told("firing")
            ),  # type: ignore[misc]
            20,
            f"{direction} is told",
        )
    assert [("sms" in one.body["channels"]) for one in desk.told("firing")] == [True, False, False]

    async def digested() -> bool:
        return (await notifier.metrics()).get('cadabra_alarm_notifier_published_total{kind="digest"}') == 1

    await until(digested, 20, "a digest is published")


async def test_a_record_that_breaks_its_contract_is_rejected_with_its_bytes(desk: Desk) -> None:
    await desk.start()
    broken = encode(an_alarm()).replace(b'"surge"', b'"upward"')
    await desk.put_bytes(broken, "learned/total")
    await desk.put(an_alarm())
    await desk.is_told("firing")

    async def rejected() -> bool:
        found = await read_all(desk.kinesis, f"{desk.namespace}-rejected")
        return [one["reason"] for one in found] == ["contract_violation"]

    await until(rejected, 10, "the dead letter is there")


async def test_without_its_topic_it_does_not_start(desk: Desk) -> None:
    gone = "arn:aws:sns:us-east-1:000000000000:gone"
    wrong = {"CADABRA_CONSOLE_URL": "https://" + "x" * 41}
    for settings, code in (
        ({"CADABRA_ALARM_TOPIC_ARN": gone}, 69),
        ({"CADABRA_JWKS_FILE": ""}, 78),
        (wrong, 78),
    ):
        try:
            await desk.start(**settings)
        except RuntimeError as error:
            assert f"exit code {code}" in str(error)  # noqa: PT017 - which setting did not refuse is what matters
        else:
            raise AssertionError(f"started with {settings}")


async def test_a_topic_may_be_given_by_its_arn(desk: Desk) -> None:
    await desk.start(CADABRA_ALARM_TOPIC_ARN=desk.topic_arn)
    await desk.put(an_alarm())
    await desk.is_told("firing")


async def test_a_stop_drains_and_the_next_worker_delivers_at_once(desk: Desk) -> None:
    first = await desk.start(CADABRA_DELIVERY_LEASE_S="60")
    await desk.put(an_alarm())
    await desk.is_told("firing")
    first.terminate()
    assert await first.wait() == 0
    await desk.start(CADABRA_DELIVERY_LEASE_S="60")
    await desk.put(an_alarm(resolution="recovered", minutes=20))
    await desk.is_told("resolved", timeout_s=20)
    assert len(desk.told()) == 2
