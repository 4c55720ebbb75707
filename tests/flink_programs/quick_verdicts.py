"""Reads documents of `order/1` that were spoiled as the job reads them, and by the reference. Runs in .venv-flink.

Prints how many were read, and ends with 1 at the first difference.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import orjson

from contracts import catalog, quick, validate

CONTRACT = catalog.contract("order", 1)
PIECES = [
    b'"',
    b"\\",
    b"\\ud800",
    b"NaN",
    b"1e999",
    b"-0",
    b"9" * 30,
    b"\xff",
    b"\x00",
    b"[",
    b"}",
    b"null",
    b"true",
    b" ",
]


def _verdict(read: Any, data: bytes) -> Any:
    try:
        return repr(read(data))
    except validate.ContractViolation as violation:
        return (violation.reason, violation.message, violation.details)


def main() -> int:
    """Compare the two."""
    rng = random.Random(19)
    folder = catalog.ROOT / "examples" / "order" / "1"
    examples = [path.read_bytes() for path in sorted(folder.glob("*.json"))]
    read = quick.reader(CONTRACT, orjson.loads)
    for number in range(20_000):
        data = rng.choice(examples)
        for _ in range(rng.randrange(3)):
            at, piece = rng.randrange(len(data)), rng.choice(PIECES)
            data = data[:at] + piece + data[at + rng.choice((0, 1, len(piece))) :]
        expected = _verdict(lambda given: validate.check(CONTRACT, given), data)
        if _verdict(read, data) != expected:
            print(number, data, expected, _verdict(read, data))
            return 1
    print("20000 read alike")
    return 0


if __name__ == "__main__":
    sys.exit(main())
