"""The way into the stream `rejected`: whatever cannot be handled is kept there with its reason and its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from contracts import codec, dead_letter
from contracts.dead_letter import Place
from contracts.scalars import timestamp
from services.kernel.core import logs
from services.kernel.core.errors import Detail
from services.kernel.core.retry import Retry
from services.kernel.streams.producer import Producer

log = logs.get("rejected")


class RejectedSink:
    """Puts rejected input into its stream and returns once it is durable there.

    The id is made of place and content, so that a repeat of the same rejection is recognised as one. Bytes over
    512 KiB go in several records with one id.

    Args:
        service: who rejects.
        retry: never gives up by default: a rejection that is lost is a lost record.
    """

    def __init__(self, producer: Producer, service: str, retry: Retry | None = None) -> None:
        self._producer = producer
        self._service = service
        self._retry = retry or Retry()

    async def put(
        self,
        reason: str,
        message: str,
        data: bytes,
        details: Sequence[Detail] = (),
        *,
        stream: str | None = None,
        shard_id: str | None = None,
        sequence_number: int | None = None,
        sub_sequence: int = 0,
        file: str | None = None,
        offset: int | None = None,
        source: str | None = None,
        trace: str | None = None,
    ) -> str:
        """Keep one rejected input for operators.

        Args:
            reason: a reason code of the contract `rejected/1`.
            message: one sentence for people, without the content.
            data: the bytes as they were received.
            sub_sequence: which one inside an aggregated record: equal bytes in one aggregate are not one rejection.
            details: every fault; the first 100 are kept.

        Returns:
            The rejection's id.

        Raises:
            ContractViolation: the reason or the place breaks the contract `rejected/1`: a bug of the caller.
        """
        place = Place(stream, shard_id, sequence_number, sub_sequence, file, offset, source)
        pairs = [(detail.pointer, detail.reason) for detail in details]
        now = timestamp(datetime.now(UTC))
        rejected_id = ""
        for letter in dead_letter.letters(self._service, place, reason, message, data, pairs, now, trace):
            rejected_id = letter["rejected_id"]
            await self._put(rejected_id, codec.verify(_typed(letter)))
        log.warning(
            "rejected", reason=reason, rejected_id=rejected_id, stream=stream, file=file, offset=offset
        )
        return rejected_id

    async def _put(self, key: str, data: bytes) -> None:
        await self._retry.call(lambda: self._producer.put(key, data))


def _typed(letter: dict[str, Any]) -> codec.Rejected:
    details = [codec.RejectedDetail(**detail) for detail in letter["details"]]
    return codec.Rejected(**{**letter, "details": details})
