"""The parts of an entry, as the values of a line fill them, within the contract's limits."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.access_log import (
    Body,
    Device,
    ErrorType,
    Extra,
    Geo,
    Http,
    OperatingSystem,
    Request,
    Response,
    Source,
    Url,
    User,
    UserAgent,
)
from services.log_shipper.apache_text import readable, unquoted
from services.log_shipper.directives import NANOSECONDS
from services.log_shipper.enrichment_port import Enrichment
from services.log_shipper.event_time import Moment, clf_time
from services.log_shipper.format_tokens import Directive
from services.log_shipper.request_line import request_line, target_parts
from services.log_shipper.source_address import ip_address, source_address, without_addresses
from services.log_shipper.value_patterns import Value

# Source: contracts/schemas/access_log_entry/1.json (maxLength, maximum).
MAX_ORIGINAL = 32_768
MAX_TERM = 8191
MAX_NAME = 1024
MAX_SHORT = 255
MAX_WORD = 64
MAX_STATUS = 999
INT64_MAX = 2**63 - 1

# An entry names one fault: the one that takes most away.
WORST_FIRST: tuple[ErrorType, ...] = (
    "line_too_long",
    "no_match",
    "cut_off",
    "bad_time",
    "bad_value",
    "bad_request",
    "field_too_long",
)


@dataclass(slots=True)
class Reading:
    """What a line says, in the words of the contract; `timestamp` is None where it says no time.

    Args:
        original: the line's text, where `error` is given.
        duration: in nanoseconds.
    """

    timestamp: str | None
    error: ErrorType | None
    original: str | None
    duration: int | None
    source: Source | None
    user: User | None
    http: Http | None
    url: Url | None
    user_agent: UserAgent | None
    extra: list[Extra] | None


@dataclass(slots=True)
class Parts:
    """The parts of one entry while its line is being read, and the faults that were found in them.

    Args:
        one_time: whether the format has one time directive alone.
    """

    enrichment: Enrichment
    one_time: bool = True
    faults: set[ErrorType] = field(default_factory=set)
    moment: Moment | None = None
    timestamp: str | None = None
    address: str | None = None
    source: Source | None = None
    user: User | None = None
    version: str | None = None
    method: str | None = None
    referrer: str | None = None
    status: int | None = None
    size: int | None = None
    duration: int | None = None
    original: str | None = None
    path: str | None = None
    query: str | None = None
    domain: str | None = None
    server: tuple[Directive, str] | None = None
    agent: UserAgent | None = None
    extra: list[Extra] = field(default_factory=list)

    def cut(self, text: str, limit: int) -> str | None:
        """The text within the limit; None if there is none."""
        if len(text) > limit:
            self.faults.add("field_too_long")
            return text[:limit]
        return text or None

    def number(self, text: str, most: int, unit: int = 1) -> int | None:
        """The number, if it is one from 0 to `most` after it was multiplied by `unit`."""
        if text.isdecimal() and text.isascii() and len(text) <= 19 and int(text) * unit <= most:
            return int(text) * unit
        self.faults.add("bad_value")
        return None

    def take_time(self, value: Value, text: str) -> None:
        try:
            if self.one_time and value.directive.argument is None:
                self.timestamp = clf_time(text[1:-1])
            elif value.time is not None:
                self.moment = self.moment or Moment()
                value.time.read(text, self.moment)
        except ValueError:
            self.faults.add("bad_time")

    def take_address(self, _: Value, text: str) -> None:
        self.address = unquoted(text)
        found = source_address(self.address, anonymous=self.enrichment.anonymous)
        if found is None:
            return
        country = None
        if self.enrichment.country is not None and found.whole_ip is not None:
            country = self.enrichment.country(found.whole_ip)
        address = self.cut(found.address, MAX_NAME)
        self.source = Source(address, found.ip, found.domain, None if country is None else Geo(country))

    def take_user(self, _: Value, text: str) -> None:
        name = self.cut(unquoted(text), MAX_NAME) if text != '""' else None
        self.user = None if name is None else User(name)

    def take_request(self, _: Value, text: str) -> None:
        text = unquoted(text)
        parsed = request_line(text)
        if parsed is None:
            self.original = self.cut(text, MAX_TERM)
            self.faults |= {"bad_request"} if text else set()
            return
        self.method, self.version = self.cut(parsed.method, MAX_WORD), parsed.version
        self.original = self.cut(parsed.target, MAX_TERM)
        path, query, domain = target_parts(parsed.method, parsed.target)
        self.path = None if path is None else self.cut(path, MAX_TERM)
        self.query = query if not query else self.cut(query, MAX_TERM)
        self.domain = None if domain is None else self.cut(domain, MAX_SHORT)

    def take_method(self, _: Value, text: str) -> None:
        self.method = self.cut(unquoted(text), MAX_WORD)

    def take_path(self, _: Value, text: str) -> None:
        self.path = self.cut(unquoted(text), MAX_TERM)

    def take_query(self, _: Value, text: str) -> None:
        text = unquoted(text)
        if text.startswith("?"):
            self.query = self.cut(text[1:], MAX_TERM) or ""

    def take_version(self, _: Value, text: str) -> None:
        name, _slash, version = unquoted(text).partition("/")
        if name != "HTTP" or not version:
            self.faults.add("bad_value")
        else:
            self.version = self.cut(version, 16)

    def take_status(self, _: Value, text: str) -> None:
        self.status = self.number(text, MAX_STATUS)

    def take_size(self, _: Value, text: str) -> None:
        self.size = self.number(text, INT64_MAX)

    def take_duration(self, value: Value, text: str) -> None:
        unit = NANOSECONDS[value.directive.argument or value.directive.letter]
        self.duration = self.number(text, INT64_MAX, unit)

    def take_server(self, value: Value, text: str) -> None:
        self.server = (value.directive, unquoted(text))

    def take_referrer(self, _: Value, text: str) -> None:
        self.referrer = self.cut(unquoted(text), MAX_TERM)

    def take_agent(self, _: Value, text: str) -> None:
        original = self.cut(unquoted(text), MAX_TERM)
        self.agent = None if original is None else user_agent(original, self.enrichment)

    def take_extra(self, value: Value, text: str) -> None:
        self.add_extra(value.directive, unquoted(text))

    def add_extra(self, directive: Directive, text: str) -> None:
        if self.enrichment.anonymous:
            if directive.letter in "ah" and ip_address(text) is None:
                return
            text = without_addresses(text)
        self.extra.append(Extra(directive.name, self.cut(text, MAX_TERM) or ""))

    def place_server(self) -> None:
        """The virtual host is the host that was asked, unless the request names another."""
        if self.server is None:
            return
        directive, name = self.server
        if self.domain is None:
            self.domain = self.cut(name.lower(), MAX_SHORT)
        elif name.lower() != self.domain:
            self.add_extra(directive, name)

    def reading(self, line: str) -> Reading:
        if self.moment is not None and "bad_time" not in self.faults:
            try:
                self.timestamp = self.moment.instant()
            except ValueError:
                self.faults.add("bad_time")
        self.place_server()
        error = next((fault for fault in WORST_FIRST if fault in self.faults), None)
        url = (self.original, self.path, self.query, self.domain)
        return Reading(
            self.timestamp,
            error,
            None if error is None else self.shown(line),
            self.duration,
            self.source,
            self.user,
            self.http(),
            None if url == (None, None, None, None) else Url(*url),
            self.agent,
            self.extra or None,
        )

    def http(self) -> Http | None:
        asked = (self.method, self.referrer)
        body = None if self.size is None else Body(self.size)
        request = None if asked == (None, None) else Request(*asked)
        response = None if self.status is None and body is None else Response(self.status, body)
        if self.version is None and request is None and response is None:
            return None
        return Http(self.version, request, response)

    def shown(self, line: str) -> str:
        text = readable(line)
        if self.enrichment.anonymous:
            text = without_addresses(text)
            if self.address is not None and self.source is None:
                text = text.replace(self.address, "-")
        return text[:MAX_ORIGINAL]


def user_agent(original: str, enrichment: Enrichment) -> UserAgent:
    """What a program says of itself, and what is known of it.

    Args:
        original: not empty and within the contract's limit.
    """
    if enrichment.agent is None:
        return UserAgent(original)
    name, version, system, device, bot = enrichment.agent(original)
    return UserAgent(
        original,
        name and name[:MAX_SHORT],
        version and version[:MAX_WORD],
        OperatingSystem(system[:MAX_SHORT]) if system else None,
        Device(device[:MAX_SHORT]) if device else None,
        bot,
    )
