"""What an entry says beside its line: which file, where in it, and when it was read."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from contracts import codec
from contracts.access_log import AccessLogEntry, Error, Event, File, Host, Log
from services.log_shipper.index_day import Backfill, IndexDays
from services.log_shipper.line_parts import MAX_SHORT, Reading

BLOCK_BYTES = 65_536
_MAX_PATH = 4096
_json = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class FileContext:
    """The file that lines are of.

    Args:
        generation: identity of its content, 32 hex digits.
        path: its path when it was first seen.
        first_seen_ms: when that was, in milliseconds since 1970.
    """

    generation: str
    path: str
    first_seen_ms: int


class Envelope:
    """Wraps lines of one file; the general way takes a reading, the fast one is `before_offset`."""

    def __init__(self, context: FileContext, host: str, backfill: Backfill | None) -> None:
        self.context = context
        self.days = IndexDays(context.first_seen_ms, backfill)
        self._host = Host(_text(host)[:MAX_SHORT])
        self._file = File(_text(context.path)[:_MAX_PATH])
        self._after_day = (
            b'","host":' + _json(self._host) + b',"log":{"file":' + _json(self._file) + b',"offset":'
        )

    def before_offset(self, block: int, event_day: str) -> bytes:
        """The record's bytes from after the time to before the offset; few differ in one block."""
        return (
            f',"generation":"{self.context.generation}","block":"{block}","index_day":"{self.days.of(event_day)}'
        ).encode() + self._after_day

    def wrap(self, reading: Reading, offset: int, created: str) -> bytes:
        """Write the record of a reading.

        Args:
            offset: of the line's first byte.
            created: when the line was read, as contracts write times.
        """
        moment = reading.timestamp or self.days.first_seen
        entry = AccessLogEntry(
            timestamp=moment,
            generation=self.context.generation,
            block=str(offset // BLOCK_BYTES),
            index_day=self.days.of(moment[:10]),
            host=self._host,
            log=Log(self._file, offset),
            event=Event(created, reading.original, reading.duration),
            error=None if reading.error is None else Error(reading.error),
            source=reading.source,
            user=reading.user,
            http=reading.http,
            url=reading.url,
            user_agent=reading.user_agent,
            extra=reading.extra,
        )
        return codec.encode(entry)


def _text(name: str) -> str:
    # Names of files are bytes: what is not UTF-8 in them stands as \xHH.
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") or "-"
