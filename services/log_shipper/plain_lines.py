"""The fast way for what most lines are: one of the usual formats, in plain ASCII, nothing escaped, nothing wrong.

A line is split at its quotes, and each piece is turned into a fragment of JSON that is remembered, because
hosts, seconds, pages and programs come again and again. A piece that is not plain (`NotPlain`) leaves the line
to the general reader; fragments are made by the general reader's own parts, so both ways give equal bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from contracts.access_log import Extra, Url
from services.log_shipper.enrichment_port import Enrichment
from services.log_shipper.event_time import clf_time
from services.log_shipper.line_parts import Parts
from services.log_shipper.log_format import LogFormat
from services.log_shipper.remembered import Remembered
from services.log_shipper.value_patterns import Value

# The usual formats, and the variants of them that write the same in the same places.
_USUAL = re.compile(
    r"(?P<server>%[vV]:%(?:\{(?:canonical|local|remote)\})?p )?%[ha] %l %u %t "
    r'"%r" %>?s %[bBO](?P<sent> "%\{(?i:referer)\}i" "%\{(?i:user-agent)\}i")?'
)
_REMEMBERED = 4096
# Longer pieces seldom come again. Six memories of two generations: at most 50 MB, whatever is sent.
_LONGEST_PIECE = 512
_json = msgspec.json.encode


class NotPlain(Exception):
    """This piece, and with it its line, is for the general reader."""


class _Who(NamedTuple):
    """What stands before the time: source and user; what ends the URL; what ends the record."""

    source: bytes
    url_end: bytes
    end: bytes


class _Clock(NamedTuple):
    """A time: the record's first bytes, and its UTC day."""

    start: bytes
    day: str


class _Asked(NamedTuple):
    """A request line: the HTTP part up to its method, and the URL part without its end."""

    http: bytes
    url: bytes


class PlainLines:
    """Writes the records of plain lines of one usual format.

    Raises:
        NotPlain: it is another format.
    """

    def __init__(self, log_format: LogFormat, enrichment: Enrichment) -> None:
        usual = _USUAL.fullmatch(log_format.text)
        if usual is None:
            raise NotPlain
        self._enrichment = enrichment
        self._sent = usual["sent"] is not None
        self._server = usual["server"] is not None
        values = {value.directive.letter: value for value in log_format.values}
        self._port: Value | None = values.get("p")
        self._any = log_format.values[0]
        self._who = Remembered(self._make_who, _REMEMBERED)
        self._clocks = Remembered(self._make_clock, _REMEMBERED)
        self._asked = Remembered(self._make_asked, _REMEMBERED)
        self._answers = Remembered(self._make_answer, _REMEMBERED)
        self._referrers = Remembered(self._make_referrer, _REMEMBERED)
        self._agents = Remembered(self._make_agent, _REMEMBERED)

    def record(self, line: bytes, offset: int, before_offset: Mapping[str, bytes], created: bytes) -> bytes:
        """Write the record of one line.

        Args:
            line: without its end.
            offset: of its first byte.
            before_offset: for an event's day, the record from after the time to before the offset.
            created: the record from after the offset to before the source.

        Raises:
            NotPlain: the general reader has to read it.
        """
        pieces = line.split(b'"')
        if self._sent:
            if len(pieces) != 7 or pieces[4] != b" " or pieces[6]:
                raise NotPlain
            referrer, agent = self._referrers[pieces[3]], self._agents[pieces[5]]
        else:
            if len(pieces) != 3:
                raise NotPlain
            referrer, agent = b"}", b""
        who, _, when = pieces[0].partition(b" [")
        source, url_end, end = self._who[who]
        start, day = self._clocks[when]
        http, url = self._asked[pieces[1]]
        answer = self._answers[pieces[2]]
        return b"%b%b%d%b%b%b%b%b%b%b%b%b" % (
            start,
            before_offset[day],
            offset,
            created,
            source,
            http,
            referrer,
            answer,
            url,
            url_end,
            agent,
            end,
        )

    def kept(self) -> int:
        """How many fragments are in memory."""
        memories = (self._who, self._clocks, self._asked, self._answers, self._referrers, self._agents)
        return sum(memory.kept() for memory in memories)

    def _make_who(self, piece: bytes) -> _Who:
        words = _plain(piece).split(" ")
        if len(words) != 3 + self._server or "" in words or words[-2] != "-":
            raise NotPlain
        url_end, end = b"}", b"}"
        if self._server:
            url_end, end = self._make_server(words[0])
        parts = Parts(self._enrichment)
        if words[-3] != "-":
            parts.take_address(self._any, words[-3])
        if words[-1] != "-":
            parts.take_user(self._any, words[-1])
        _require_whole(parts)
        source = b"" if parts.source is None else b',"source":' + _json(parts.source)
        return _Who(source + (b"" if parts.user is None else b',"user":' + _json(parts.user)), url_end, end)

    def _make_server(self, word: str) -> tuple[bytes, bytes]:
        name, colon, port = word.rpartition(":")
        if not colon or self._port is None or name in ("", "-") or not port.isdigit():
            raise NotPlain
        parts = Parts(self._enrichment)
        parts.take_server(self._any, name)
        parts.place_server()
        parts.take_extra(self._port, port)
        _require_whole(parts)
        extra: list[Extra] = parts.extra
        return b',"domain":' + _json(parts.domain) + b"}", b',"extra":' + _json(extra) + b"}"

    def _make_clock(self, piece: bytes) -> _Clock:
        text = _plain(piece)
        if not text.endswith("] "):
            raise NotPlain
        try:
            instant = clf_time(text[:-2])
        except ValueError:
            raise NotPlain from None
        return _Clock(b'{"@timestamp":"' + instant.encode() + b'"', instant[:10])

    def _make_asked(self, piece: bytes) -> _Asked:
        parts = Parts(self._enrichment)
        parts.take_request(self._any, _plain(piece))
        _require_whole(parts)
        if parts.method is None or (self._server and parts.domain is not None):
            raise NotPlain
        version = b"" if parts.version is None else b'"version":' + _json(parts.version) + b","
        url = _json(Url(parts.original, parts.path, parts.query, parts.domain))
        return _Asked(
            b',"http":{' + version + b'"request":{"method":' + _json(parts.method), b',"url":' + url[:-1]
        )

    def _make_answer(self, piece: bytes) -> bytes:
        text = _plain(piece)
        if not text.startswith(" ") or text.endswith(" ") is not self._sent:
            raise NotPlain
        status, blank, size = text[1 : len(text) - self._sent].partition(" ")
        parts = Parts(self._enrichment)
        if not status or not blank or not size:
            raise NotPlain
        if status != "-":
            parts.take_status(self._any, status)
        if size != "-":
            parts.take_size(self._any, size)
        _require_whole(parts)
        http = parts.http()
        return b"}" if http is None else b',"response":' + _json(http.response) + b"}"

    def _make_referrer(self, piece: bytes) -> bytes:
        text = _plain(piece)
        return b"}" if text in ("", "-") else b',"referrer":' + _json(text) + b"}"

    def _make_agent(self, piece: bytes) -> bytes:
        text = _plain(piece)
        parts = Parts(self._enrichment)
        if text not in ("", "-"):
            parts.take_agent(self._any, text)
        return b"" if parts.agent is None else b',"user_agent":' + _json(parts.agent)


def _plain(piece: bytes) -> str:
    if len(piece) > _LONGEST_PIECE or b"\\" in piece or not piece.isascii():
        raise NotPlain
    text = piece.decode("ascii")
    if not text.isprintable():
        raise NotPlain
    return text


def _require_whole(parts: Parts) -> None:
    if parts.faults:
        raise NotPlain
