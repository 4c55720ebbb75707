"""What the stubs of constant cost share: the least of HTTP/1.1 that a client of Kinesis or DynamoDB needs."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

_HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Mon, 03 Nov 2025 10:00:00 GMT\r\n"
    b"Content-Type: application/x-amz-json-1.1\r\nx-amzn-RequestId: 4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5\r\n"
)


class Stub(asyncio.Protocol, ABC):
    """One connection: requests with Content-Length, one after another, each answered at once."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed_bytes = 0
        self._transport: asyncio.Transport | None = None

    @abstractmethod
    def answer(self, head: bytes, body: bytearray) -> None:
        """Answer one call by `write`.

        Args:
            head: request line and headers, in lower case.
        """

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
            self.answer(head, body)

    def write(self, body: bytes, more: bytes = b"") -> None:
        """Send an answer.

        Args:
            more: further headers, each with its end of line.
        """
        assert self._transport is not None
        self._transport.write(_HEAD + more + b"Content-Length: %d\r\n\r\n" % len(body) + body)


async def serve(make: Callable[[], Stub]) -> None:
    """Print the port on a line of its own and serve on 127.0.0.1 until killed."""
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
