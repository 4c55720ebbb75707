"""Who asked: an IP address in its canonical form, or a host name; shortened where addresses are made anonymous."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_HOST_NAME = re.compile(r"(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_.])?")
_LONGEST_ADDRESS = 64
# What could be an address; what then is none is left alone.
_IPV4_LIKE = r"(?<![0-9A-Za-z.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9A-Za-z]|\.[0-9])"
_IPV4 = re.compile(_IPV4_LIKE)
_ADDRESS = re.compile(rf"(?<![0-9A-Za-z.:])[0-9A-Fa-f]*:[0-9A-Fa-f:.]*[0-9A-Fa-f:]|{_IPV4_LIKE}")
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
# Most addresses are these; the library takes ten times as long to say the same.
_CANONICAL_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")
_KEPT_BITS = {4: 24, 6: 48}


class SourceAddress(NamedTuple):
    """One address: what may be shown as it, as its IP, and as its host name; and its IP in full, not for show."""

    address: str
    ip: str | None
    domain: str | None
    whole_ip: str | None


def ip_address(text: str) -> IpAddress | None:
    """Read an IP address; an IPv4 one written within IPv6 is IPv4, a zone such as %eth0 is left out."""
    if len(text) > _LONGEST_ADDRESS:
        return None
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def source_address(text: str, *, anonymous: bool) -> SourceAddress | None:
    """Say what an address is.

    Args:
        text: not empty.
        anonymous: whether it may only be shown shortened.

    Returns:
        None where nothing of it may be shown: a host name, where addresses are made anonymous.
    """
    if not anonymous and _CANONICAL_IPV4.fullmatch(text):
        return SourceAddress(text, text, None, text)
    found = ip_address(text)
    if found is not None and anonymous:
        shown = str(truncated(found))
        return SourceAddress(shown, shown, None, str(found))
    if found is not None:
        return SourceAddress(text, str(found), None, str(found))
    if anonymous:
        return None
    return SourceAddress(text, None, text if _HOST_NAME.fullmatch(text) else None, None)


def truncated(address: IpAddress) -> IpAddress:
    """The first address of its /24 network, or /48 for IPv6."""
    return ipaddress.ip_network((address, _KEPT_BITS[address.version]), strict=False).network_address


def without_addresses(text: str) -> str:
    """Shorten every IP address within a text, as `truncated` does."""
    return _ADDRESS.sub(_shortened, text)


def _shortened(match: re.Match[str]) -> str:
    text = match.group()
    found = ip_address(text)
    if found is not None:
        return str(truncated(found))
    # Words and colons before an IPv4 address look like an IPv6 one.
    return _IPV4.sub(_shortened, text) if ":" in text else text
