"""What may go wrong in the job, in the kernel's words."""

from __future__ import annotations

from collections.abc import Sequence

from services.kernel.core.errors import CadabraError, Misconfigured, MissingResource, Retryable


class Unfit(CadabraError):
    """The data is at fault, or there is none to learn from; no version is made, and the message says why."""


EXIT_CODES: Sequence[tuple[type[CadabraError], int]] = (
    (Unfit, 65),
    (MissingResource, 69),
    (Misconfigured, 78),
    (Retryable, 75),
)
BUG = 70


def exit_code(error: CadabraError) -> int:
    """What the process ends with; 70 for an error that has no code of its own."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), BUG)
