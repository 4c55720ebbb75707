"""A reverse proxy that turns a healthy local engine into a bad day in the cloud.

It stands between a service and Kinesis or DynamoDB on 127.0.0.1, in the process of the test, which adds rules
and lifts them while traffic flows. Without a rule every byte passes untouched. Every rule counts what it did,
so that a test can assert that the fault really happened. Engines do not verify signatures, so the other port
does no harm.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType

import aiohttp
from aiohttp import web

from tests.fault import faults
from tests.fault.faults import Answer, Call, Fault

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "upgrade", "content-length", "host"}
)
_MAX_BODY_BYTES = 64 * 1024 * 1024


@dataclass(eq=False)
class Rule:
    """One fault, for the calls it matches, until it is used up, over or lifted.

    Args:
        fault: what happens to a call.
        operations: names as in `X-Amz-Target` ("PutRecords"); empty means every operation.
        resource: only calls whose table, stream or stream ARN ends with this; empty means any.
        holding: only calls whose body holds these bytes.
        probability: of hitting a call that matches, 0 to 1.
        skip: so many matching calls pass before the first can be hit.
        count: so many hits at most; None is without end.
        ends_at_s: monotonic time at which the rule is over; None is never.
        hits: calls that were hit so far.
    """

    fault: Fault
    operations: frozenset[str] = frozenset()
    resource: str = ""
    holding: bytes = b""
    probability: float = 1.0
    skip: int = 0
    count: int | None = None
    ends_at_s: float | None = None
    hits: int = 0
    lifted: asyncio.Event = field(default_factory=asyncio.Event)

    def lift(self) -> None:
        """End the fault at once; calls that it holds are let go with their connection closed."""
        self.lifted.set()

    @property
    def active(self) -> bool:
        """Whether the next matching call may be hit."""
        over = self.ends_at_s is not None and time.monotonic() >= self.ends_at_s
        return not (over or self.lifted.is_set() or (self.count is not None and self.hits >= self.count))

    def takes(self, call: Call, rng: random.Random) -> bool:
        """Decide whether this call is hit, and count it if so."""
        if not self.active or (self.operations and call.operation not in self.operations):
            return False
        if self.resource and not call.resource.endswith(self.resource):
            return False
        if self.holding not in call.body:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.probability < 1.0 and rng.random() >= self.probability:
            return False
        self.hits += 1
        return True


class FaultProxy:
    """A proxy in front of one engine.

    Args:
        engine_url: such as `http://127.0.0.1:4567`.
        seed: of every coin that the rules toss; print it with the failure.

    Use it as an async context manager; `url` is what the service gets as its endpoint.
    """

    def __init__(self, engine_url: str, seed: int = 0) -> None:
        self._engine_url = engine_url.rstrip("/")
        self._rng = random.Random(seed)
        self._rules: list[Rule] = []
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self.url = ""
        self.calls: Counter[str] = Counter()
        """Calls that arrived, by operation."""
        self.forwarded: Counter[str] = Counter()
        """Calls that the engine answered with status 200, by operation."""
        self.at_engine = 0
        """Calls that the engine works on now."""
        self.refused: Counter[str] = Counter()
        """Calls that the engine answered with another status, such as a failed condition, by operation."""

    @property
    def answered(self) -> int:
        """Calls that the engine answered, in whatever way."""
        return self.forwarded.total() + self.refused.total()

    async def __aenter__(self) -> FaultProxy:
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.heal()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    def add(
        self,
        fault: Fault,
        operations: str | Iterable[str] = (),
        *,
        resource: str = "",
        holding: bytes = b"",
        probability: float = 1.0,
        skip: int = 0,
        count: int | None = None,
        duration_s: float | None = None,
    ) -> Rule:
        """Put one fault into force from now on; rules apply in the order in which they were added.

        Returns: the rule, to count its hits and to lift it.
        """
        names = frozenset([operations] if isinstance(operations, str) else operations)
        ends_at_s = None if duration_s is None else time.monotonic() + duration_s
        rule = Rule(fault, names, resource, holding, probability, skip, count, ends_at_s)
        self._rules.append(rule)
        return rule

    def outage(self, duration_s: float | None = None) -> Rule:
        """Refuse every call, by a cut connection or a 503, until the rule is lifted or over."""
        return self.add(faults.Outage(), duration_s=duration_s)

    def heal(self) -> None:
        """Lift every rule."""
        for rule in self._rules:
            rule.lift()
        self._rules.clear()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = Call(request.headers.get("X-Amz-Target", ""), body, self._rng)
        self.calls[call.operation] += 1
        send = self._sender(request, call)
        for rule in reversed([rule for rule in self._rules if rule.takes(call, self._rng)]):
            send = _wrap(rule, call, send)
        answer = await send(body)
        if answer is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    def _sender(self, request: web.Request, call: Call) -> faults.Send:
        async def send(body: bytes) -> Answer | None:
            assert self._session is not None
            if request.transport is None or request.transport.is_closing():
                return None  # who asked is gone: its call was still on the way, and never arrives
            headers = [(k, v) for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP]
            self.at_engine += 1
            try:
                async with self._session.request(
                    request.method,
                    self._engine_url + request.path_qs,
                    data=body,
                    headers=headers,
                    skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                ) as response:
                    content = await response.read()
                    kept = {k: v for k, v in response.headers.items() if k.lower() not in _HOP_BY_HOP}
            except aiohttp.ClientError:
                return None  # the engine itself is away: what a client would see is a closed connection
            finally:
                self.at_engine -= 1
            counter = self.forwarded if response.status == 200 else self.refused
            counter[call.operation] += 1
            return Answer(response.status, content, kept)

        return send


def _wrap(rule: Rule, call: Call, inner: faults.Send) -> faults.Send:
    async def send(body: bytes) -> Answer | None:
        return await rule.fault.apply(call, body, inner, rule.lifted)

    return send
