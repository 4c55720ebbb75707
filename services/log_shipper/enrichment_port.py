"""What reading a line asks of enrichment; who answers is chosen where the encoder is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class Agent(NamedTuple):
    """What is known of a program by the text it sends; None where nothing is."""

    name: str | None
    version: str | None
    os: str | None
    device: str | None
    bot: bool


@dataclass(frozen=True, slots=True)
class Enrichment:
    """What is added to an entry, and what is left out of it.

    Args:
        agent: tells the program by the user agent text.
        country: tells the country, two capital letters, by the canonical text of a whole IP address.
        anonymous: whether addresses are shortened to /24 (IPv4) and /48 (IPv6).
    """

    agent: Callable[[str], Agent] | None = None
    country: Callable[[str], str | None] | None = None
    anonymous: bool = False


NO_ENRICHMENT = Enrichment()
