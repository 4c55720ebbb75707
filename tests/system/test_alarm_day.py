"""A recorded day at high speed, with a surge and a drop hidden in it: people are told of both, and of their ends."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from deploy.local import demo_alarms, replay_http, retail
from deploy.local.layout import ROOT, Layout
from deploy.local.target import Target
from tests.component.order_path import until
from tests.system.conftest import DEMO_TIMEOUT_S, local

pytestmark = pytest.mark.timeout(DEMO_TIMEOUT_S)

DAY = "2011-11-17"
PACE_PER_S = 8.0
SURGE_AT, SURGE_ORDERS = "10:30", 25  # over ten minutes in which three are usual
DROP = ("13:00", "15:00")  # of 37 orders none is left
RULES = {
    "grace_s": "3600",  # at this pace an hour of the day passes in two seconds, and shards are not read in step
    "behind_hold_s": "1",  # the job is new, and what it reads is not
}
ROUNDS = 8
BETWEEN_ROUNDS = timedelta(minutes=80)  # more than an incident's end and the gap after it take
# Not the goal (5 s at the 99th percentile), which the demonstration prints beside what it measured.
TOLD_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of the day.

    Args:
        messages: what the receiver was told, in order of arrival.
    """

    target: Target
    messages: list[dict[str, Any]]

    def told(self, kind: str, *directions: str) -> list[dict[str, Any]]:
        """Records of these directions that messages of this kind were about."""
        return [
            one["record"]
            for message in self.messages
            if message["kind"] == kind
            for one in message["incidents"]
            if one["record"]["direction"] in directions
        ]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A platform whose alarm job knows the weeks before the day, and whose notifier speaks of the past."""
    layout = Layout(tmp_path_factory.mktemp("alarm-day"))
    layout.baselines.mkdir(parents=True)
    command = [sys.executable, "-m", "flink_jobs.order_rate_alarm", "train", "--until", DAY]
    command += ["--orders", str(retail.DATA_FILE), "--out", str(layout.baselines / "before.json")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CADABRA_")},
        "CADABRA_LOCAL_DIR": str(layout.folder),
        "CADABRA_FLINK_OVERRIDES": json.dumps({"rules": RULES}),
        "CADABRA_MAX_ALARM_AGE_S": "1e9",
    }
    try:
        up = local(environment, "up")
        assert up.returncode == 0, up.stdout + up.stderr
        yield Target.current(layout)
    finally:
        local(environment, "down")


@pytest.fixture(scope="module")
async def replay(target: Target) -> AsyncIterator[Replay]:
    """The day, sent; and every message until the surge and the drop are over."""
    headers = {"Authorization": f"Bearer {target.sender_token}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        await _send(session, target, _the_day())
        found = Replay(target, [])

        async def all_told() -> bool:
            async with session.get(f"{target.webhook_receiver}/messages") as answer:
                messages = (await answer.json())["messages"]
            found.messages[:] = [message["body"] for message in messages]
            return bool(found.told("resolved", "surge") and found.told("resolved", "drop", "silence"))

        await until(all_told, "people know that surge and drop are over", 60)
        yield found


def _the_day() -> list[tuple[str, bytes]]:
    """The day's sales by time, with the surge put in and the drop left out."""
    day = [one for one in retail.invoices() if one.kind == "sale" and one.ordered_at.startswith(DAY)]
    kept = [one for one in day if not DROP[0] <= one.ordered_at[11:16] < DROP[1]]
    assert len(day) - len(kept) > 30
    orders = [(one.ordered_at, replay_http.encode(one).body) for one in kept]
    example = json.loads(orders[0][1])
    begin = datetime.fromisoformat(f"{DAY}T{SURGE_AT}:00+00:00")
    for number in range(SURGE_ORDERS):
        # Evenly over ten minutes: not so many in ten seconds that the plain threshold would do.
        at = (begin + timedelta(seconds=24 * number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        orders.append((at, json.dumps({**example, "order_id": f"surge-{number}", "ordered_at": at}).encode()))
    return sorted(orders)


async def _send(session: aiohttp.ClientSession, target: Target, orders: list[tuple[str, bytes]]) -> None:
    started = time.monotonic()
    for place, (_, body) in enumerate(orders):
        await asyncio.sleep(max(0.0, started + place / PACE_PER_S - time.monotonic()))
        async with session.post(f"{target.order_ingest}/v1/orders", data=body) as answer:
            assert answer.status == 202, await answer.text()


def _minutes(record: dict[str, Any], name: str) -> str:
    return str(record[name])[11:16]


async def test_the_surge_is_told_while_it_lasts_and_its_end_after_it(replay: Replay) -> None:
    begun = [one for one in replay.told("firing", "surge") if one["key"] == "total"]
    assert begun
    assert SURGE_AT <= _minutes(begun[0], "window_end") <= "10:45"
    assert begun[0]["rule"] == "learned"
    assert begun[0]["observed"] > begun[0]["expected_high"] > begun[0]["expected"]
    ended = {one["incident_id"]: one for one in replay.told("resolved", "surge")}
    assert ended[begun[0]["incident_id"]]["resolution"] == "recovered"
    assert _minutes(ended[begun[0]["incident_id"]], "window_end") < "12:00"


async def test_the_drop_is_told_and_its_end_after_orders_come_again(replay: Replay) -> None:
    begun = replay.told("firing", "drop", "silence")
    in_the_drop = [one for one in begun if DROP[0] <= _minutes(one, "window_end") <= "15:15"]
    assert in_the_drop
    assert all(one["observed"] < one["expected_low"] for one in in_the_drop if one["direction"] == "drop")
    ended = {one["incident_id"]: one for one in replay.told("resolved", "drop", "silence")}
    assert any(
        one["incident_id"] in ended
        and DROP[1] <= _minutes(ended[one["incident_id"]], "window_end") <= "16:30"
        for one in in_the_drop
    )


async def test_what_people_are_told_an_operator_can_look_up(replay: Replay) -> None:
    incident_id = replay.told("resolved", "surge")[0]["incident_id"]
    headers = {"Authorization": f"Bearer {replay.target.operator_token}"}
    url = f"{replay.target.alarm_notifier}/v1/incidents/{incident_id}"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == 200
        shown = await answer.json()
    assert incident_id in json.dumps(shown)
    assert "resolved" in json.dumps(shown)


async def test_surges_are_told_within_seconds_of_the_order_that_crossed_the_limit(replay: Replay) -> None:
    night = datetime.fromisoformat(f"{DAY}T21:00:00+00:00").astimezone(UTC)
    seconds = []
    for number in range(ROUNDS):
        told = await demo_alarms.surge(
            replay.target, f"round-{number}", ordered_at=night + number * BETWEEN_ROUNDS
        )
        assert told.record["observed"] >= demo_alarms.LIMIT
        seconds.append(told.latency_s)
    print(f"acknowledged to told, {ROUNDS} surges: {', '.join(f'{s:.2f} s' for s in sorted(seconds))}")
    assert max(seconds) <= TOLD_WITHIN_S
