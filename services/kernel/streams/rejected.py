"""The way into the stream `rejected`: whatever cannot be handled is kept there with its reason and its bytes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from contracts import codec
from services.kernel.core import logs
from services.kernel.core.errors import Detail
from services.kernel.core.retry import Retry
from services.kernel.streams.producer import Producer

CHUNK_BYTES = 512 * 1024
MAX_DETAILS = 100
MAX_MESSAGE = 1_000
MAX_DETAIL = 256

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
        record = f"{sequence_number}.{sub_sequence}" if sub_sequence else f"{sequence_number}"
        place = f"{self._service}|{stream}|{shard_id}|{record}|{file}|{offset}|{source}|{reason}|"
        rejected_id = hashlib.sha256(place.encode() + data).hexdigest()[:32]
        chunks = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)] or [b""]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        for ordinal, chunk in enumerate(chunks):
            letter = codec.Rejected(
                rejected_id=rejected_id,
                reason=cast(codec.Reason, reason),
                message=message[:MAX_MESSAGE],
                service=self._service,
                stream=stream,
                shard_id=shard_id,
                sequence_number=None if sequence_number is None else str(sequence_number),
                file=file,
                offset=offset,
                source=source,
                details=[
                    codec.RejectedDetail(d.pointer[:MAX_DETAIL], d.reason[:MAX_DETAIL])
                    for d in details[:MAX_DETAILS]
                ],
                data=base64.b64encode(chunk).decode("ascii"),
                chunk=ordinal,
                chunks=len(chunks),
                size_bytes=len(data),
                rejected_at=now,
                trace=trace,
            )
            await self._put(rejected_id, codec.verify(letter))
        log.warning(
            "rejected", reason=reason, rejected_id=rejected_id, stream=stream, file=file, offset=offset
        )
        return rejected_id

    async def _put(self, key: str, data: bytes) -> None:
        await self._retry.call(lambda: self._producer.put(key, data))
