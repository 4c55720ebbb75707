"""Bulk requests that create documents: how they are framed, cut and, where OpenSearch refuses one whole, halved.

Source: https://docs.opensearch.org/2.19/api-reference/document-apis/bulk/
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from services.kernel.adapters.opensearch_errors import (
    TOO_LARGE,
    UNMAPPABLE,
    MissingIndex,
    WholeRefused,
    of_item,
)
from services.kernel.core.errors import InvalidRecord, Refused, Retryable, Unavailable

# The smallest limit of a request on AWS, whatever the instance, less what surrounds the documents.
# Source: https://docs.aws.amazon.com/opensearch-service/latest/developerguide/limits.html (network limits, 10 MiB)
MAX_REQUEST_BYTES = 10 * 1024 * 1024 - 64 * 1024
# Source: IndexRequest.validate of OpenSearch: one longer id makes it refuse the whole request.
MAX_ID_BYTES = 512
MAX_REFUSALS = 64
ANSWER_FIELDS = "items.*.status,items.*.error.type"


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document that is to exist once.

    Args:
        index: where; nothing but an existing index takes it.
        id: 1 to 512 bytes in UTF-8; the same id in the same index is the same document.
        body: one JSON object in UTF-8, on one line.
    """

    index: str
    id: str
    body: bytes


class Effect(enum.Enum):
    """What became of a document that is now in its index."""

    CREATED = "created"
    ALREADY_THERE = "already there"


Outcome = Effect | InvalidRecord | Retryable | MissingIndex


class _Error(msgspec.Struct):
    type: str = ""


class _Item(msgspec.Struct):
    status: int
    error: _Error | None = None


class _Created(msgspec.Struct):
    create: _Item


class _Answer(msgspec.Struct):
    items: list[_Created]


_decode = msgspec.json.Decoder(_Answer).decode
_encode = msgspec.json.Encoder().encode

Send = Callable[[bytes], Awaitable[bytes]]
"""Sends the body of one bulk request and returns the body of its answer; raises WholeRefused."""


async def create(documents: Sequence[NewDocument], send: Send) -> list[Outcome]:
    """Create every document that can be; in as few requests as the limits allow, one after another.

    Returns:
        What became of each, in their order.

    Raises:
        Retryable, Misconfigured: a request failed whole; documents of this call may be in their index.
        Refused: OpenSearch refuses so many requests whole that it cannot be for single documents.
    """
    run = _Run(documents, send)
    for part in _parts(documents, run.outcomes):
        await run.create(part)
    # Every place that was not given to a request has got its error from `_parts`.
    return [run.outcomes[place] for place in range(len(documents))]


@dataclass(slots=True)
class _Run:
    """One call: what is known by now about its documents, by their place in it."""

    documents: Sequence[NewDocument]
    send: Send
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    refusals: int = 0

    async def create(self, places: Sequence[int]) -> None:
        """Create these; halve them where OpenSearch refuses them together, until the one is found that it is for."""
        try:
            answer = await self.send(b"".join(framed(self.documents[place]) for place in places))
        except WholeRefused as error:
            self.refusals += 1
            if self.refusals > MAX_REFUSALS:
                raise Refused(f"{error}, and so on for each part of it") from error
            if len(places) == 1:
                reason = TOO_LARGE if error.too_long else UNMAPPABLE
                self.outcomes[places[0]] = InvalidRecord(reason, "OpenSearch refuses a request with it alone")
                return
            middle = len(places) // 2
            await self.create(places[:middle])
            await self.create(places[middle:])
            return
        for place, item in zip(places, _items(answer, len(places)), strict=True):
            self.outcomes[place] = _outcome(item, self.documents[place].index)


def framed(document: NewDocument) -> bytes:
    """The two lines of a document in a bulk request."""
    action = b'{"create":{"_index":%b,"_id":%b}}' % (_encode(document.index), _encode(document.id))
    return b"%b\n%b\n" % (action, document.body)


def own_fault(document: NewDocument) -> InvalidRecord | None:
    """What is wrong with a document that must not be sent: it would take others, or OpenSearch's limits, with it."""
    if b"\n" in document.body:
        return InvalidRecord(UNMAPPABLE, "a line break in it would begin another action")
    if not 1 <= len(document.id.encode()) <= MAX_ID_BYTES:
        return InvalidRecord(UNMAPPABLE, f"its id is not 1 to {MAX_ID_BYTES} bytes long")
    if _size_bytes(document) > MAX_REQUEST_BYTES:
        return InvalidRecord(TOO_LARGE, f"above {MAX_REQUEST_BYTES} bytes")
    return None


def _parts(documents: Sequence[NewDocument], outcomes: dict[int, Outcome]) -> list[list[int]]:
    """The places of the documents, cut so that each part fits into a request; those at fault get their outcome."""
    parts: list[list[int]] = []
    left = 0
    for place, document in enumerate(documents):
        fault = own_fault(document)
        if fault is not None:
            outcomes[place] = fault
            continue
        size_bytes = _size_bytes(document)
        if size_bytes > left:
            parts.append([])
            left = MAX_REQUEST_BYTES
        parts[-1].append(place)
        left -= size_bytes
    return parts


def _size_bytes(document: NewDocument) -> int:
    # An upper bound: of what JSON makes of a character in six bytes, and of what stands around.
    return len(document.body) + 6 * (len(document.index) + len(document.id)) + 64


def _items(answer: bytes, count: int) -> list[_Item]:
    try:
        items = [one.create for one in _decode(answer).items]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unavailable("bulk: an answer that is none") from error
    if len(items) != count:
        raise Unavailable(f"bulk: an answer about {len(items)} documents of {count}")
    return items


def _outcome(item: _Item, index: str) -> Outcome:
    if item.status in (200, 201):
        return Effect.CREATED
    if item.status == 409:
        return Effect.ALREADY_THERE
    return of_item(item.status, item.error.type if item.error else "", index)
