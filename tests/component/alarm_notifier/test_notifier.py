"""The notifier as a process on the real engines: what people are told, when, and what they are not told."""

from __future__ import annotations

import time

from tests.alarms import an_alarm
from tests.component.alarm_notifier.conftest import Desk


async def test_an_incident_is_told_when_it_fires_and_when_it_is_over(desk: Desk) -> None:
    await desk.start()
    fires, over = an_alarm(), an_alarm(resolution="recovered", minutes=20)
    await desk.put(fires)
    put_at = time.time()
    (told,) = await desk.is_told("firing")
    print(f"record to message: {told.received_at_ms / 1000 - put_at:.2f} s")
    await desk.put(over)
    (ended,) = await desk.is_told("resolved")

    assert told.body["incident_id"] == ended.body["incident_id"] == fires.incident_id
    assert (told.body["attempt"], ended.body["attempt"]) == (1, 1)
    assert told.body["incidents"][0]["record"]["observed"] == 31
    assert told.attributes["kind"] == "firing"
    assert told.body["link"].startswith("https://console.shop.example/i/")
    status, shown = await desk.ask("GET", f"/v1/incidents/{fires.incident_id}")
    assert (status, shown["state"], shown["told_severity"]) == (200, "resolved", "critical")
    assert [one["state"] for one in shown["messages"]] == ["sent", "sent"]
