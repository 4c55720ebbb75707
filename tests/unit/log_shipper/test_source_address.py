"""Addresses: IP or host name, whole or shortened."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.log_shipper.source_address import source_address, without_addresses


@pytest.mark.parametrize(
    ("text", "ip", "domain"),
    [
        ("83.149.9.216", "83.149.9.216", None),
        ("2001:DB8:0:0::17", "2001:db8::17", None),
        ("::ffff:192.0.2.7", "192.0.2.7", None),
        ("fe80::1%eth0", "fe80::1", None),
        ("crawl-66-249-66-1.googlebot.com", None, "crawl-66-249-66-1.googlebot.com"),
        ("256.1.1.1", None, None),
        ("01.2.3.4", None, None),
        ("not a name", None, None),
        ("a" * 256, None, None),
        ("9" * 5000, None, None),
    ],
)
def test_an_address_is_an_ip_or_a_host_name(text: str, ip: str | None, domain: str | None) -> None:
    found = source_address(text, anonymous=False)
    assert found is not None
    assert (found.address, found.ip, found.domain, found.whole_ip) == (text, ip, domain, ip)


@given(st.ip_addresses())
def test_the_ip_is_what_the_library_says(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    found = source_address(str(address), anonymous=False)
    assert found is not None
    assert found.ip == str(getattr(address, "ipv4_mapped", None) or address)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("83.149.9.216", "83.149.9.0"),
        ("2001:db8:1:2:3::4", "2001:db8:1::"),
        ("::ffff:192.0.2.7", "192.0.2.0"),
        ("host.example", None),
    ],
)
def test_an_anonymous_address_is_shortened_and_a_host_name_is_not_shown(text: str, shown: str | None) -> None:
    found = source_address(text, anonymous=True)
    assert (found and (found.address, found.ip, found.domain)) == (shown and (shown, shown, None))


@pytest.mark.parametrize(
    ("text", "shortened"),
    [
        ("a 83.149.9.216, b", "a 83.149.9.0, b"),
        ("for=83.149.9.216:80;", "for=83.149.9.0:80;"),
        ("feed:83.149.9.216 word:83.149.9.216", "feed:83.149.9.0 word:83.149.9.0"),
        ('"[2001:db8:1:2::4]:443"', '"[2001:db8:1::]:443"'),
        ("::ffff:83.149.9.216 ends 83.149.9.216.", "83.149.9.0 ends 83.149.9.0."),
        ("[17/May/2015:10:05:03 +0000] 1.2.3 v1.2.3.4.5", "[17/May/2015:10:05:03 +0000] 1.2.3 v1.2.3.4.5"),
    ],
)
def test_no_whole_address_is_left_in_a_text(text: str, shortened: str) -> None:
    assert without_addresses(text) == shortened
