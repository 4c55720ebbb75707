"""Our parser in one loop, from the bytes of a file to records; nothing is sent anywhere.

`python -m bench.logs.ours INPUT [KIND ...]` prints the loop's figures as JSON; each KIND is an enrichment.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from services.log_shipper.enrichment import enrichment
from services.log_shipper.entry import FileContext, LineEncoder
from services.log_shipper.log_format import compile_format

_READ_BYTES = 65_536
_CREATED = "2015-05-20T21:05:59.000Z"
_FIRST_SEEN_MS = 1_432_155_959_000  # the same: the day after the last line


def blocks(path: Path) -> Iterator[list[tuple[int, bytes, bool]]]:
    """The lines of a file with their offsets, some 64 KiB at a time."""
    offset = 0
    with path.open("rb") as file:
        while lines := file.readlines(_READ_BYTES):
            block = []
            for line in lines:
                block.append((offset, line[:-1], False))
                offset += len(line)
            yield block


def main() -> None:
    """Time the loop."""
    path, kinds = Path(sys.argv[1]), sys.argv[2:]
    encoder = LineEncoder(compile_format("combined"), "web-1", enrichment=enrichment(kinds))
    context = FileContext("0" * 32, str(path), _FIRST_SEEN_MS)
    count = 0
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    for block in blocks(path):
        records, _ = encoder.encode_block(block, context, _CREATED)
        count += len(records)
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    print(json.dumps({"lines": count, "cpu_s": cpu_s, "wall_s": wall_s}))


if __name__ == "__main__":
    main()
