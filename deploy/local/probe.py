"""Small questions to a service over HTTP on this machine. Standard library only."""

from __future__ import annotations

import urllib.error
import urllib.request

_TIMEOUT_S = 2.0


def answers(url: str) -> bool:
    """Whether the address answers with a success."""
    return get(url) is not None


def get(url: str) -> str | None:
    """The body at this address; None where it does not answer with a success."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:  # noqa: S310 - http to ourselves
            return str(response.read().decode())
    except (urllib.error.URLError, OSError, ValueError):
        return None


def samples(text: str) -> dict[str, float]:
    """The sum over all labels of each metric in a Prometheus text, by name."""
    sums: dict[str, float] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            key = name.partition("{")[0]
            sums[key] = sums.get(key, 0.0) + float(value)
    return sums
