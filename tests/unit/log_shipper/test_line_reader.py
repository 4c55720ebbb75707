"""What a line says becomes fields; what it does not say in full becomes a reason and its text."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.log_shipper.enrichment_port import Agent, Enrichment
from services.log_shipper.line_reader import LineReader
from services.log_shipper.log_format import compile_format

_TIME = "[20/May/2015:12:05:17 +0000]"
_INSTANT = "2015-05-20T12:05:17.000Z"
_CUSTOM = '%{X-Forwarded-For}i %h %l %u %t "%r" %>s %b %D "%{Referer}i" "%{User-Agent}i" %X'


def _read(
    line: str | bytes,
    log_format: str = "combined",
    enrichment: Enrichment | None = None,
    *,
    truncated: bool = False,
) -> dict[str, Any]:
    """The fields that are there, structs as objects."""
    data = line if isinstance(line, bytes) else line.encode()
    reader = LineReader(compile_format(log_format), enrichment or Enrichment())
    reading = reader.read(data, truncated=truncated)
    fields = {name: getattr(reading, name) for name in reading.__slots__}
    found = msgspec.to_builtins({name: field for name, field in fields.items() if field is not None})
    assert isinstance(found, dict)
    return found


def _combined(
    request: str = "GET / HTTP/1.1", rest: str = '200 5 "-" "-"', who: str = "h.example - -"
) -> str:
    return f'{who} {_TIME} "{request}" {rest}'


def test_a_whole_line_fills_every_field() -> None:
    line = _combined("GET /a?b HTTP/1.1", '200 5368709120 "http://r/" "curl/7.88.1"', "192.0.2.7 id al ice")
    assert _read(line) == {
        "timestamp": _INSTANT,
        "source": {"address": "192.0.2.7", "ip": "192.0.2.7"},
        "user": {"name": "al ice"},
        "http": {
            "version": "1.1",
            "request": {"method": "GET", "referrer": "http://r/"},
            "response": {"status_code": 200, "body": {"bytes": 5368709120}},
        },
        "url": {"original": "/a?b", "path": "/a", "query": "b"},
        "user_agent": {"original": "curl/7.88.1"},
        "extra": [{"name": "%l", "value": "id"}],
    }


@pytest.mark.parametrize(
    ("request_line", "url", "method"),
    [
        ("GET /old", {"original": "/old", "path": "/old"}, "GET"),
        ("OPTIONS * HTTP/1.0", {"original": "*"}, "OPTIONS"),
        ("CONNECT Ex.com:443 HTTP/1.1", {"original": "Ex.com:443", "domain": "ex.com"}, "CONNECT"),
        (
            "GET http://ex.com/a?b HTTP/1.1",
            {"original": "http://ex.com/a?b", "path": "/a", "query": "b", "domain": "ex.com"},
            "GET",
        ),
        (
            r"GET /?q=\"shoes\"\\ HTTP/1.1",
            {"original": '/?q="shoes"\\\\', "path": "/", "query": 'q="shoes"\\\\'},
            "GET",
        ),
    ],
)
def test_targets_of_every_form_are_told_apart(request_line: str, url: dict[str, str], method: str) -> None:
    found = _read(_combined(request_line))
    assert (found["url"], found["http"]["request"]["method"]) == (url, method)
    assert "error" not in found


@pytest.mark.parametrize("request_line", [r"\x16\x03\x01\x02", "GET /a b.html HTTP/1.1", "x", "quit now"])
def test_a_request_of_no_kind_is_kept_as_text(request_line: str) -> None:
    line = _combined(request_line, '400 226 "-" "-"')
    found = _read(line)
    assert found["url"] == {"original": request_line}
    assert "request" not in found["http"]
    assert found["http"]["response"]["status_code"] == 400
    assert (found["error"], found["original"]) == ("bad_request", line)


@pytest.mark.parametrize("request_line", ["-", ""])
def test_no_request_is_no_fault(request_line: str) -> None:
    found = _read(_combined(request_line, '408 - "-" ""', "- - -"))
    assert found == {"timestamp": _INSTANT, "http": {"response": {"status_code": 408}}}


@pytest.mark.parametrize("user", ['""', "-"])
def test_no_user_is_no_field(user: str) -> None:
    assert "user" not in _read(_combined(who=f"h - {user}"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (_combined().replace("May", "Mai"), "bad_time"),
        (_combined().replace("20/May", "31/Feb"), "bad_time"),
        (_combined(rest='2x0 5 "-" "-"'), "bad_value"),
        (_combined(rest='\u0662 5 "-" "-"'), "bad_value"),
        (_combined(rest='1000 5 "-" "-"'), "bad_value"),
        (_combined(rest='200 9223372036854775808 "-" "-"'), "bad_value"),
        (_combined(rest='200 -5 "-" "-"'), "bad_value"),
        (_combined(rest='200 5 "-" "' + "a" * 8192 + '"'), "field_too_long"),
        (_combined(f"GET /{'a' * 8191} HTTP/1.1"), "field_too_long"),
        (_combined(f"{'A' * 65} / HTTP/1.1"), "field_too_long"),
        (_combined(f"GET http://{'a' * 256}/ HTTP/1.1"), "field_too_long"),
        (_combined(who=f"{'a' * 1025} - -"), "field_too_long"),
        (_combined(who=f"a - {'a' * 1025}"), "field_too_long"),
        ("no line of a log", "no_match"),
        ("", "no_match"),
        (_combined() + " more", "no_match"),
        (_combined()[:-1], "cut_off"),
    ],
)
def test_what_is_wrong_has_a_reason_and_the_line_s_text(line: str, reason: str) -> None:
    found = _read(line)
    assert (found["error"], found["original"]) == (reason, line)


def test_what_is_right_of_a_wrong_line_is_kept() -> None:
    found = _read(_combined(rest='200 99999999999999999999 "http://r/" "-"').replace("May", "Mai"))
    assert found["http"]["response"] == {"status_code": 200}
    assert found["http"]["request"] == {"method": "GET", "referrer": "http://r/"}
    assert "timestamp" not in found


def test_the_largest_numbers_are_numbers() -> None:
    found = _read(_combined(rest='999 9223372036854775807 "-" "-"'))
    assert found["http"]["response"] == {"status_code": 999, "body": {"bytes": 2**63 - 1}}


def test_a_field_over_its_limit_is_cut_to_it() -> None:
    found = _read(_combined(f"GET /{'a' * 9000} HTTP/1.1"))
    assert len(found["url"]["path"]) == len(found["url"]["original"]) == 8191


def test_a_line_that_was_cut_has_what_stands_before_the_cut() -> None:
    line = _combined()[:-4]
    found = _read(line, truncated=True)
    assert (found["error"], found["original"]) == ("line_too_long", line)
    assert found["http"]["response"]["status_code"] == 200


def test_bytes_that_are_no_text_are_escaped() -> None:
    line = b'h - - [20/May/2015:12:05:17 +0000] "GET /caf\xe9 HTTP/1.1" 200 5 "\xc3\xa9" "a\x00b"'
    found = _read(line)
    assert found["url"]["path"] == r"/caf\xe9"
    assert found["http"]["request"]["referrer"] == "é"
    assert found["user_agent"]["original"] == r"a\x00b"


def test_the_text_of_a_binary_line_stays_within_the_contract() -> None:
    found = _read(b"\xff" * 32_768)
    assert found["original"] == r"\xff" * 8192


def test_what_has_no_field_is_extra_by_its_directive() -> None:
    found = _read(f'1.2.3.4, ::1 h - - {_TIME} "GET /" 200 5 1500 "-" "-" -', _CUSTOM)
    assert found["extra"] == [
        {"name": "%{X-Forwarded-For}i", "value": "1.2.3.4, ::1"},
        {"name": "%X", "value": "-"},
    ]
    assert found["duration"] == 1_500_000


@pytest.mark.parametrize(
    ("directive", "value", "nanoseconds"),
    [
        ("%D", "7", 7000),
        ("%{us}T", "7", 7000),
        ("%{ms}T", "7", 7_000_000),
        ("%T", "7", 7 * 10**9),
        ("%{s}T", "0", 0),
    ],
)
def test_every_unit_of_time_taken_is_nanoseconds(directive: str, value: str, nanoseconds: int) -> None:
    assert _read(value, directive)["duration"] == nanoseconds


def test_a_time_taken_past_64_bits_is_a_bad_value() -> None:
    assert _read("9223372036854775807", "%D") == {"error": "bad_value", "original": "9223372036854775807"}


def test_a_request_in_parts_fills_the_same_fields() -> None:
    found = _read('"PUT /a b?c HTTP/2.0"', '"%m %U%q %H"')
    assert found["url"] == {"path": "/a b", "query": "c"}
    assert found["http"] == {"version": "2.0", "request": {"method": "PUT"}}


@pytest.mark.parametrize(
    ("request_line", "domain", "extra"),
    [
        ("GET / HTTP/1.1", "www.ex.com", []),
        ("GET http://www.ex.com/ HTTP/1.1", "www.ex.com", []),
        ("GET http://other.example/ HTTP/1.1", "other.example", [{"name": "%v", "value": "WWW.ex.com"}]),
    ],
)
def test_the_virtual_host_is_the_host_that_was_asked(
    request_line: str, domain: str, extra: list[dict[str, str]]
) -> None:
    found = _read(f"WWW.ex.com:80 {_combined(request_line)}", "vhost_combined")
    assert found["url"]["domain"] == domain
    assert found["extra"] == [{"name": "%p", "value": "80"}, *extra]


def test_enrichment_adds_the_program_and_the_country_of_the_whole_address() -> None:
    asked: list[str] = []

    def country(ip: str) -> str:
        asked.append(ip)
        return "FR"

    enrichment = Enrichment(
        agent=lambda text: Agent(text.upper(), "1.2", None, "Phone", bot=True),
        country=country,
        anonymous=True,
    )
    found = _read(_combined(rest='200 5 "-" "x"', who="::ffff:192.0.2.7 - -"), enrichment=enrichment)
    assert asked == ["192.0.2.7"]
    assert found["source"] == {"address": "192.0.2.0", "ip": "192.0.2.0", "geo": {"country_iso_code": "FR"}}
    assert found["user_agent"] == {
        "original": "x",
        "name": "X",
        "version": "1.2",
        "device": {"name": "Phone"},
        "bot": True,
    }


@pytest.mark.parametrize(
    "line",
    [
        f'192.0.2.7, 2001:db8:1:2::3 host.example - - {_TIME} "x" 200 5 1 "-" "-" +',
        f'10.9.8.7 192.0.2.7 - - {_TIME} "GET /" 200 5 1 "-" "-" +',
        f'10.9.8.7 host.example - - {_TIME} "GET /" 200 5 1 "-"',
        "192.0.2.7 2001:db8:1:2::3 whatever",
    ],
)
def test_no_whole_address_is_shown_where_addresses_are_anonymous(line: str) -> None:
    shown = repr(_read(line, _CUSTOM, Enrichment(anonymous=True)))
    for whole in ("192.0.2.7", "2001:db8:1:2::3", "10.9.8.7", "host.example"):
        assert whole not in shown
