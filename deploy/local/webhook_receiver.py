"""Somebody to be told: subscribes to the alarms' topic by HTTP and shows what arrives, with the time of arrival.

`GET /messages?after=<number>` gives the messages kept, oldest first; `POST /` is where SNS delivers.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from services.kernel.adapters.sns import Sns
from services.kernel.core import logs
from services.kernel.core.errors import Misconfigured, MissingResource
from services.kernel.core.lifecycle import Lifecycle, run
from services.kernel.core.metrics import Metrics, counter
from services.kernel.core.names import physical_name
from services.kernel.core.settings import ServiceSettings, SnsSettings, setting

TOPIC = "order-rate-alarms"
_MAX_BODY_BYTES = 512 * 1024
_CONFIRM_TIMEOUT_S = 5.0
_START_TIMEOUT_S = 20.0

log = logs.get("webhook_receiver")


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings, SnsSettings):
    """The common settings, where SNS is, and how much is kept."""

    keep_messages: int = setting(
        "CADABRA_KEEP_MESSAGES", default=1_000, minimum=1, help="messages kept; the oldest go first"
    )


class ReceiverMetrics(Metrics):
    """What arrived."""

    service = "webhook_receiver"

    received = counter("messages", "Messages that SNS delivered.", unit="messages")
    refused = counter("refused", "Deliveries that were no message for this topic.", unit="messages")


@dataclass(frozen=True, slots=True)
class Received:
    """One message.

    Args:
        number: from 1, in order of arrival.
        received_at_ms: UTC milliseconds since the epoch.
        attributes: the message's attributes, by name.
        body: the JSON document that webhooks get; the text where it is none.
    """

    number: int
    received_at_ms: int
    sns_message_id: str
    subject: str | None
    attributes: dict[str, str]
    body: Any


class Receiver:
    """Takes what SNS delivers for one topic.

    Args:
        engine_url: where SNS is; an address that confirms a subscription is visited only there.
        visit: asks an address once.
        keep: messages at most.
    """

    def __init__(
        self, topic_arn: str, engine_url: str, visit: Callable[[str], Awaitable[None]], keep: int = 1_000
    ) -> None:
        self.metrics = ReceiverMetrics()
        self.confirmed = asyncio.Event()
        self.messages: deque[Received] = deque(maxlen=keep)
        self._topic_arn = topic_arn
        self._engine = urlsplit(engine_url)[:2]
        self._visit = visit
        self._numbers = itertools.count(1)

    def application(self) -> web.Application:
        """Build the aiohttp application."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_post("/", self._deliver)
        app.router.add_get("/messages", self._show)
        return app

    async def _deliver(self, request: web.Request) -> web.Response:
        delivered = _object(await request.read())
        kind = delivered.get("Type")
        if delivered.get("TopicArn") != self._topic_arn:
            kind = None
        if kind == "SubscriptionConfirmation" and self._is_ours(delivered.get("SubscribeURL")):
            await self._visit(delivered["SubscribeURL"])
            self.confirmed.set()
        elif kind == "Notification":
            self._keep(delivered)
        else:
            self.metrics.refused.inc()
            return web.Response(status=400)
        return web.Response()

    def _is_ours(self, address: Any) -> bool:
        """Whether this address is on the engine: any other one could make us call whomever it likes."""
        return isinstance(address, str) and urlsplit(address)[:2] == self._engine

    def _keep(self, delivered: dict[str, Any]) -> None:
        attributes = delivered.get("MessageAttributes") or {}
        text = str(delivered.get("Message", ""))
        self.messages.append(
            Received(
                number=next(self._numbers),
                received_at_ms=int(time.time() * 1000),
                sns_message_id=str(delivered.get("MessageId", "")),
                subject=delivered.get("Subject"),
                attributes={name: str(value.get("Value", "")) for name, value in attributes.items()},
                body=_object(text.encode()) or text,
            )
        )
        self.metrics.received.inc()

    async def _show(self, request: web.Request) -> web.Response:
        after = request.query.get("after", "0")
        if not after.isdecimal():
            return web.Response(status=400)
        kept = [asdict(one) for one in self.messages if one.number > int(after)]
        return web.json_response({"messages": kept})


def _object(data: bytes) -> dict[str, Any]:
    """The JSON object; empty where it is none."""
    try:
        decoded = json.loads(data)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    """Subscribe, and take messages until asked to stop."""
    if settings.sns_endpoint is None:
        raise Misconfigured("CADABRA_SNS_ENDPOINT is not set: this receiver is for an engine on this machine")
    async with (
        Sns.open(settings.sns_endpoint, settings.region) as sns,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_CONFIRM_TIMEOUT_S)) as session,
    ):
        name = physical_name(settings.namespace, TOPIC)
        topic_arn = await sns.topic_arn(name)
        if topic_arn is None:
            raise MissingResource(f"there is no topic {name}")
        receiver = Receiver(topic_arn, settings.sns_endpoint, visitor(session), settings.keep_messages)
        await life.metrics_server(receiver.metrics)
        async with listening(receiver, settings.host, settings.port) as port:
            address = f"http://{settings.host}:{port}/"
            await sns.subscribe(topic_arn, "http", address, {"channels": ["webhook"]})
            async with asyncio.timeout(_START_TIMEOUT_S):
                await receiver.confirmed.wait()
            life.ready(port=port)
            await life.stopping.wait()


def visitor(session: aiohttp.ClientSession) -> Callable[[str], Awaitable[None]]:
    """What confirms a subscription: one GET."""

    async def visit(address: str) -> None:
        async with session.get(address) as answer:
            answer.raise_for_status()

    return visit


@asynccontextmanager
async def listening(receiver: Receiver, host: str, port: int = 0) -> AsyncIterator[int]:
    """Serve a receiver for the length of a `with`; gives the port."""
    runner = web.AppRunner(
        receiver.application(), access_log=None, handle_signals=False, shutdown_timeout=1.0
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    run("webhook_receiver", Settings, serve)
