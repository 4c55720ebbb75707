"""SNS in memory: topics, and every message that they took, with faults on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.kernel.adapters.sns import Attribute, Sns, checked_message
from services.kernel.core.errors import MissingResource

Fault = Callable[[str], BaseException | None]


@dataclass(frozen=True)
class Published:
    """One message as a topic took it."""

    topic_arn: str
    subject: str
    texts: dict[str, str]
    attributes: dict[str, Any]


class MemorySns(Sns):
    """An SNS without a network.

    `fault` is asked before every call with the operation's name and may return an error to raise; `fault_after` the
    same once the effect has happened: an answer that is lost.
    """

    def __init__(self) -> None:
        super().__init__(client=None)
        self.published: list[Published] = []
        self.fault: Fault = lambda _operation: None
        self.fault_after: Fault = lambda _operation: None
        self._topics: set[str] = set()

    async def publish(
        self, topic_arn: str, subject: str, texts: Mapping[str, str], attributes: Mapping[str, Attribute]
    ) -> str:
        checked_message(subject, texts)
        self._check("publish")
        if topic_arn not in self._topics:
            raise MissingResource(topic_arn)
        self.published.append(Published(topic_arn, subject, dict(texts), dict(attributes)))
        self._check("publish", after=True)
        return f"message-{len(self.published)}"

    async def create_topic(self, name: str) -> str:
        self._check("create_topic")
        arn = f"arn:aws:sns:us-east-1:000000000000:{name}"
        self._topics.add(arn)
        return arn

    async def topic_arn(self, name: str) -> str | None:
        self._check("list_topics")
        return next((arn for arn in self._topics if arn.rpartition(":")[2] == name), None)

    async def topic_exists(self, topic_arn: str) -> bool:
        self._check("get_topic_attributes")
        return topic_arn in self._topics

    async def delete_topic(self, topic_arn: str) -> None:
        self._check("delete_topic")
        self._topics.discard(topic_arn)

    async def subscribe(
        self, topic_arn: str, protocol: str, address: str, filter_by: Mapping[str, Sequence[str]]
    ) -> None:
        self._check("subscribe")
        if topic_arn not in self._topics:
            raise MissingResource(topic_arn)

    def _check(self, operation: str, after: bool = False) -> None:
        error = (self.fault_after if after else self.fault)(operation)
        if error is not None:
            raise error
