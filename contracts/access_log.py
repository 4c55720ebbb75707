"""The typed record of `access_log_entry/1`, as `contracts.codec` decodes and encodes it.

Fields that are not known are None and left out of what is written.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Generation = Annotated[str, Meta(min_length=32, max_length=32, pattern=r"^[0-9a-f]{32}\Z")]
Block = Annotated[str, Meta(min_length=1, max_length=15, pattern=r"^[0-9]{1,15}\Z")]
CountryCode = Annotated[str, Meta(min_length=2, max_length=2, pattern=r"^[A-Z]{2}\Z")]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
StatusCode = Annotated[int, Meta(ge=0, le=999)]
Path = Annotated[str, Meta(min_length=1, max_length=4096)]
Text16 = Annotated[str, Meta(min_length=1, max_length=16)]
Text64 = Annotated[str, Meta(min_length=1, max_length=64)]
Text255 = Annotated[str, Meta(min_length=1, max_length=255)]
Text1024 = Annotated[str, Meta(min_length=1, max_length=1024)]
Term = Annotated[str, Meta(min_length=1, max_length=8191)]
TermOrEmpty = Annotated[str, Meta(max_length=8191)]
Original = Annotated[str, Meta(max_length=32_768)]
Address = Annotated[str, Meta(min_length=2, max_length=45)]
ErrorType = Literal[
    "no_match", "cut_off", "bad_time", "bad_value", "bad_request", "field_too_long", "line_too_long"
]


class Host(Struct, frozen=True, gc=False):
    """The machine that wrote the line."""

    name: Text255


class File(Struct, frozen=True, gc=False):
    """The file of a line."""

    path: Path


class Log(Struct, frozen=True, gc=False):
    """Where the line stands."""

    file: File
    offset: Count


class Event(Struct, frozen=True, omit_defaults=True, gc=False):
    """The line as an event; times as contracts write them, duration in nanoseconds."""

    created: str
    original: Original | None = None
    duration: Count | None = None


class Error(Struct, frozen=True, gc=False):
    """Why the line could not be read in full."""

    type: ErrorType


class Geo(Struct, frozen=True, omit_defaults=True, gc=False):
    """Where an address is registered."""

    country_iso_code: CountryCode | None = None


class Source(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who asked."""

    address: Text1024 | None = None
    ip: Address | None = None
    domain: Text255 | None = None
    geo: Geo | None = None


class User(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who was authenticated."""

    name: Text1024 | None = None


class Request(Struct, frozen=True, omit_defaults=True, gc=False):
    """What was asked."""

    method: Text64 | None = None
    referrer: Term | None = None


class Body(Struct, frozen=True, omit_defaults=True, gc=False):
    """The answer's body; its size in bytes."""

    bytes: Count | None = None


class Response(Struct, frozen=True, omit_defaults=True, gc=False):
    """What was answered."""

    status_code: StatusCode | None = None
    body: Body | None = None


class Http(Struct, frozen=True, omit_defaults=True, gc=False):
    """The request and its answer."""

    version: Text16 | None = None
    request: Request | None = None
    response: Response | None = None


class Url(Struct, frozen=True, omit_defaults=True, gc=False):
    """What was asked for."""

    original: Term | None = None
    path: Term | None = None
    query: TermOrEmpty | None = None
    domain: Text255 | None = None


class OperatingSystem(Struct, frozen=True, omit_defaults=True, gc=False):
    """A program's operating system."""

    name: Text255 | None = None


class Device(Struct, frozen=True, omit_defaults=True, gc=False):
    """A program's device."""

    name: Text255 | None = None


class UserAgent(Struct, frozen=True, omit_defaults=True, gc=False):
    """The program that asked."""

    original: Term | None = None
    name: Text255 | None = None
    version: Text64 | None = None
    os: OperatingSystem | None = None
    device: Device | None = None
    bot: bool | None = None


class Extra(Struct, frozen=True, gc=False):
    """What one directive of the log's format wrote, where ECS has no field for it."""

    name: Text255
    value: TermOrEmpty


class AccessLogEntry(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line of an access log: a record of `access_log_entry/1`."""

    timestamp: str = field(name="@timestamp")
    generation: Generation
    block: Block
    index_day: str
    host: Host
    log: Log
    event: Event
    error: Error | None = None
    source: Source | None = None
    user: User | None = None
    http: Http | None = None
    url: Url | None = None
    user_agent: UserAgent | None = None
    extra: Annotated[list[Extra], Meta(min_length=1, max_length=64)] | None = None

    def objects(self) -> int:
        """How many JSON objects it is written with."""
        number = 5 + (self.error is not None) + (self.user is not None) + (self.url is not None)
        if self.source is not None:
            number += 1 + (self.source.geo is not None)
        if self.http is not None:
            response = self.http.response
            number += 1 + (self.http.request is not None)
            number += 0 if response is None else 1 + (response.body is not None)
        if self.user_agent is not None:
            number += 1 + (self.user_agent.os is not None) + (self.user_agent.device is not None)
        return number + len(self.extra or ())
