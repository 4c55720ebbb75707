"""What may go wrong in a job of the warehouse, in the kernel's words, and what Spark's own errors are in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.kernel.core.errors import CadabraError, Retryable
from spark_jobs import java_errors
from spark_jobs.warehouse.audit import Fault

_UNREADABLE = ("FAILED_READ_FILE", "CANNOT_READ_FILE_FOOTER")


class Unfit(CadabraError):
    """The data is at fault; nothing of the run is published, and the message says which rows or objects."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


class Overtaken(Retryable):
    """Another run was published in between; nothing of this one is, and the next one takes in what it would have."""


def translated(error: Exception) -> CadabraError | None:
    """As `java_errors.translated`, and the file that Spark could not read is the data's fault."""
    path = unreadable(error)
    if path is not None:
        return Unfit([Fault("an object is no Parquet of order lines", "landing", 1, [path])])
    return java_errors.translated(error)


def unreadable(error: Exception) -> str | None:
    """The file that Spark could not read, of the error that says so."""
    throwable = java_errors.throwable(error)
    while throwable is not None:
        if _has(throwable, "getErrorClass"):
            condition = str(throwable.getErrorClass())
            if condition.startswith(_UNREADABLE):
                return str(dict(throwable.getMessageParameters()).get("path", "?"))
        throwable = throwable.getCause()
    return None


def _has(throwable: Any, method: str) -> bool:
    return any(one.getName() == method for one in throwable.getClass().getMethods())
