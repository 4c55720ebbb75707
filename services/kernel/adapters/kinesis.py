"""Kinesis Data Streams: put, read, list and reshard, in our words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from services.kernel.adapters import data_plane as planes
from services.kernel.adapters import sdk
from services.kernel.core.errors import MissingResource, Retryable, Unavailable
from services.kernel.streams.records import Failed, Fetch, Position, Put, Record, Shard, Stored

# Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html and API_GetRecords.html
MAX_RECORDS_PER_PUT = 500
MAX_BYTES_PER_PUT = 10 * 1024 * 1024
MAX_RECORDS_PER_GET = 10_000

# 10 MiB of data as base64, and for each of 10,000 records a partition key of 256 characters, escaped at worst.
_MAX_GET_ANSWER_BYTES = 64 * 1024 * 1024
_MAX_PUT_ANSWER_BYTES = 1024 * 1024


class _Outcome(msgspec.Struct, gc=False):
    SequenceNumber: str | None = None
    ShardId: str | None = None
    ErrorCode: str | None = None
    ErrorMessage: str | None = None


class _Outcomes(msgspec.Struct):
    Records: list[_Outcome]


class _Child(msgspec.Struct):
    ShardId: str


class _Got(msgspec.Struct, gc=False):
    SequenceNumber: str
    PartitionKey: str
    Data: bytes
    ApproximateArrivalTimestamp: float


class _Fetched(msgspec.Struct):
    Records: list[_Got]
    NextShardIterator: str | None = None
    MillisBehindLatest: int | None = None
    ChildShards: list[_Child] | None = None


_decode_outcomes = msgspec.json.Decoder(_Outcomes)
_decode_fetched = msgspec.json.Decoder(_Fetched)


class ExpiredIterator(Retryable):
    """The shard iterator is older than five minutes, or not one: ask for another at the last position."""


class Kinesis:
    """One client of Kinesis; safe for concurrent calls, sends each call once and never retries.

    Every method raises Throttled, Unavailable or TimedOut (a put may have happened), MissingResource (no such
    stream or shard), Misconfigured (credentials, permissions) or Refused (a fault of the caller).
    """

    def __init__(self, client: Any, plane: planes.DataPlane | None = None) -> None:
        self._client = client
        self._plane = plane

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        endpoint: str | None,
        region: str,
        max_connections: int = 32,
        connect_timeout_s: float = 3.0,
        read_timeout_s: float = 10.0,
        data_plane: str = planes.DEFAULT,
    ) -> AsyncIterator[Kinesis]:
        """Open a client for the length of a `with`.

        Args:
            endpoint: URL, None on AWS.
            max_connections: calls in flight at most; further ones wait for a free connection.
            data_plane: what PutRecords and GetRecords go by: "raw", our own, or "sdk".
        """
        async with planes.opened(
            data_plane,
            "kinesis",
            endpoint,
            region,
            max_connections,
            connect_timeout_s,
            read_timeout_s,
            timestamp_parser=_milliseconds,
        ) as (client, plane):
            yield cls(client, plane)

    async def put_records(self, stream: str, records: Sequence[tuple[bytes, str]]) -> list[Put]:
        """Put a batch in one call.

        Args:
            records: pairs of data and partition key, 1 to 500, together at most 10 MiB.

        Returns:
            One outcome a record, in the order given; a batch may succeed in part.
        """
        entries = [{"Data": data, "PartitionKey": key} for data, key in records]
        try:
            if self._plane is None:
                outcomes = await self._put_sdk(stream, entries)
            else:
                outcomes = await self._put_raw(self._plane, stream, entries)
        except sdk.SDK_ERRORS as error:
            raise sdk.translate(error, f"PutRecords {stream}") from error
        if len(outcomes) != len(entries):
            raise Unavailable(f"PutRecords {stream}: an answer without an outcome for every record")
        return outcomes

    async def _put_sdk(self, stream: str, entries: list[dict[str, Any]]) -> list[Put]:
        answer = await self._client.put_records(StreamName=stream, Records=entries)
        return [
            _put(
                outcome.get("SequenceNumber"),
                outcome.get("ShardId"),
                outcome.get("ErrorCode"),
                outcome.get("ErrorMessage"),
            )
            for outcome in answer.get("Records") or ()
        ]

    async def _put_raw(
        self, plane: planes.DataPlane, stream: str, entries: list[dict[str, Any]]
    ) -> list[Put]:
        request = {"StreamName": stream, "Records": entries}
        answer = await plane.call("PutRecords", request, _decode_outcomes, _MAX_PUT_ANSWER_BYTES)
        return [
            _put(outcome.SequenceNumber, outcome.ShardId, outcome.ErrorCode, outcome.ErrorMessage)
            for outcome in answer.Records
        ]

    async def list_shards(self, stream: str) -> list[Shard]:
        """List every shard that the stream still keeps, closed ones included."""
        shards: list[Shard] = []
        arguments: dict[str, Any] = {"StreamName": stream}
        while True:
            answer = await self._call("list_shards", stream, **arguments)
            shards += [_shard(shard) for shard in answer.get("Shards", ())]
            if not answer.get("NextToken"):
                return shards
            arguments = {"NextToken": answer["NextToken"]}

    async def shard_iterator(self, stream: str, shard_id: str, position: Position) -> str:
        """Get an iterator at a position; it lives for five minutes."""
        arguments: dict[str, Any] = {}
        if position.sequence_number is not None:
            arguments["StartingSequenceNumber"] = str(position.sequence_number)
        if position.timestamp_ms is not None:
            arguments["Timestamp"] = position.timestamp_ms / 1000
        answer = await self._call(
            "get_shard_iterator",
            stream,
            StreamName=stream,
            ShardId=shard_id,
            ShardIteratorType=position.kind,
            **arguments,
        )
        return str(answer["ShardIterator"])

    async def get_records(
        self,
        iterator: str,
        limit: int = MAX_RECORDS_PER_GET,
        stream: str | None = None,
        shard_id: str = "",
    ) -> Fetch:
        """Read on from an iterator.

        Args:
            limit: records at most, 1 to 10,000; Kinesis also stops at 10 MiB.
            stream: its name, for messages only.
            shard_id: the shard that the iterator reads, for the records: Kinesis does not say it again.

        Raises:
            ExpiredIterator: ask for another iterator. kinesis-local says Unavailable instead (HTTP 500).
        """
        what = f"GetRecords {stream or ''}".rstrip()
        try:
            if self._plane is None:
                return await self._get_sdk(iterator, limit, shard_id)
            return await self._get_raw(self._plane, iterator, limit, shard_id)
        except sdk.SDK_ERRORS as error:
            if sdk.error_code(error) in ("ExpiredIteratorException", "InvalidArgumentException"):
                raise ExpiredIterator(what) from error
            raise sdk.translate(error, what) from error
        except KeyError as error:
            raise Unavailable(f"{what}: an answer without records") from error

    async def _get_sdk(self, iterator: str, limit: int, shard_id: str) -> Fetch:
        answer = await self._client.get_records(ShardIterator=iterator, Limit=limit)
        return Fetch(
            records=[
                Record(
                    shard_id,
                    int(record["SequenceNumber"]),
                    record["PartitionKey"],
                    record["Data"],
                    record["ApproximateArrivalTimestamp"],
                )
                for record in answer["Records"]
            ],
            next_iterator=answer.get("NextShardIterator") or None,
            millis_behind_latest=answer.get("MillisBehindLatest") or 0,
            child_shards=[child["ShardId"] for child in answer.get("ChildShards") or ()],
        )

    async def _get_raw(self, plane: planes.DataPlane, iterator: str, limit: int, shard_id: str) -> Fetch:
        request = {"ShardIterator": iterator, "Limit": limit}
        answer = await plane.call("GetRecords", request, _decode_fetched, _MAX_GET_ANSWER_BYTES)
        return Fetch(
            records=[
                Record(
                    shard_id,
                    int(got.SequenceNumber),
                    got.PartitionKey,
                    got.Data,
                    round(got.ApproximateArrivalTimestamp * 1000),
                )
                for got in answer.Records
            ],
            next_iterator=answer.NextShardIterator or None,
            millis_behind_latest=answer.MillisBehindLatest or 0,
            child_shards=[child.ShardId for child in answer.ChildShards or ()],
        )

    async def create_stream(self, stream: str, shards: int) -> bool:
        """Start to create a stream; False when there is one already, or is just being made."""
        try:
            await self._client.create_stream(StreamName=stream, ShardCount=shards)
        except sdk.SDK_ERRORS as error:
            if sdk.error_code(error) == "ResourceInUseException":
                return False
            raise sdk.translate(error, f"CreateStream {stream}") from error
        return True

    async def delete_stream(self, stream: str) -> None:
        """Start to delete a stream; no stream is fine."""
        try:
            await self._call("delete_stream", stream, StreamName=stream, EnforceConsumerDeletion=True)
        except MissingResource:
            return

    async def stream_status(self, stream: str) -> str | None:
        """CREATING, ACTIVE, UPDATING or DELETING; None where there is no stream."""
        summary = await self._summary(stream)
        return None if summary is None else str(summary["StreamStatus"])

    async def retention_hours(self, stream: str) -> int:
        """How long the stream keeps a record, hours.

        Raises:
            MissingResource: there is no such stream.
        """
        summary = await self._summary(stream)
        if summary is None:
            raise MissingResource(f"DescribeStreamSummary {stream}: no such stream")
        return int(summary["RetentionPeriodHours"])

    async def update_retention(self, stream: str, hours: int) -> None:
        """Keep records for this long, 24 to 8,760 hours."""
        now = await self.retention_hours(stream)
        if hours > now:
            await self._call(
                "increase_stream_retention_period", stream, StreamName=stream, RetentionPeriodHours=hours
            )
        elif hours < now:
            await self._call(
                "decrease_stream_retention_period", stream, StreamName=stream, RetentionPeriodHours=hours
            )

    async def split_shard(self, stream: str, shard_id: str, new_starting_hash_key: str) -> None:
        """Start to split a shard in two at a hash key; the stream is UPDATING until it is done."""
        await self._call(
            "split_shard",
            stream,
            StreamName=stream,
            ShardToSplit=shard_id,
            NewStartingHashKey=new_starting_hash_key,
        )

    async def merge_shards(self, stream: str, shard_id: str, adjacent_shard_id: str) -> None:
        """Start to merge two adjacent shards; the stream is UPDATING until it is done."""
        await self._call(
            "merge_shards",
            stream,
            StreamName=stream,
            ShardToMerge=shard_id,
            AdjacentShardToMerge=adjacent_shard_id,
        )

    async def _summary(self, stream: str) -> dict[str, Any] | None:
        try:
            answer = await self._call("describe_stream_summary", stream, StreamName=stream)
        except MissingResource:
            return None
        summary: dict[str, Any] = answer["StreamDescriptionSummary"]
        return summary

    async def _call(self, operation: str, stream: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await getattr(self._client, operation)(**arguments)
        except sdk.SDK_ERRORS as error:
            raise sdk.translate(error, f"{operation} {stream}") from error
        return answer


def _put(number: str | None, shard_id: str | None, code: str | None, message: str | None) -> Put:
    # kinesis-local sends `"ErrorCode": null` with a success: the value decides, not the key.
    if code:
        return Failed(code, message or "")
    if not number or not shard_id:
        raise Unavailable("PutRecords: an outcome that is none")
    return Stored(shard_id, int(number))


def _shard(shard: dict[str, Any]) -> Shard:
    parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
    return Shard(
        shard["ShardId"],
        tuple(parent for parent in parents if parent),
        shard["HashKeyRange"]["StartingHashKey"],
        shard["HashKeyRange"]["EndingHashKey"],
        bool(shard["SequenceNumberRange"].get("EndingSequenceNumber")),
    )


def _milliseconds(value: Any) -> int:
    return round(float(value) * 1000)
