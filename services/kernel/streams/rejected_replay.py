"""Putting a dead letter back into its stream, as it was or corrected, under the identity that it had."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from contracts import codec, order
from contracts.catalog import Catalog
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.errors import CadabraError, Throttled
from services.kernel.core.retry import Retry
from services.kernel.streams.records import Failed, Stored


class NotReplayable(CadabraError):
    """This dead letter cannot go back as it is; the message says why and what helps."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A record that goes back.

    Args:
        stream: physical name.
    """

    stream: str
    partition_key: str
    data: bytes


def prepare(
    letter: Mapping[str, Any], catalog: Catalog, namespace: str, corrected: bytes | None = None
) -> Replay:
    """Make the record that a dead letter is replayed as.

    A corrected order keeps its source and order id. Its event id, which names its content, is made anew, so that
    the store does not take it for what was there before.

    Args:
        letter: whole, as `rejected_reader` gives it.
        corrected: bytes to put in place of those that were rejected.

    Raises:
        NotReplayable: it came from no stream of this namespace, the bytes break the stream's contract, or the
            corrected record is another order.
    """
    stream = str(letter["stream"])
    logical = stream.removeprefix(f"{namespace}-")
    if not stream.startswith(f"{namespace}-") or logical not in catalog.streams:
        raise NotReplayable(
            f"it was read from {letter['file'] or letter['stream'] or 'no stream'}, not from a stream of the "
            f"namespace {namespace}; send the corrected content through its own door again"
        )
    if catalog.streams[logical].contract != "order":
        raise NotReplayable(f"records of {stream} are not replayed; only orders are")
    record = _order(corrected if corrected is not None else letter["data"], corrected is not None)
    if corrected is None:
        return Replay(stream, order.partition_key(record.source, record.order_id), letter["data"])
    _same_identity(letter, record)
    record = msgspec.structs.replace(record, event_id=order.event_id(msgspec.to_builtins(record)))
    return Replay(stream, order.partition_key(record.source, record.order_id), codec.verify(record))


async def put(kinesis: Kinesis, replay: Replay, retry: Retry) -> Stored:
    """Put it, and return once the stream has it.

    Raises:
        Retryable: not within the retry's budget; it may be there, and repeating is harmless.
    """

    async def once() -> Stored:
        [outcome] = await kinesis.put_records(replay.stream, [(replay.data, replay.partition_key)])
        if isinstance(outcome, Failed):
            raise Throttled(f"{outcome.code}: {outcome.message}")
        return outcome

    return await retry.call(once)


def _order(data: bytes, corrected: bool) -> codec.Order:
    try:
        return codec.decoder("order", 1)(data)
    except codec.ContractViolation as error:
        faults = "; ".join(f"{fault.pointer or '/'}: {fault.reason}" for fault in error.details[:20])
        advice = "" if corrected else "; correct it (`rejected show`) and replay it with --data FILE"
        raise NotReplayable(f"the record breaks order/1: {error.message} {faults}{advice}") from error


def _same_identity(letter: Mapping[str, Any], record: codec.Order) -> None:
    try:
        old = json.loads(letter["data"])
    except ValueError:
        old = None
    known = (
        {name: old[name] for name in ("source", "order_id") if name in old} if isinstance(old, dict) else {}
    )
    if letter["source"] is not None:
        known.setdefault("source", letter["source"])
    for name, value in known.items():
        if isinstance(value, str) and value != getattr(record, name):
            raise NotReplayable(
                f"{name} was {value!r} and is {getattr(record, name)!r}: another order's record"
            )
