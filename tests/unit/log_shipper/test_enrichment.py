"""Programs, robots and countries, from data on this machine."""

from __future__ import annotations

import ipaddress
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import crawleruseragents
import pytest

from services.kernel.core.errors import Misconfigured
from services.log_shipper.agents import LONGEST_READ, load_agents
from services.log_shipper.country import Ranges, load_countries
from services.log_shipper.enrichment import enrichment
from services.log_shipper.enrichment_port import Agent

_CHROME = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/32.0.1700.77 Safari/537.36"
)


@pytest.fixture(scope="module")
def agent() -> Callable[[str], Agent]:
    return load_agents()


@pytest.fixture(scope="module")
def country() -> Callable[[str], str | None]:
    return load_countries(None)


@pytest.mark.parametrize(
    ("text", "program"),
    [
        (_CHROME, Agent("Chrome", "32.0.1700", "Mac OS X", "Mac", bot=False)),
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            Agent("Googlebot", "2.1", None, "Spider", bot=True),
        ),
        ("curl/7.88.1", Agent("curl", "7.88.1", None, None, bot=True)),
        ("no such program", Agent(None, None, None, None, bot=False)),
    ],
)
def test_a_program_is_told_by_its_text(agent: Callable[[str], Agent], text: str, program: Agent) -> None:
    assert agent(text) == program


def test_robots_are_those_of_the_list(agent: Callable[[str], Agent]) -> None:
    examples = [text for known in crawleruseragents.CRAWLER_USER_AGENTS_DATA for text in known["instances"]]
    assert len(examples) > 2000
    for text in [*examples[::10], _CHROME, "a" * LONGEST_READ]:
        assert agent(text).bot == crawleruseragents.is_crawler(text[:LONGEST_READ]), text


def test_a_long_text_is_told_by_its_beginning(agent: Callable[[str], Agent]) -> None:
    assert agent("curl/7.88.1 " + "a" * 8000) == agent("curl/7.88.1 " + "a" * 500)


@pytest.mark.parametrize(
    ("ip", "code"),
    [
        ("8.8.8.8", "US"),
        ("83.149.9.216", "RU"),
        ("193.0.6.139", "NL"),
        ("2001:67c:2e8:22::c100:68b", "NL"),
        ("2c0f:fb50::1", "KE"),
        ("2001:200:dff:fff1:216:3eff:feb1:44d7", "JP"),
        ("10.0.0.1", None),
        ("127.0.0.1", None),
        ("::1", None),
        ("fe80::1", None),
        ("2001:db8::1", None),
        ("255.255.255.255", None),
    ],
)
def test_an_address_has_the_country_of_its_registration(
    country: Callable[[str], str | None], ip: str, code: str | None
) -> None:
    assert country(ip) == code


def test_ranges_hold_their_ends_and_nothing_between_them() -> None:
    ranges = Ranges("Q", [(20, 29, "FR"), (10, 19, "DE"), (40, 2**64 - 1, "IT")])
    found = [ranges.find(number) for number in (9, 10, 19, 20, 29, 30, 39, 40, 2**64 - 1)]
    assert found == [None, "DE", "DE", "FR", "FR", None, None, "IT", "IT"]


def _text(text: str) -> bytes:
    return bytes([0x40 | len(text)]) + text.encode()


def _database(network: str, record: bytes, ip_version: int) -> bytes:
    """A MaxMind DB that knows one network. Source: MaxMind DB File Format Specification 2.0."""
    block = ipaddress.ip_network(network)
    nodes = block.prefixlen
    bits = f"{int(block.network_address):0{block.max_prefixlen}b}"[:nodes]
    tree = b""
    for depth, bit in enumerate(bits):
        following = depth + 1 if depth + 1 < nodes else nodes + 16
        left, right = (following, nodes) if bit == "0" else (nodes, following)
        tree += left.to_bytes(3, "big") + right.to_bytes(3, "big")
    fields = {
        "node_count": b"\xc4" + struct.pack(">I", nodes),
        "record_size": b"\xa2" + struct.pack(">H", 24),
        "ip_version": b"\xa2" + struct.pack(">H", ip_version),
        "binary_format_major_version": b"\xa2" + struct.pack(">H", 2),
        "binary_format_minor_version": b"\xa2" + struct.pack(">H", 0),
        "build_epoch": b"\x08\x02" + struct.pack(">Q", 1),
        "database_type": _text("Test"),
        "languages": b"\x00\x04",
        "description": b"\xe0",
    }
    metadata = bytes([0xE0 | len(fields)]) + b"".join(_text(name) + value for name, value in fields.items())
    return tree + bytes(16) + record + b"\xab\xcd\xefMaxMind.com" + metadata


@pytest.mark.parametrize(
    "record",
    [
        b"\xe1" + _text("country") + b"\xe1" + _text("iso_code") + _text("FR"),
        b"\xe1" + _text("country") + _text("FR"),
        b"\xe1" + _text("country_code") + _text("FR"),
    ],
)
def test_an_operator_s_database_tells_countries(tmp_path: Path, record: bytes) -> None:
    file = tmp_path / "countries.mmdb"
    file.write_bytes(_database("192.0.2.0/24", record, 4))
    look_up = load_countries(file)
    assert [look_up(ip) for ip in ("192.0.2.7", "192.0.3.7", "2001:db8::1")] == ["FR", None, None]


@pytest.mark.parametrize("record", [_text("FR"), b"\xe1" + _text("country") + _text("fr"), b"\xe0"])
def test_what_is_no_country_in_a_database_is_none(tmp_path: Path, record: bytes) -> None:
    file = tmp_path / "countries.mmdb"
    file.write_bytes(_database("2001:db8::/32", record, 6))
    assert load_countries(file)("2001:db8::1") is None


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_a_file_that_is_no_database_is_misconfigured(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "countries.mmdb"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Misconfigured, match="CADABRA_GEOIP_FILE"):
        load_countries(file)


def test_unknown_words_are_misconfigured() -> None:
    with pytest.raises(Misconfigured, match="city: not one of user_agent, country"):
        enrichment(["city"])
    with pytest.raises(Misconfigured, match="hash: not one of off, truncate"):
        enrichment([], anonymise="hash")


def test_enrichment_that_nobody_asked_for_loads_nothing() -> None:
    program = """if True:
        import sys
        from services.log_shipper.enrichment import enrichment
        nothing = enrichment([], anonymise="truncate")
        assert (nothing.agent, nothing.country, nothing.anonymous) == (None, None, True)
        assert not {"ua_parser", "crawleruseragents", "ip_to_country", "maxminddb"} & sys.modules.keys()
    """
    subprocess.run([sys.executable, "-c", program], check=True)
