"""What may go wrong in a job of the warehouse, in the kernel's words, and what Spark's own errors are in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from services.kernel.core.errors import (
    CadabraError,
    Misconfigured,
    MissingResource,
    Retryable,
    Unavailable,
)
from spark_jobs.warehouse.audit import Fault

_UNREADABLE = ("FAILED_READ_FILE", "CANNOT_READ_FILE_FOOTER")
# By the end of a Java class's name; the first one on the way from an error to its causes decides.
_KINDS: Sequence[tuple[str, type[CadabraError]]] = (
    ("NoSuchBucketException", MissingResource),
    ("UnknownStoreException", MissingResource),
    ("AccessDeniedException", Misconfigured),
    ("CommitStateUnknownException", Unavailable),
    ("SdkClientException", Unavailable),
    ("ApiCallTimeoutException", Unavailable),
    ("ApiCallAttemptTimeoutException", Unavailable),
    ("InternalServiceException", Unavailable),
    ("AWSServiceIOException", Unavailable),
    ("AWSStatus500Exception", Unavailable),
    ("AWSServiceThrottledException", Unavailable),
    ("AWSApiCallTimeoutException", Unavailable),
    ("ConnectException", Unavailable),
    ("SocketTimeoutException", Unavailable),
    ("NoHttpResponseException", Unavailable),
)


class Unfit(CadabraError):
    """The data is at fault; nothing of the run is published, and the message says which rows or objects."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


class Overtaken(Retryable):
    """Another run was published in between; nothing of this one is, and the next one takes in what it would have."""


def translated(error: Exception) -> CadabraError | None:
    """What an error of Spark, of Iceberg or of the SDK for Java is in the kernel's words; None for what is a bug."""
    if isinstance(error, CadabraError):
        return error
    path = unreadable(error)
    if path is not None:
        return Unfit([Fault("an object is no Parquet of order lines", "landing", 1, [path])])
    for name in java_classes(error):
        for ending, kind in _KINDS:
            if name.endswith(ending):
                return kind(f"{name}: {_first_line(error)}")
    return None


def unreadable(error: Exception) -> str | None:
    """The file that Spark could not read, of the error that says so."""
    throwable = _throwable(error)
    while throwable is not None:
        if _has(throwable, "getErrorClass"):
            condition = str(throwable.getErrorClass())
            if condition.startswith(_UNREADABLE):
                return str(dict(throwable.getMessageParameters()).get("path", "?"))
        throwable = throwable.getCause()
    return None


def java_classes(error: Exception) -> Iterator[str]:
    """Full names of the Java classes of an error and of its causes, outermost first."""
    throwable = _throwable(error)
    while throwable is not None:
        yield str(throwable.getClass().getName())
        throwable = throwable.getCause()


def _throwable(error: Exception) -> Any:
    """What was thrown in Java: py4j and PySpark's own errors carry it; None of any other error."""
    return getattr(error, "java_exception", None) or getattr(error, "_origin", None)


def _has(throwable: Any, method: str) -> bool:
    return any(one.getName() == method for one in throwable.getClass().getMethods())


def _first_line(error: Exception) -> str:
    throwable = _throwable(error)
    text = str(throwable.getMessage() if throwable is not None else error)
    return text.splitlines()[0] if text else type(error).__name__
