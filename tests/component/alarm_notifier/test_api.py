"""The operators' API as a process answers it: who may, what is refused, what it does."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from tests.alarms import an_alarm, now_ms
from tests.component.alarm_notifier.conftest import Desk
from tests.fault import faults
from tests.fault.proxy import FaultProxy
from tests.fault.waiting import until

NO_SUCH = "f" * 32
ROUTES = [
    ("GET", "/v1/incidents", None),
    ("GET", f"/v1/incidents/{NO_SUCH}", None),
    ("POST", f"/v1/incidents/{NO_SUCH}/acknowledge", None),
    ("GET", "/v1/silences", None),
    ("POST", "/v1/silences", {"duration_s": 60, "reason": "x", "rule": "learned"}),
    ("POST", f"/v1/silences/{NO_SUCH}/expire", None),
    ("POST", "/v1/test-messages", None),
    ("GET", f"/v1/test-messages/test-{NO_SUCH}", None),
]


async def code_of(desk: Desk, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, str]:
    """Status and code of an answer that is an error."""
    status, document = await desk.ask(method, path, body, **options)
    return status, document["error"]["code"]


async def test_only_operators_are_answered(office: Desk) -> None:
    for method, path, body in ROUTES:
        assert await code_of(office, method, path, body, headers={}) == (401, "missing_token")
        for role in ("customer", "sender", "analyst"):
            assert await code_of(office, method, path, body, role=role) == (403, "wrong_role"), path
    status, document = await office.ask("GET", "/openapi.json", headers={})
    assert status == 200
    assert set(document["paths"]) == {
        "/v1/incidents",
        "/v1/incidents/{incident_id}",
        "/v1/incidents/{incident_id}/acknowledge",
        "/v1/silences",
        "/v1/silences/{silence_id}/expire",
        "/v1/test-messages",
        "/v1/test-messages/{message_id}",
        "/openapi.json",
    }


async def test_what_is_not_there_and_what_is_not_valid_is_named(office: Desk) -> None:
    for method, path in (
        ("GET", f"/v1/incidents/{NO_SUCH}"),
        ("POST", f"/v1/incidents/{NO_SUCH}/acknowledge"),
        ("POST", f"/v1/silences/{NO_SUCH}/expire"),
        ("GET", f"/v1/test-messages/test-{NO_SUCH}"),
        ("GET", "/v1/nothing"),
    ):
        assert await code_of(office, method, path) == (404, "not_found"), path
    for path in (
        "/v1/incidents?state=open",
        "/v1/incidents?limit=0",
        "/v1/incidents?limit=101",
        "/v1/incidents?cursor=x",
        "/v1/incidents/ABC",
        "/v1/test-messages/1",
    ):
        assert await code_of(office, "GET", path) == (400, "invalid_parameter"), path
    assert await code_of(office, "DELETE", "/v1/silences") == (405, "method_not_allowed")
    whole = {"duration_s": 60, "reason": "x", "rule": "learned"}
    for change, pointer in (
        ({"duration_s": 59}, "/duration_s"),
        ({"duration_s": 2_592_001}, "/duration_s"),
        ({"reason": ""}, "/reason"),
        ({"reason": "two\nlines"}, "/reason"),
        ({"key": "Spain"}, "/key"),
        ({"direction": "up"}, "/direction"),
        ({"more": 1}, ""),
        ({"rule": None}, ""),
    ):
        status, document = await office.ask("POST", "/v1/silences", {**whole, **change})
        assert (status, document["error"]["code"]) == (422, "contract_violation"), change
        assert document["error"]["details"][0]["pointer"] == pointer, change
    assert await code_of(office, "POST", "/v1/silences", data=b"{") == (400, "invalid_json")
    assert await code_of(office, "POST", "/v1/silences", data=b"x" * 17_000) == (413, "too_large")


async def test_incidents_are_listed_newest_first_page_by_page(office: Desk) -> None:
    fired = [
        an_alarm(f"country:{at}", rule="paging", severity="info", started_ms=now_ms() + at) for at in range(5)
    ]
    await office.put(*fired)

    async def all_stored() -> bool:
        return len(ours((await office.ask("GET", "/v1/incidents"))[1])) == 5

    def ours(page: Any) -> list[str]:
        return [one["key"] for one in page["incidents"] if one["rule"] == "paging"]

    await until(all_stored, 20, "five incidents are stored")
    keys, path = [], "/v1/incidents?limit=2"
    while True:
        status, page = await office.ask("GET", path)
        assert status == 200
        keys += ours(page)
        if page["next_cursor"] is None:
            break
        path = f"/v1/incidents?limit=2&cursor={page['next_cursor']}"
    assert keys == [f"country:{at}" for at in (4, 3, 2, 1, 0)]
    assert ours((await office.ask("GET", "/v1/incidents?state=resolved"))[1]) == []
    told = [one["record"]["rule"] for message in office.told() for one in message.body["incidents"]]
    assert "paging" not in told  # an info is told to nobody


async def test_acknowledging_ends_the_reminders_and_not_the_end(office: Desk) -> None:
    alarm = an_alarm(rule="taken")
    path = f"/v1/incidents/{alarm.incident_id}"
    await office.put(alarm)
    await office.is_told("reminder", 2, of=alarm)
    status, taken = await office.ask("POST", f"{path}/acknowledge")
    assert (status, taken["acknowledged_by"]) == (200, "anna")
    bob = office.security.token("operator", "bob")
    status, again = await office.ask("POST", f"{path}/acknowledge", headers=bob)
    assert (status, again["acknowledged_by"], again["acknowledged_at"]) == (
        200,
        "anna",
        taken["acknowledged_at"],
    )

    async def settled() -> bool:
        messages = (await office.ask("GET", path))[1]["messages"]
        return all(one["state"] in ("sent", "dropped") for one in messages)

    await until(settled, 10, "no reminder is on its way")
    told, since = len(office.told("reminder", of=alarm)), time.monotonic()
    await until(lambda: time.monotonic() - since > 2.5, 10, "another reminder would have come by now")
    assert len(office.told("reminder", of=alarm)) == told
    await office.put(an_alarm(rule="taken", resolution="recovered", minutes=20))
    await office.is_told("resolved", of=alarm)
    assert await code_of(office, "POST", f"{path}/acknowledge") == (409, "not_firing")


async def test_a_silence_holds_back_until_it_is_ended(office: Desk) -> None:
    asked = {"duration_s": 3600, "reason": "a sale", "rule": "hushed", "direction": "surge"}
    status, silence = await office.ask("POST", "/v1/silences", asked)
    assert (status, silence["created_by"], silence["key"]) == (201, "anna", None)
    assert (await office.ask("GET", "/v1/silences"))[1] == {"silences": [silence]}
    alarm, other = an_alarm(rule="hushed"), an_alarm(rule="hushed", direction="drop")
    await office.put(alarm, other)
    await office.is_told("firing", of=other)

    async def held() -> bool:
        messages = (await office.ask("GET", f"/v1/incidents/{alarm.incident_id}"))[1]["messages"]
        return [one["held"] for one in messages] == [f"silenced:{silence['silence_id']}"]

    await until(held, 10, "the message is held back, and says why")
    assert office.told(of=alarm) == []
    status, ended = await office.ask("POST", f"/v1/silences/{silence['silence_id']}/expire")
    assert (status, ended["expired_at"] is not None) == (200, True)
    await office.is_told("firing", of=alarm)
    assert (await office.ask("GET", "/v1/silences"))[1] == {"silences": []}


async def test_a_test_message_goes_the_way_of_an_alarm(office: Desk) -> None:
    for severity, channels in (("warning", "webhook,mail"), ("critical", "webhook,mail,sms")):
        status, message = await office.ask("POST", "/v1/test-messages", {"severity": severity})
        assert (status, message["state"]) == (202, "pending")
        path = f"/v1/test-messages/{message['message_id']}"

        async def sent(path: str = path) -> bool:
            return bool((await office.ask("GET", path))[1]["state"] == "sent")

        await until(sent, 10, "the test message is sent")
        told = (await office.is_told("test", 1 if severity == "warning" else 2))[-1]
        assert told.body["channels"] == channels.split(",")
        assert "TEST by anna" in told.body["note"]


async def test_a_store_that_is_away_or_slow_is_a_503_that_may_be_asked_again(desk: Desk) -> None:
    async with FaultProxy(desk.engines.dynamodb) as proxy:
        await desk.start(
            CADABRA_DYNAMODB_ENDPOINT=proxy.url, CADABRA_REQUEST_TIMEOUT_S="0.5", CADABRA_MAX_REQUESTS="2"
        )
        slow = proxy.add(faults.BlackHole(), ["GetItem", "Query"])
        assert await code_of(desk, "GET", f"/v1/incidents/{NO_SUCH}") == (503, "timed_out")
        answers = await asyncio.gather(*(code_of(desk, "GET", f"/v1/incidents/{NO_SUCH}") for _ in range(6)))
        assert sorted(set(answers)) == [(503, "throttled"), (503, "timed_out")]
        slow.lift()
        away = proxy.outage()
        assert await code_of(desk, "GET", f"/v1/incidents/{NO_SUCH}") == (503, "unavailable")
        away.lift()
        assert await code_of(desk, "GET", f"/v1/incidents/{NO_SUCH}") == (404, "not_found")


CONFIG = """
[[operations]]
include-operation-id = "incidents"
checks.positive_data_acceptance.expected-statuses = ["200", "400"]
[[operations]]
include-operation-id = "silence"
checks.positive_data_acceptance.expected-statuses = ["201", "409"]
"""


async def test_the_notifier_keeps_its_specification(office: Desk, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    authorization = office.security.token("operator", "anna")["Authorization"]
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{office.processes[-1].url}/openapi.json",
        "--header",
        f"Authorization: {authorization}",
        "--checks",
        "all",
        "--max-examples",
        "10",
        "--seed",
        "1",
        "--no-color",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 150)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()[-6000:]
