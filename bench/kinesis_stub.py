"""A Kinesis of constant cost: answers PutRecords with success and does nothing, so that a bench measures the sender.

`python -m bench.kinesis_stub` prints its port on a line of its own and serves on 127.0.0.1 until it is killed.
"""

from __future__ import annotations

import asyncio
import json

from bench.stub import Stub, serve

_RECORD = json.dumps({"SequenceNumber": "4" * 56, "ShardId": "shardId-000000000000"}).encode()
_SUMMARY = json.dumps(
    {"StreamDescriptionSummary": {"StreamStatus": "ACTIVE", "RetentionPeriodHours": 168}}
).encode()
_KEY = b'"PartitionKey"'


class KinesisStub(Stub):
    """A stream that takes everything."""

    def answer(self, head: bytes, body: bytearray) -> None:
        """Answer DescribeStreamSummary, and any other call as PutRecords."""
        self.write(_SUMMARY if b"describestreamsummary" in head else outcomes(body))


def outcomes(body: bytearray) -> bytes:
    """Success for each record of a PutRecords."""
    return b'{"FailedRecordCount":0,"Records":[' + b",".join([_RECORD] * body.count(_KEY)) + b"]}"


if __name__ == "__main__":
    asyncio.run(serve(KinesisStub))
