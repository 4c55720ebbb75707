"""The fields of an access log entry that may be asked for, by their ECS names and by short ones. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How a field is indexed, which says what can be asked of it."""

    TERM = "term"
    """A whole text: equal, a beginning, a pattern."""
    WORDS = "words"
    """The words of a text: a word, a beginning of one, a phrase."""
    NUMBER = "number"
    ADDRESS = "address"
    """An IP address or a network."""
    FLAG = "flag"
    TIME = "time"


@dataclass(frozen=True)
class LogField:
    """One field.

    Args:
        path: its ECS name, as the index has it.
        short: another name for it, "" for none.
        facet: whether its values may be counted.
    """

    path: str
    kind: Kind
    short: str = ""
    facet: bool = False


TIMESTAMP = "@timestamp"
STATUS = "http.response.status_code"
SIZE = "http.response.body.bytes"
ADDRESS = "source.address"
AGENT = "user_agent.original"
PATH = "url.path"

_ALL = (
    LogField(STATUS, Kind.NUMBER, "status", facet=True),
    LogField(PATH, Kind.TERM, "path", facet=True),
    LogField("url.path.words", Kind.WORDS),
    LogField("http.request.referrer", Kind.TERM, "referrer", facet=True),
    LogField("http.request.referrer.words", Kind.WORDS),
    LogField(AGENT, Kind.TERM, "agent", facet=True),
    LogField("user_agent.original.words", Kind.WORDS),
    LogField("source.geo.country_iso_code", Kind.TERM, "country", facet=True),
    LogField("user_agent.bot", Kind.FLAG, "bot", facet=True),
    LogField("http.request.method", Kind.TERM, "method", facet=True),
    LogField("host.name", Kind.TERM, "host", facet=True),
    LogField("user_agent.name", Kind.TERM, "browser", facet=True),
    LogField("user_agent.os.name", Kind.TERM, "os", facet=True),
    LogField("user_agent.version", Kind.TERM),
    LogField("user_agent.device.name", Kind.TERM, "device", facet=True),
    LogField(ADDRESS, Kind.TERM, "address", facet=True),
    LogField("source.ip", Kind.ADDRESS, "ip"),
    LogField("source.domain", Kind.TERM),
    LogField("user.name", Kind.TERM, "user", facet=True),
    LogField("http.version", Kind.TERM, facet=True),
    LogField(SIZE, Kind.NUMBER, "size"),
    LogField("event.duration", Kind.NUMBER, "duration"),
    LogField("url.domain", Kind.TERM, "domain", facet=True),
    LogField("url.original", Kind.TERM),
    LogField("url.query", Kind.TERM),
    LogField("log.file.path", Kind.TERM, "file", facet=True),
    LogField("log.offset", Kind.NUMBER),
    LogField("error.type", Kind.TERM, "error", facet=True),
    LogField("event.original", Kind.WORDS),
    LogField("generation", Kind.TERM),
    LogField("extra.name", Kind.TERM),
    LogField("extra.value", Kind.TERM),
    LogField(TIMESTAMP, Kind.TIME, "time"),
    LogField("event.created", Kind.TIME),
)

FIELDS: Mapping[str, LogField] = {name: field for field in _ALL for name in (field.path, field.short) if name}
"""Every field by each of its names."""

FACETS: Mapping[str, LogField] = {field.short or field.path: field for field in _ALL if field.facet}
"""The fields whose values may be counted, by the name that answers have."""

SUMMARY_FACETS = (
    "status",
    "path",
    "referrer",
    "agent",
    "browser",
    "os",
    "country",
    "bot",
    "method",
    "host",
    "error",
)

ANYWHERE = ("url.path.words", "http.request.referrer.words", "user_agent.original.words", "event.original")
"""Where a word without a field is looked for; beside whole addresses and host names."""
ANYWHERE_WHOLE = (ADDRESS, "host.name", "url.domain")
