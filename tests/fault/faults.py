"""What can happen to one call on its way to an engine and back, in the words of each AWS service.

A fault gets the call, the way onwards (`Send`) and an event that ends it; it gives the answer that the client
sees, None for a connection that closes without one.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Json = dict[str, Any]
INSERTS = ("PutItem", "BatchExecuteStatement")
"""What an order's way into its table may be: one call for it alone, or one with others."""

_INTO = re.compile(r'INSERT INTO "([^"]+)"')
_DYNAMODB_TYPE = "com.amazonaws.dynamodb.v20120810#"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, its body as the bytes on the wire."""

    status: int
    body: bytes
    headers: dict[str, str]


Send = Callable[[bytes], Awaitable[Answer | None]]


class Call:
    """One request as the rules see it.

    Args:
        target: the header `X-Amz-Target`, such as `Kinesis_20131202.PutRecords`.
        body: the request's bytes.
        rng: where the fault's own coins come from.
    """

    def __init__(self, target: str, body: bytes, rng: random.Random) -> None:
        self.service, _, self.operation = target.partition(".")
        self.rng = rng
        self.body = body
        self._resource: str | None = None

    @property
    def dynamodb(self) -> bool:
        """Whether DynamoDB is asked, else Kinesis."""
        return self.service.startswith("DynamoDB")

    @property
    def resource(self) -> str:
        """The table or stream that the call names, "" if it names none."""
        if self._resource is None:
            self._resource = _resource(self.body)
        return self._resource


def _resource(body: bytes) -> str:
    try:
        asked = json.loads(body)
    except ValueError:
        return ""
    for key in ("TableName", "StreamName", "StreamARN"):
        if isinstance(asked.get(key), str):
            return str(asked[key])
    if isinstance(statements := asked.get("Statements"), list) and statements:
        named = _INTO.match(str(statements[0].get("Statement")))
        return named[1] if named else ""
    tables = asked.get("RequestItems")
    return next(iter(tables)) if isinstance(tables, dict) and len(tables) == 1 else ""


class Fault(Protocol):
    """Something that happens to a call."""

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        """Answer the call, by sending it onwards or not."""
        ...


def refusal(call: Call, status: int, code: str, message: str) -> Answer:
    """An error in the form of the service asked.

    Source: the protocols AWS JSON 1.0 (DynamoDB, qualified type) and 1.1 (Kinesis, bare type).
    """
    version, kind = ("1.0", _DYNAMODB_TYPE + code) if call.dynamodb else ("1.1", code)
    body = json.dumps({"__type": kind, "message": message}).encode()
    return Answer(status, body, {"Content-Type": f"application/x-amz-json-{version}"})


@dataclass(frozen=True)
class Throttle:
    """The whole call is refused for its rate, with status 400 and the code that the service uses."""

    code: str = ""

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        """Refuse without forwarding."""
        control = call.operation.startswith(
            ("List", "Describe", "Create", "Delete", "Split", "Merge", "Update")
        )
        usual = (
            "LimitExceededException"
            if control and not call.dynamodb
            else "ProvisionedThroughputExceededException"
        )
        return refusal(call, 400, self.code or usual, "Rate exceeded, says the fault proxy")


@dataclass(frozen=True)
class Error500:
    """The service fails inside, before it did anything."""

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        """Answer 500 without forwarding."""
        return refusal(
            call, 500, "InternalServerError" if call.dynamodb else "InternalFailure", "fault proxy"
        )


@dataclass(frozen=True)
class Delay:
    """The call takes longer, by a time drawn evenly from a range, before it is forwarded."""

    least_ms: int
    most_ms: int

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        """Wait, unless lifted, then forward."""
        await _sleep_unless(lifted, call.rng.uniform(self.least_ms, self.most_ms) / 1000)
        return await send(body)


@dataclass(frozen=True)
class CutBefore:
    """The connection closes before the engine hears of the call."""

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        """Close without forwarding."""
        return None


@dataclass(frozen=True)
class CutAfter:
    """The engine does its work and the answer is lost."""

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        """Forward, then close without the answer."""
        await send(body)
        return None


@dataclass(frozen=True)
class BlackHole:
    """The call is accepted and never answered; it never reaches the engine."""

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        """Hold the call until the rule is lifted, then close."""
        await lifted.wait()
        return None


@dataclass
class PartialInsert:
    """Some inserts of a batch are never forwarded and come back as throttled, at their positions.

    Args:
        probability: of failing, for each statement.
        failed: statements that were failed so far.
    """

    probability: float
    failed: int = field(default=0)

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        """Forward the spared statements and merge both outcomes in the order of the request."""
        asked: Json = json.loads(body)
        if call.operation != "BatchExecuteStatement":
            return await send(body)
        failed = [call.rng.random() < self.probability for _ in asked["Statements"]]
        spared = [one for one, fails in zip(asked["Statements"], failed, strict=True) if not fails]
        outcomes: list[Json] = []
        if spared:
            answer = await send(json.dumps({**asked, "Statements": spared}).encode())
            if answer is None or answer.status != 200:
                return answer
            outcomes = json.loads(answer.body)["Responses"]
        self.failed += sum(failed)
        fault = {"Error": {"Code": "ProvisionedThroughputExceeded", "Message": "says the fault proxy"}}
        left = iter(outcomes)
        merged = {"Responses": [fault if fails else next(left) for fails in failed]}
        return Answer(200, json.dumps(merged).encode(), {"Content-Type": "application/x-amz-json-1.0"})


@dataclass(frozen=True)
class Outage:
    """The service is away: a cut connection or a 503, by a coin."""

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        """Refuse without forwarding."""
        if call.rng.random() < 0.5:
            return None
        return refusal(call, 503, "ServiceUnavailable", "The service is away, says the fault proxy")


@dataclass
class PartialPut:
    """Some records of a PutRecords are never forwarded and come back as failed, at their positions.

    Args:
        probability: of failing, for each record.
        codes: drawn evenly; the two that the service knows.
        failed: records that were failed so far.
    """

    probability: float
    codes: tuple[str, ...] = ("ProvisionedThroughputExceededException", "InternalFailure")
    failed: int = field(default=0)

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        """Toss a coin for each record, then put those that are spared."""
        if call.operation != "PutRecords":
            return await send(body)
        asked: Json = json.loads(body)
        fates = [
            call.rng.choice(self.codes) if call.rng.random() < self.probability else ""
            for _ in asked["Records"]
        ]
        answer = await put_spared(asked, fates, send)
        if answer is not None and answer.status == 200:
            self.failed += sum(bool(code) for code in fates)
        return answer


async def put_spared(asked: Json, fates: Sequence[str], send: Send) -> Answer | None:
    """Forward the records that are spared and merge both outcomes in the order of the request.

    Args:
        asked: a PutRecords as its client sent it.
        fates: for each record the code it fails with, "" for one that is spared.

    Returns:
        The engine's own answer where it did not take the spared ones.
    """
    spared = [record for record, code in zip(asked["Records"], fates, strict=True) if not code]
    done: Json = {"FailedRecordCount": 0, "Records": []}
    if spared:
        answer = await send(json.dumps({**asked, "Records": spared}).encode())
        if answer is None or answer.status != 200:
            return answer
        done = json.loads(answer.body)
    outcomes = iter(done["Records"])
    done["Records"] = [_failed(code) if code else next(outcomes) for code in fates]
    done["FailedRecordCount"] = int(done.get("FailedRecordCount") or 0) + len(fates) - len(spared)
    return Answer(200, json.dumps(done).encode(), {"Content-Type": "application/x-amz-json-1.1"})


def _failed(code: str) -> Json:
    return {"ErrorCode": code, "ErrorMessage": "Rate exceeded for the shard, says the fault proxy"}


async def _sleep_unless(lifted: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(lifted.wait(), seconds)
    except TimeoutError:
        return
