"""Request lines and targets, taken apart as HTTP defines them."""

from __future__ import annotations

import pytest

from services.log_shipper.request_line import RequestLine, Target, request_line, target_parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("GET / HTTP/1.1", ("GET", "/", "1.1")),
        ("GET /new HTTP/2", ("GET", "/new", "2")),
        ("VERSION-CONTROL /dav HTTP/1.0", ("VERSION-CONTROL", "/dav", "1.0")),
        ("CONNECT example.com:443 HTTP/1.1", ("CONNECT", "example.com:443", "1.1")),
        ("GET /old", ("GET", "/old", None)),
    ],
)
def test_a_request_line_is_method_target_and_version(text: str, parts: tuple[str, str, str | None]) -> None:
    assert request_line(text) == RequestLine(*parts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET",
        r"\x16\x03\x01\x02",
        "SSH-2.0-Go",
        "GET /a b.html HTTP/1.1",
        "GET  / HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET / HTTP/x",
        "GET / FTP/1.1",
        "get /old",
        "GET example.com",
        "GET / HTTP/1.1\n",
        "OPTIONS *",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert request_line(text) is None


@pytest.mark.parametrize(
    ("method", "target", "parts"),
    [
        ("GET", "/a?b=c?d", ("/a", "b=c?d", None)),
        ("GET", "/a?", ("/a", "", None)),
        ("GET", "/a", ("/a", None, None)),
        ("GET", "//evil.example/x", ("//evil.example/x", None, None)),
        ("GET", "/r?u=http://b.example/", ("/r", "u=http://b.example/", None)),
        ("OPTIONS", "*", (None, None, None)),
        ("GET", "http://Example.COM", (None, None, "example.com")),
        ("GET", "http://u:p@example.com:8080/a?b", ("/a", "b", "example.com")),
        ("GET", "http://[2001:DB8::1]:80/a", ("/a", None, "2001:db8::1")),
        ("GET", "http://example.com?b", (None, "b", "example.com")),
        ("GET", "http:///a", ("/a", None, None)),
        ("CONNECT", "Example.com:443", (None, None, "example.com")),
        ("CONNECT", "[::1]:443", (None, None, "::1")),
        ("CONNECT", "::1", (None, None, "::1")),
        ("GET", "index.html?x", ("index.html", "x", None)),
        ("GET", "?x", (None, "x", None)),
    ],
)
def test_a_target_is_path_query_and_host(method: str, target: str, parts: tuple[str | None, ...]) -> None:
    assert target_parts(method, target) == Target(*parts)
