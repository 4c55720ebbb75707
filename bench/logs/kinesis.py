"""A Kinesis of constant cost that knows how many entries arrived, whatever records they came in.

`python -m bench.logs.kinesis` prints its port and serves on 127.0.0.1 until it is killed; `arrived` asks it.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import re

from bench.kinesis_stub import KinesisStub
from bench.stub import serve

_COUNT = "bench.count"
_DATA = re.compile(rb'"Data":"([A-Za-z0-9+/=]*)"')
_ENTRY = b'{"@timestamp":'


class CountingKinesis(KinesisStub):
    """A stream that takes everything and counts; all connections together."""

    entries = 0

    def answer(self, head: bytes, body: bytearray) -> None:
        """Answer the count, or what Kinesis would."""
        if _COUNT.encode() in head:
            self.write(str(CountingKinesis.entries).encode())
            return
        CountingKinesis.entries += entries_in(body)
        super().answer(head, body)


def entries_in(body: bytes | bytearray) -> int:
    """How many access log entries the records of a PutRecords hold, aggregated or not."""
    return sum(base64.b64decode(match[1]).count(_ENTRY) for match in _DATA.finditer(body))


def arrived(port: int) -> int:
    """How many entries have arrived so far."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/", headers={"X-Amz-Target": _COUNT, "Content-Length": "0"})
        return int(connection.getresponse().read())
    finally:
        connection.close()


if __name__ == "__main__":
    asyncio.run(serve(CountingKinesis))
