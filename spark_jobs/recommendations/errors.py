"""What may go wrong in the job, in the kernel's words."""

from __future__ import annotations

from services.kernel.core.errors import CadabraError
from spark_jobs import exit_codes


class Unfit(CadabraError):
    """The data is at fault, or there is none to learn from; no version is made, and the message says why."""


def exit_code(error: CadabraError) -> int:
    """What the process ends with; 70 for an error that has no code of its own."""
    return exit_codes.code_of(error, Unfit)
