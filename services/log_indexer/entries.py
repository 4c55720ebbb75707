"""One record of the stream as a document: its id, its day, its bytes. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import lru_cache

from contracts.codec import AccessLogEntry, ContractViolation, decoder
from services.kernel.core.errors import Detail, InvalidRecord

_HOST_HASH_CHARACTERS = 8
_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")
_decode = decoder("access_log_entry", 1)


def decode(data: bytes) -> AccessLogEntry:
    """Decode a record's bytes by the contract `access_log_entry/1`.

    Raises:
        InvalidRecord: they break the contract; reason, message and every fault are the contract's own.
    """
    try:
        return _decode(data)
    except ContractViolation as violation:
        details = [Detail(fault.pointer, fault.reason) for fault in violation.details]
        raise InvalidRecord(violation.reason, violation.message, details) from violation


def document_id(entry: AccessLogEntry) -> str:
    """The entry's identity as a document's id: host, generation of the file, offset of the line.

    A line that is read, sent or delivered again has the same id for ever; two lines never share one.
    """
    return f"{_host_hash(entry.host.name)}-{entry.generation}-{entry.log.offset}"


def body(data: bytes) -> bytes:
    """A record's bytes as one line of a bulk request.

    JSON has line breaks only between its tokens. One that stayed would end the line, and what follows would be taken
    for an action on some other document.
    """
    return data.translate(_LINE_BREAKS) if b"\n" in data or b"\r" in data else data


def seconds(timestamp: str) -> float:
    """A contract's timestamp in seconds since the epoch."""
    return datetime.fromisoformat(timestamp).timestamp()


@lru_cache(maxsize=4_096)
def _host_hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:_HOST_HASH_CHARACTERS]
