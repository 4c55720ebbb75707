"""The alarm's section of the demonstration: a surge of orders becomes a message, and how soon."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from deploy.local import freshness, probe, retail
from deploy.local.layout import ROOT
from deploy.local.secret_files import token
from deploy.local.section import Context, Section
from deploy.local.target import Target

SURGE_SOURCE = "surge"
SURGE_ORDERS = 15
LIMIT = 10
"""So many orders in ten seconds are the rule `threshold`'s surge, by its default."""
GOAL_S = 5.0
DEADLINE_S = 60.0
LOOK_EVERY_S = 0.05
_BASELINE_LOADED = "flink_taskmanager_job_task_operator_order_rate_alarm_baselines_loaded"


@dataclass(frozen=True, slots=True)
class Told:
    """One message as the receiver of webhooks got it.

    Args:
        latency_s: since the acknowledgement of the order that crossed the limit.
        record: what it says of the surge, `order_rate_alarm/1`.
        body: all of it, `cadabra.alarm_message/1`; it may be about other incidents too.
    """

    latency_s: float
    record: dict[str, Any]
    body: dict[str, Any]


async def run(context: Context) -> Section:
    """Learns a baseline from the recorded year, sends a surge, waits for the message about it."""
    target, say = context.target, context.say
    say("Learning what is usual from the recorded year, and handing it to the running alarm job.")
    version = await asyncio.to_thread(learn, target)
    say(f"Sending {SURGE_ORDERS} orders at once; {LIMIT} in ten seconds are too many.")
    told = await surge(target, f"surge-{uuid.uuid4().hex[:8]}")
    listed = await _listed(target, told.record["incident_id"])
    return _section(version, told, listed)


def learn(target: Target) -> str:
    """Train a baseline on the real data, put it where the job looks, and wait until the job has taken it.

    Returns:
        Its version.

    Raises:
        RuntimeError: it was not trained, or not taken within a minute.
    """
    folder = target.layout.baselines
    folder.mkdir(parents=True, exist_ok=True)
    whole, part = folder / "recorded-year.json", target.layout.run / "recorded-year.json"
    taken = _baselines_taken(target)
    command = [sys.executable, "-m", "flink_jobs.order_rate_alarm", "train"]
    command += ["--orders", str(retail.DATA_FILE), "--out", str(part)]
    trained = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if trained.returncode:
        raise RuntimeError(f"no baseline was trained: {trained.stderr.strip()}")
    part.replace(whole)
    deadline = time.monotonic() + DEADLINE_S
    while _baselines_taken(target) <= taken:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the alarm job did not take the baseline within {DEADLINE_S:.0f} s")
        time.sleep(LOOK_EVERY_S)
    return str(json.loads(whole.read_text(encoding="utf-8"))["version"])


def _baselines_taken(target: Target) -> float:
    return probe.samples(probe.get(f"{target.alarm_job}/metrics") or "").get(_BASELINE_LOADED, 0.0)


async def surge(target: Target, prefix: str, ordered_at: datetime | None = None) -> Told:
    """Send a surge of orders at once and wait for the message about it.

    Args:
        prefix: of the orders' numbers, not used before.
        ordered_at: the time of all of them; now.

    Raises:
        RuntimeError: an order was not acknowledged, or nobody was told within a minute.
    """
    moment = ordered_at or datetime.now(UTC)
    began_at_ms = time.time() * 1000
    sender_token = token(target.layout, "sender", SURGE_SOURCE)
    timeout = aiohttp.ClientTimeout(total=freshness.DEADLINE_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:

        async def send(number: int) -> float:
            body = freshness.order(f"{prefix}-{number}", number)
            body["ordered_at"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
            await freshness.send(session, target, sender_token, body)
            return time.time()

        acknowledged = sorted(await asyncio.gather(*(send(number) for number in range(SURGE_ORDERS))))
        # Arrival at the receiver is by its clock, and both clocks are this machine's.
        crossed_at_s = acknowledged[LIMIT - 1]
        return await _told(session, target, moment, began_at_ms, crossed_at_s)


async def _told(
    session: aiohttp.ClientSession, target: Target, moment: datetime, since_ms: float, crossed_at_s: float
) -> Told:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        async with session.get(f"{target.webhook_receiver}/messages") as response:
            messages = (await response.json())["messages"]
        for message in messages:
            record = _surge_in(message["body"], moment)
            if message["received_at_ms"] >= since_ms and record is not None:
                return Told(message["received_at_ms"] / 1000 - crossed_at_s, record, message["body"])
        await asyncio.sleep(LOOK_EVERY_S)
    raise RuntimeError(f"nobody was told of the surge within {DEADLINE_S:.0f} s")


def _surge_in(body: dict[str, Any], moment: datetime) -> dict[str, Any] | None:
    """What a message says of the beginning of a surge over this moment, by the fixed limit; None if nothing."""
    if body["kind"] != "firing":
        return None
    for one in body["incidents"]:
        record: dict[str, Any] = one["record"]
        begun, ended = (datetime.fromisoformat(record[name]) for name in ("window_start", "window_end"))
        if record["rule"] == "threshold" and begun <= moment.replace(microsecond=0) < ended:
            return record
    return None


async def _listed(target: Target, incident_id: str) -> dict[str, Any]:
    """The incident as an operator sees it."""
    headers = {"Authorization": f"Bearer {target.operator_token}"}
    url = f"{target.alarm_notifier}/v1/incidents/{incident_id}"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        response.raise_for_status()
        return dict(await response.json())


def _section(version: str, told: Told, listed: dict[str, Any]) -> Section:
    record = told.record
    goal = "within" if told.latency_s <= GOAL_S else "MISSES"
    rows = [
        ("baseline learned from the recorded year", version),
        ("orders sent at once", str(SURGE_ORDERS)),
        ("incident", f"{record['severity']} {record['direction']} of {record['key']}, rule {record['rule']}"),
        ("orders in its window, limit", f"{record['observed']}, {record['expected_high']:g}"),
        (
            "crossing order acknowledged to told",
            f"{told.latency_s:.2f} s, {goal} the goal of {GOAL_S:g} s",
        ),
    ]
    notes = ["", "What the webhook was told:", f"  {told.body['kind']}: {json.dumps(record)}"]
    result = {
        "baseline": version,
        "latency_s": round(told.latency_s, 3),
        "goal_s": GOAL_S,
        "message": told.body,
        "incident": listed,
    }
    # The goal for the time is told, not judged: a busy machine is no failure.
    return Section("alarms", "Alarm", True, rows, notes, result)
