"""One suite for every SNS that we have: topics, publishing, and on the real engine what a webhook receives."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from deploy.local.webhook_receiver import Received, Receiver, listening, visitor
from services.kernel.adapters.sns import MAX_MESSAGE_BYTES, Sns
from services.kernel.core.errors import InvalidRecord, MissingResource, Unavailable
from tests.fault.proxy import FaultProxy
from tests.fault.waiting import until
from tests.memory.sns import MemorySns

TEXTS = {"default": "plain", "http": json.dumps({"n": 1}), "sms": "short"}


@pytest.fixture(params=["memory", "engine"])
async def sns(request: pytest.FixtureRequest) -> AsyncIterator[Sns]:
    if request.param == "memory":
        yield MemorySns()
        return
    async with Sns.open(request.getfixturevalue("aws_endpoint"), "us-east-1") as client:
        yield client


async def test_a_topic_is_made_once_and_found_by_name(sns: Sns, namespace: str) -> None:
    assert await sns.topic_arn(f"{namespace}-alarms") is None
    arn = await sns.create_topic(f"{namespace}-alarms")
    assert await sns.create_topic(f"{namespace}-alarms") == arn
    assert await sns.topic_arn(f"{namespace}-alarms") == arn
    assert await sns.topic_exists(arn)
    await sns.delete_topic(arn)
    assert not await sns.topic_exists(arn)
    await sns.delete_topic(arn)


async def test_every_message_has_an_id_of_its_own(sns: Sns, namespace: str) -> None:
    arn = await sns.create_topic(f"{namespace}-alarms")
    ids = [await sns.publish(arn, "Subject", TEXTS, {"kind": "test"}) for _ in range(3)]
    assert len(set(ids)) == 3


async def test_a_topic_that_is_not_there_is_named(sns: Sns, namespace: str) -> None:
    gone = f"arn:aws:sns:us-east-1:000000000000:{namespace}-gone"
    with pytest.raises(MissingResource, match=f"{namespace}-gone"):
        await sns.publish(gone, "Subject", TEXTS, {})


async def test_a_message_that_sns_would_refuse_is_not_sent(sns: Sns, namespace: str) -> None:
    arn = await sns.create_topic(f"{namespace}-alarms")
    for subject in ("", "x" * 100, "two\nlines", "Füll"):
        with pytest.raises(ValueError, match="subject"):
            await sns.publish(arn, subject, TEXTS, {})
    with pytest.raises(ValueError, match="default"):
        await sns.publish(arn, "Subject", {"sms": "x"}, {})
    with pytest.raises(InvalidRecord, match="too_large"):
        await sns.publish(arn, "Subject", {"default": "x" * MAX_MESSAGE_BYTES}, {})


async def received(
    endpoint: str, namespace: str, messages: list[dict[str, str | list[str]]]
) -> list[Received]:
    """What a receiver that wants webhooks gets of messages with these attributes; the last one has to arrive."""
    async with aiohttp.ClientSession() as session, Sns.open(endpoint, "us-east-1") as sns:
        arn = await sns.create_topic(f"{namespace}-alarms")
        receiver = Receiver(arn, endpoint, visitor(session))
        async with listening(receiver, "127.0.0.1") as port:
            await sns.subscribe(arn, "http", f"http://127.0.0.1:{port}/", {"channels": ["webhook"]})
            await until(receiver.confirmed.is_set, 10, "the subscription is confirmed")
            for attributes in messages:
                await sns.publish(arn, "Subject", TEXTS, attributes)
            last = messages[-1]["kind"]
            await until(
                lambda: any(one.attributes["kind"] == last for one in receiver.messages), 10, "it arrives"
            )
        return list(receiver.messages)


async def test_a_webhook_gets_its_own_text_and_the_attributes(aws_endpoint: str, namespace: str) -> None:
    (found,) = await received(aws_endpoint, namespace, [{"kind": "test", "channels": ["webhook", "sms"]}])
    assert (found.number, found.subject, found.body) == (1, "Subject", {"n": 1})
    assert found.attributes["kind"] == "test"


async def test_a_subscription_gets_only_the_channels_it_asked_for(aws_endpoint: str, namespace: str) -> None:
    found = await received(
        aws_endpoint,
        namespace,
        [{"kind": "a", "channels": ["mail"]}, {"kind": "b", "channels": ["mail", "webhook"]}],
    )
    assert [one.attributes["kind"] for one in found] == ["b"]


async def test_a_receiver_shows_the_last_messages(aws_endpoint: str) -> None:
    async def visit(_address: str) -> None:
        raise AssertionError("nothing is to be confirmed")

    topic = "arn:aws:sns:us-east-1:000000000000:ours"
    receiver = Receiver(topic, aws_endpoint, visit, keep=2)
    async with listening(receiver, "127.0.0.1") as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}"
        for number, message in enumerate((json.dumps({"n": 1}), "plain", json.dumps({"n": 3})), start=1):
            document = {
                "Type": "Notification",
                "TopicArn": topic,
                "MessageId": str(number),
                "Message": message,
            }
            async with session.post(url, json=document) as answer:
                assert answer.status == 200
        for query, bodies in (("", ["plain", {"n": 3}]), ("?after=2", [{"n": 3}]), ("?after=3", [])):
            async with session.get(f"{url}/messages{query}") as answer:
                shown = (await answer.json())["messages"]
                assert [one["body"] for one in shown] == bodies
        for refused in (b"no JSON", json.dumps({"Type": "Notification", "TopicArn": "other"}).encode()):
            async with session.post(url, data=refused) as answer:
                assert answer.status == 400


async def test_a_receiver_visits_no_address_but_the_engines(aws_endpoint: str) -> None:
    visited: list[str] = []

    async def visit(address: str) -> None:
        visited.append(address)

    receiver = Receiver("arn:aws:sns:us-east-1:000000000000:ours", aws_endpoint, visit)
    confirmation = {"Type": "SubscriptionConfirmation", "TopicArn": "arn:aws:sns:us-east-1:000000000000:ours"}
    async with listening(receiver, "127.0.0.1") as port, aiohttp.ClientSession() as session:
        for address, topic, status in (
            ("http://169.254.169.254/latest", confirmation["TopicArn"], 400),
            (f"{aws_endpoint}/?Action=ConfirmSubscription", "arn:aws:sns:us-east-1:000000000000:other", 400),
            (f"{aws_endpoint}.evil/?Action=ConfirmSubscription", confirmation["TopicArn"], 400),
            (f"{aws_endpoint}/?Action=ConfirmSubscription", confirmation["TopicArn"], 200),
        ):
            document = {**confirmation, "TopicArn": topic, "SubscribeURL": address}
            async with session.post(f"http://127.0.0.1:{port}/", json=document) as answer:
                assert answer.status == status, address
    assert visited == [f"{aws_endpoint}/?Action=ConfirmSubscription"]


async def test_an_sns_that_is_away_is_a_retryable_error(aws_endpoint: str, namespace: str) -> None:
    async with FaultProxy(aws_endpoint) as proxy, Sns.open(proxy.url, "us-east-1") as sns:
        arn = await sns.create_topic(f"{namespace}-alarms")
        rule = proxy.outage()
        for _ in range(4):  # by a coin a cut connection or a 503
            with pytest.raises(Unavailable):
                await sns.publish(arn, "Subject", TEXTS, {})
        assert rule.hits == 4
        rule.lift()
        assert await sns.publish(arn, "Subject", TEXTS, {})
