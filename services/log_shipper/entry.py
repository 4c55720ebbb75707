"""Lines to records of `access_log_entry/1`: the hot path of the shipper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from contracts.access_log import ErrorType
from services.kernel.core.errors import Misconfigured
from services.log_shipper.enrichment_port import NO_ENRICHMENT, Enrichment
from services.log_shipper.envelope import BLOCK_BYTES, Envelope, FileContext
from services.log_shipper.index_day import Backfill
from services.log_shipper.line_parts import MAX_SHORT
from services.log_shipper.line_reader import LineReader
from services.log_shipper.log_format import LogFormat
from services.log_shipper.plain_lines import NotPlain, PlainLines
from services.log_shipper.remembered import Remembered

__all__ = ["FileContext", "LineEncoder"]


# Of one block; an honest one has a day or two.
_REMEMBERED_DAYS = 64


class LineEncoder:
    """Turns lines of one format into records; any bytes give a valid record.

    Args:
        host: name of the machine that wrote them, 1 to 255 characters.
        backfill: days of old files that may have indices of their own.

    Raises:
        Misconfigured: the host has no name, or too long a one.
    """

    def __init__(
        self,
        log_format: LogFormat,
        host: str,
        *,
        enrichment: Enrichment = NO_ENRICHMENT,
        backfill: Backfill | None = None,
    ) -> None:
        if not 1 <= len(host) <= MAX_SHORT:
            raise Misconfigured(f"the host's name has 1 to {MAX_SHORT} characters")
        self._host = host
        self._backfill = backfill
        self._reader = LineReader(log_format, enrichment)
        self._envelope: Envelope | None = None
        try:
            self._plain: PlainLines | None = PlainLines(log_format, enrichment)
        except NotPlain:
            self._plain = None

    def encode_block(
        self, lines: Sequence[tuple[int, bytes, bool]], context: FileContext, created: str
    ) -> tuple[list[bytes], Counter[ErrorType]]:
        """Write the records of lines of one file.

        Args:
            lines: offset of the first byte, the line with or without its end, whether it was cut to a limit.
            context: the file.
            created: when they were read, as contracts write times.

        Returns:
            one record for each line, in order, and how many were not read in full, by reason.
        """
        envelope = self._enveloped(context)
        plain = None if self._plain is None else self._plain.record
        after_offset = b'},"event":{"created":"' + created.encode() + b'"}'
        records: list[bytes] = []
        reasons: Counter[ErrorType] = Counter()
        block = -1
        places: Mapping[str, bytes] = {}
        for offset, line, truncated in lines:
            if offset // BLOCK_BYTES != block:
                block = offset // BLOCK_BYTES
                places = Remembered(partial(envelope.before_offset, block), _REMEMBERED_DAYS)
            if plain is not None and not truncated:
                try:
                    records.append(plain(line, offset, places, after_offset))
                except NotPlain:
                    pass
                else:
                    continue
            record, reason = self._read(envelope, line, truncated, offset, created)
            records.append(record)
            if reason is not None:
                reasons[reason] += 1
        return records, reasons

    def encode(
        self, line: bytes, *, truncated: bool, context: FileContext, offset: int, created: str
    ) -> bytes:
        """Write the record of one line; see `encode_block`."""
        records, _ = self.encode_block([(offset, line, truncated)], context, created)
        return records[0]

    def encode_by_reference(
        self, line: bytes, *, truncated: bool, context: FileContext, offset: int, created: str
    ) -> bytes:
        """The same by the general reader alone, whatever the format: what the fast way is held to."""
        return self._read(self._enveloped(context), line, truncated, offset, created)[0]

    def fragments_kept(self) -> int:
        """How many pieces of lines are remembered: at most 49,152."""
        return 0 if self._plain is None else self._plain.kept()

    def _enveloped(self, context: FileContext) -> Envelope:
        if self._envelope is None or self._envelope.context != context:
            self._envelope = Envelope(context, self._host, self._backfill)
        return self._envelope

    def _read(
        self, envelope: Envelope, line: bytes, truncated: bool, offset: int, created: str
    ) -> tuple[bytes, ErrorType | None]:
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        reading = self._reader.read(text, truncated=truncated)
        return envelope.wrap(reading, offset, created), reading.error
