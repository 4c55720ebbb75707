"""What Spark's, Iceberg's and the SDK's errors of Java are in the kernel's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from services.kernel.core.errors import CadabraError, Misconfigured, MissingResource, Unavailable

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


def translated(error: Exception) -> CadabraError | None:
    """What an error of Spark, of Iceberg or of the SDK for Java is in the kernel's words; None for what is a bug."""
    if isinstance(error, CadabraError):
        return error
    for name in java_classes(error):
        for ending, kind in _KINDS:
            if name.endswith(ending):
                return kind(f"{name}: {_first_line(error)}")
    return None


def java_classes(error: Exception) -> Iterator[str]:
    """Full names of the Java classes of an error and of its causes, outermost first."""
    thrown = throwable(error)
    while thrown is not None:
        yield str(thrown.getClass().getName())
        thrown = thrown.getCause()


def throwable(error: Exception) -> Any:
    """What was thrown in Java: py4j and PySpark's own errors carry it; None of any other error."""
    return getattr(error, "java_exception", None) or getattr(error, "_origin", None)


def _first_line(error: Exception) -> str:
    thrown = throwable(error)
    text = str(thrown.getMessage() if thrown is not None else error)
    return text.splitlines()[0] if text else type(error).__name__
