"""What a job's command ends with; the codes are those of sysexits.h, as a service's are. Pure."""

from __future__ import annotations

from services.kernel.core.errors import CadabraError, Misconfigured, MissingResource, Retryable

ALL = DATA, MISSING, BUG, AGAIN, MISCONFIGURED = 65, 69, 70, 75, 78


def code_of(error: CadabraError, *at_fault: type[CadabraError]) -> int:
    """The code of an error; 70 for one that has no code of its own.

    Args:
        at_fault: errors that say that the data is at fault.
    """
    kinds: tuple[tuple[type[CadabraError], int], ...] = (
        *((kind, DATA) for kind in at_fault),
        (MissingResource, MISSING),
        (Retryable, AGAIN),
        (Misconfigured, MISCONFIGURED),
    )
    return next((code for kind, code in kinds if isinstance(error, kind)), BUG)
