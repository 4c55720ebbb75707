"""A Kinesis of constant cost: answers PutRecords with success and does nothing, so that a bench measures the sender.

`python -m bench.kinesis_stub` prints its port on a line of its own and serves on 127.0.0.1 until it is killed.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

_RECORD = json.dumps({"SequenceNumber": "4" * 56, "ShardId": "shardId-000000000000"}).encode()
_SUMMARY = json.dumps(
    {"StreamDescriptionSummary": {"StreamStatus": "ACTIVE", "RetentionPeriodHours": 168}}
).encode()
_KEY = b'"PartitionKey"'


class Stub(asyncio.Protocol):
    """One connection: HTTP/1.1 with Content-Length and keep-alive, which is all that the SDK needs."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed_bytes = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        """Keep where answers go."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._rest += data
        while self._rest and len(self._rest) >= self._needed_bytes:
            end = self._rest.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._rest[:end]).lower()
            body_bytes = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            self._needed_bytes = end + 4 + body_bytes
            if len(self._rest) < self._needed_bytes:
                return
            body = self._rest[end + 4 : self._needed_bytes]
            del self._rest[: self._needed_bytes]
            self._needed_bytes = 0
            self._answer(_SUMMARY if b"describestreamsummary" in head else _outcomes(body.count(_KEY)))

    def _answer(self, body: bytes) -> None:
        assert self._transport is not None
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


def _outcomes(count: int) -> bytes:
    return b'{"FailedRecordCount":0,"Records":[' + b",".join([_RECORD] * count) + b"]}"


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
