"""`python -m services.log_shipper parse FILE`: a log file as contract records, one a line, for pipes and for looking.

Neither settings nor a stream are needed.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import lzma
import os
import socket
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from contracts.scalars import timestamp
from services.kernel.core.errors import Misconfigured
from services.log_shipper.enrichment import ANONYMISE, KINDS, enrichment
from services.log_shipper.entry import FileContext, LineEncoder
from services.log_shipper.index_day import Backfill
from services.log_shipper.log_format import NAMED_FORMATS, compile_format

MAX_LINE_BYTES = 32 * 1024
_BATCH_LINES = 1024
_FAILED = 2

Line = tuple[int, bytes, bool]


class LineSource(Protocol):
    """What lines are read from."""

    def readline(self, size: int, /) -> bytes:
        """The next line with its end, or its first `size` bytes; empty at the end."""


def main(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: those after the module's name, the first one is `parse`.

    Returns:
        0 when every line was written as a record, whether it was read in full or not; 0 too when the reader of
        the pipe went away; 2 when the arguments are wrong or the file cannot be read, with the reason on stderr.
    """
    options = _options(arguments)
    try:
        return _parse(options)
    except BrokenPipeError:
        # What is still buffered has nowhere to go; without this the interpreter would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Misconfigured, OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        sys.stderr.write(f"{error}\n")
        return _FAILED


def lines(file: LineSource, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[Line]:
    """Read lines with the offset of each; of a longer one its first bytes, and that it was cut.

    Args:
        max_line_bytes: most bytes of a line, its end not counted.
    """
    offset = 0
    while line := file.readline(max_line_bytes + 1):
        begin = offset
        offset += len(line)
        truncated = len(line) > max_line_bytes and not line.endswith(b"\n")
        rest = line
        while truncated and rest and not rest.endswith(b"\n"):
            rest = file.readline(max_line_bytes + 1)
            offset += len(rest)
        yield begin, line[:max_line_bytes] if truncated else line.removesuffix(b"\n"), truncated


def batches(file: LineSource, size: int = _BATCH_LINES) -> Iterator[list[Line]]:
    """Read lines, `size` at a time."""
    batch: list[Line] = []
    for line in lines(file):
        batch.append(line)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.log_shipper")
    commands = parser.add_subparsers(dest="command", required=True)
    parse = commands.add_parser(
        "parse",
        help="print a log file as records of access_log_entry/1, one a line",
        description="Prints a log file as records of access_log_entry/1, one a line; a summary goes to stderr.",
    )
    parse.add_argument("file", metavar="FILE", help="a log, also .gz or .xz; - is standard input")
    names = ", ".join(NAMED_FORMATS)
    parse.add_argument(
        "--format", default="combined", help=f"{names}, or a LogFormat string; default %(default)s"
    )
    parse.add_argument(
        "--enrich", default="", metavar="LIST", help=f"comma separated: {', '.join(KINDS)}; default none"
    )
    parse.add_argument("--anonymise", default="off", choices=ANONYMISE, help="default %(default)s")
    parse.add_argument("--geoip-file", type=Path, metavar="MMDB", help="tell countries by this MaxMind DB")
    parse.add_argument("--host", default=socket.gethostname(), help="host.name; default this machine's")
    parse.add_argument("--backfill-from", type=date.fromisoformat, metavar="DAY", help="with --backfill-to")
    parse.add_argument(
        "--backfill-to",
        type=date.fromisoformat,
        metavar="DAY",
        help="keep event days up to this as index days",
    )
    options = parser.parse_args(arguments)
    if (options.backfill_from is None) != (options.backfill_to is None):
        parse.error("--backfill-from and --backfill-to go together")
    return options


def _parse(options: argparse.Namespace) -> int:
    kinds = [kind.strip() for kind in options.enrich.split(",") if kind.strip()]
    backfill = None
    if options.backfill_from is not None:
        backfill = Backfill(options.backfill_from, options.backfill_to)
    encoder = LineEncoder(
        compile_format(options.format),
        options.host,
        enrichment=enrichment(kinds, anonymise=options.anonymise, geoip_file=options.geoip_file),
        backfill=backfill,
    )
    context = _context(options.file)
    count, reasons = 0, Counter[str]()
    started = time.perf_counter()
    with _open(options.file) as file:
        for batch in batches(file):
            records, found = encoder.encode_block(batch, context, timestamp(datetime.now(UTC)))
            reasons.update(found)
            count += len(records)
            sys.stdout.buffer.write(b"\n".join(records) + b"\n")
    sys.stdout.buffer.flush()
    sys.stderr.write(_summary(count, reasons, time.perf_counter() - started))
    return 0


def _context(name: str) -> FileContext:
    path = "-" if name == "-" else str(Path(name).absolute())
    # The same for each run, so that outputs can be compared; the service gives a random one.
    generation = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
    return FileContext(generation, path, time.time_ns() // 1_000_000)


def _open(name: str) -> BinaryIO | gzip.GzipFile | lzma.LZMAFile:
    if name == "-":
        return _standard_input()
    path = Path(name)
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    return lzma.open(path, "rb") if path.suffix == ".xz" else path.open("rb")


def _standard_input() -> BinaryIO:
    return open(sys.stdin.fileno(), "rb", closefd=False)


def _summary(count: int, reasons: Counter[str], seconds: float) -> str:
    partial = sum(reasons.values())
    listed = "".join(f", {reason} {number:,}" for reason, number in sorted(reasons.items()))
    speed = f"{count / seconds:,.0f} lines/s" if seconds > 0 else "no time"
    return f"{count:,} lines, {count - partial:,} read in full{listed}; {speed}\n"
