"""Kinesis and DynamoDB of constant cost for the data plane's bench: answers are made before, nothing is kept.

`python -m bench.data_plane_stub FILE` serves the bytes of FILE as the answer of every GetRecords; prints its port on a
line of its own and serves on 127.0.0.1 until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
import zlib
from functools import cache
from pathlib import Path

from bench.kinesis_stub import outcomes
from bench.stub import Stub, serve

_STATEMENT = b'"Statement"'


class DataPlaneStub(Stub):
    """Both services.

    Args:
        page: the answer of GetRecords.
    """

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self._page = page

    def answer(self, head: bytes, body: bytearray) -> None:
        """Answer the hot calls; DynamoDB's carry a checksum, as the service's do."""
        if b".putitem" in head:
            self.write(*_checked(b"{}"))
        elif b".batchexecutestatement" in head:
            self.write(*_stored(body.count(_STATEMENT)))
        elif b".getrecords" in head:
            self.write(self._page)
        else:
            self.write(outcomes(body))


@cache
def _stored(count: int) -> tuple[bytes, bytes]:
    """The answer to a batch of inserts that are all stored."""
    return _checked(b'{"Responses":[' + b",".join([b'{"TableName":"bench-order_history"}'] * count) + b"]}")


def _checked(body: bytes) -> tuple[bytes, bytes]:
    return body, b"x-amz-crc32: %d\r\n" % zlib.crc32(body)


if __name__ == "__main__":
    answer = Path(sys.argv[1]).read_bytes()
    asyncio.run(serve(lambda: DataPlaneStub(answer)))
