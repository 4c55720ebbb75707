"""SNS: one message to a topic, worded for each protocol, with attributes that subscriptions filter by."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from services.kernel.adapters import sdk
from services.kernel.core.errors import CadabraError, InvalidRecord, MissingResource

# Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MAX_MESSAGE_BYTES = 256 * 1024
MAX_SUBJECT_CHARS = 99  # "less than 100 characters long"

Attribute = str | Sequence[str]


class Sns:
    """One client of SNS; safe for concurrent calls, sends each call once and never retries.

    Every method raises Throttled, Unavailable or TimedOut (the message may have been taken), MissingResource (no
    such topic), Misconfigured (credentials, permissions) or Refused (a fault of the caller).
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        endpoint: str | None,
        region: str,
        max_connections: int = 16,
        connect_timeout_s: float = 3.0,
        read_timeout_s: float = 10.0,
    ) -> AsyncIterator[Sns]:
        """Open a client for the length of a `with`.

        Args:
            endpoint: URL, None on AWS.
            max_connections: calls in flight at most; further ones wait for a free connection.
        """
        session = sdk.new_session()
        async with sdk.client(
            session, "sns", endpoint, region, max_connections, connect_timeout_s, read_timeout_s
        ) as client:
            yield cls(client)

    async def publish(
        self, topic_arn: str, subject: str, texts: Mapping[str, str], attributes: Mapping[str, Attribute]
    ) -> str:
        """Publish one message.

        Args:
            subject: of mails; 1 to 99 printable ASCII characters.
            texts: by protocol (`sms`, `email`, `https`, ...); `default` is for every other one.
            attributes: what subscriptions filter by; a list becomes a `String.Array`.

        Returns:
            SNS's own id of the message.

        Raises:
            InvalidRecord: `too_large`: the texts together are above 256 KiB; nothing was sent.
            ValueError: no `default`, or a subject that SNS would refuse.
        """
        message = checked_message(subject, texts)
        answer = await self._call(
            "publish",
            topic_arn,
            TopicArn=topic_arn,
            Subject=subject,
            Message=message,
            MessageStructure="json",
            MessageAttributes={name: _attribute(value) for name, value in attributes.items()},
        )
        return str(answer["MessageId"])

    async def create_topic(self, name: str) -> str:
        """Make a topic, or find the one of this name; returns its ARN."""
        answer = await self._call("create_topic", name, Name=name)
        return str(answer["TopicArn"])

    async def topic_arn(self, name: str) -> str | None:
        """The ARN of the topic of this name in this account and region; None where there is none."""
        token: dict[str, str] = {}
        while True:
            answer = await self._call("list_topics", name, **token)
            for topic in answer.get("Topics", []):
                if str(topic["TopicArn"]).rpartition(":")[2] == name:
                    return str(topic["TopicArn"])
            if not answer.get("NextToken"):
                return None
            token = {"NextToken": answer["NextToken"]}

    async def topic_exists(self, topic_arn: str) -> bool:
        """Whether there is a topic of this ARN."""
        try:
            await self._call("get_topic_attributes", topic_arn, TopicArn=topic_arn)
        except MissingResource:
            return False
        return True

    async def delete_topic(self, topic_arn: str) -> None:
        """Delete a topic with its subscriptions; no topic is fine."""
        await self._call("delete_topic", topic_arn, TopicArn=topic_arn)

    async def subscribe(
        self, topic_arn: str, protocol: str, address: str, filter_by: Mapping[str, Sequence[str]]
    ) -> None:
        """Ask SNS to send a topic's messages to an address; it asks that address to confirm.

        Args:
            protocol: sms, email, http or https.
            filter_by: values of which a message's attribute has to hold one, by attribute.
        """
        await self._call(
            "subscribe",
            topic_arn,
            TopicArn=topic_arn,
            Protocol=protocol,
            Endpoint=address,
            Attributes={"FilterPolicy": json.dumps({name: list(filter_by[name]) for name in filter_by})},
        )

    async def _call(self, operation: str, what: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await getattr(self._client, operation)(**arguments)
        except sdk.SDK_ERRORS as error:
            raise _translate(error, f"{operation} {what}") from error
        return answer


def checked_message(subject: str, texts: Mapping[str, str]) -> str:
    """The message as SNS takes it for several protocols: a JSON object of texts."""
    if "default" not in texts:
        raise ValueError("a message needs a text for `default`")
    if not 1 <= len(subject) <= MAX_SUBJECT_CHARS or not subject.isascii() or not subject.isprintable():
        raise ValueError("a subject is 1 to 99 printable ASCII characters")
    message = json.dumps(dict(texts), ensure_ascii=False)
    if len(message.encode()) > MAX_MESSAGE_BYTES:
        raise InvalidRecord("too_large", f"a message above {MAX_MESSAGE_BYTES} bytes")
    return message


def _attribute(value: Attribute) -> dict[str, str]:
    if isinstance(value, str):
        return {"DataType": "String", "StringValue": value}
    return {"DataType": "String.Array", "StringValue": json.dumps(list(value))}


def _translate(error: Any, what: str) -> CadabraError:
    if sdk.error_code(error) in ("NotFound", "NotFoundException"):
        return MissingResource(f"{what}: there is no such topic")
    return sdk.translate(error, what)
