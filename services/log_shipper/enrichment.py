"""Chooses what is added to entries and what is left out, by the service's settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from services.kernel.core.errors import Misconfigured
from services.log_shipper.agents import load_agents
from services.log_shipper.country import load_countries
from services.log_shipper.enrichment_port import Enrichment

KINDS = ("user_agent", "country")
ANONYMISE = ("off", "truncate")


def enrichment(kinds: Sequence[str], *, anonymise: str = "off", geoip_file: Path | None = None) -> Enrichment:
    """Load what the settings ask for, from this machine alone.

    Args:
        kinds: any of `user_agent` and `country`.
        anonymise: `truncate` shortens addresses to /24 (IPv4) and /48 (IPv6) once their country is known.
        geoip_file: a MaxMind DB to tell countries by.

    Raises:
        Misconfigured: a word is not one of these, or the file cannot be read.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise Misconfigured(f"enrichment: {', '.join(unknown)}: not one of {', '.join(KINDS)}")
    if anonymise not in ANONYMISE:
        raise Misconfigured(f"anonymise: {anonymise}: not one of {', '.join(ANONYMISE)}")
    return Enrichment(
        agent=load_agents() if "user_agent" in kinds else None,
        country=load_countries(geoip_file) if "country" in kinds else None,
        anonymous=anonymise == "truncate",
    )
