"""Kinesis and DynamoDB of constant cost for the data plane's bench: answers are made before, nothing is kept.

`python -m bench.data_plane_stub FILE` serves the bytes of FILE as the answer of every GetRecords; prints its port on a
line of its own and serves on 127.0.0.1 until it is killed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

_RECORD = json.dumps({"SequenceNumber": "4" * 56, "ShardId": "shardId-000000000000"}).encode()
_KEY = b'"PartitionKey"'


class Stub(asyncio.Protocol):
    """One connection: HTTP/1.1 with Content-Length and keep-alive.

    Args:
        page: the answer of GetRecords.
    """

    def __init__(self, page: bytes) -> None:
        self._page = page
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
            size_bytes = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            self._needed_bytes = end + 4 + size_bytes
            if len(self._rest) < self._needed_bytes:
                return
            body = self._rest[end + 4 : self._needed_bytes]
            del self._rest[: self._needed_bytes]
            self._needed_bytes = 0
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytearray) -> None:
        if b".putitem" in head:
            return self._write(b"{}", b"x-amz-crc32: 2745614147\r\n")
        if b".getrecords" in head:
            return self._write(self._page)
        outcomes = b",".join([_RECORD] * body.count(_KEY))
        return self._write(b'{"FailedRecordCount":0,"Records":[' + outcomes + b"]}")

    def _write(self, body: bytes, more: bytes = b"") -> None:
        assert self._transport is not None
        head = (
            b"HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Mon, 03 Nov 2025 10:00:00 GMT\r\n"
            b"Content-Type: application/x-amz-json-1.1\r\nx-amzn-RequestId: 4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5\r\n"
        )
        self._transport.write(head + more + b"Content-Length: %d\r\n\r\n" % len(body) + body)


async def main(page: bytes) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(lambda: Stub(page), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_bytes()))
