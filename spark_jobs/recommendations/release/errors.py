"""What may go wrong with a release, in the kernel's words."""

from __future__ import annotations

from collections.abc import Sequence

from services.kernel.core.errors import CadabraError, Retryable


class Unfit(CadabraError):
    """A version is not fit for what was asked; nothing that readers see was changed.

    Args:
        reasons: every one, a sentence each.
        forcible: whether `--force` would pass over all of them.
    """

    def __init__(self, version: str, reasons: Sequence[str], forcible: bool = False) -> None:
        super().__init__("\n".join(f"{version}: {reason}" for reason in reasons))
        self.version = version
        self.reasons = tuple(reasons)
        self.forcible = forcible


class Overtaken(Retryable):
    """Somebody else has changed what is in service since this command looked; it has changed nothing of that."""
