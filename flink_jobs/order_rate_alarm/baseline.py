"""The rate of orders that is usual: what a command learns from recorded orders and the detector judges by."""

from __future__ import annotations

import json
from dataclasses import dataclass

TOTAL = "total"


class WrongBaseline(ValueError):
    """The bytes are no baseline of a format that this code reads; the one in use stays in use."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is usual for each key at each moment."""

    version: str
    trained_until_ms: int
    currency: str

    @classmethod
    def load(cls, data: bytes) -> Baseline:
        """Read a document that `save` made.

        Raises:
            WrongBaseline: it is none, or of another format.
        """
        try:
            document = json.loads(data)
            return cls(document["version"], document["trained_until_ms"], document["currency"])
        except (ValueError, KeyError, TypeError) as error:
            raise WrongBaseline(f"no baseline: {type(error).__name__}") from None

    def save(self) -> bytes:
        """The document as bytes, equal for equal baselines."""
        document = {
            "version": self.version,
            "trained_until_ms": self.trained_until_ms,
            "currency": self.currency,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
