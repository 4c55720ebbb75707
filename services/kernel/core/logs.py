"""Logs: one JSON object a line on stdout, with the trace id, never with a record's content.

A message of an exception may quote the data it failed on (`int('4111 1111…')`, a missing key), so that only
the messages of our own errors and of the system's are written; of any other the type and the places are.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
import traceback
from typing import Any, TextIO

from services.kernel.core import trace
from services.kernel.core.errors import CadabraError

_EVENT_FIELDS = "cadabra_fields"
_SAFE_MESSAGES = (CadabraError, OSError, ImportError, AttributeError, NameError)
_QUIET = ("botocore", "aiobotocore", "boto3", "urllib3", "aiohttp.access", "asyncio")


class Log:
    """A named logger: an event in few fixed words, and the facts as fields."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, **fields: Any) -> None:
        """Log what only a developer asks for."""
        self._log(logging.DEBUG, event, None, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Log what an operator may want to know."""
        self._log(logging.INFO, event, None, fields)

    def warning(self, event: str, error: BaseException | None = None, **fields: Any) -> None:
        """Log what went wrong and is dealt with."""
        self._log(logging.WARNING, event, error, fields)

    def error(self, event: str, error: BaseException | None = None, **fields: Any) -> None:
        """Log what went wrong and needs somebody."""
        self._log(logging.ERROR, event, error, fields)

    def _log(self, level: int, event: str, error: BaseException | None, fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, exc_info=error, extra={_EVENT_FIELDS: fields})


def get(name: str) -> Log:
    """Return the logger of this name."""
    return Log(logging.getLogger(f"cadabra.{name}"))


def setup(service: str, level: str = "INFO", instance: str = "", stream: TextIO | None = None) -> None:
    """Send every log line of the process, libraries' included, to stdout as JSON.

    Libraries that can print requests and bodies are held at WARNING whatever the level.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_JsonFormatter(service, instance))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    logging.captureWarnings(True)


def loop_exception_handler(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio reports, without the repr of tasks and futures, which quotes exceptions."""
    get("asyncio").error(
        "unhandled_in_loop", error=context.get("exception"), what=str(context.get("message", ""))
    )


def describe_exception(error: BaseException) -> dict[str, Any]:
    """Say what failed and where, without quoting data.

    Returns:
        type, message (of our own and the system's errors only), stack, and cause.
    """
    described: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "stack": [
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ],
    }
    if isinstance(error, _SAFE_MESSAGES):
        described["message"] = str(error)
    if isinstance(error, BaseExceptionGroup):
        described["errors"] = [describe_exception(inner) for inner in error.exceptions[:5]]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        described["cause"] = describe_exception(cause)
    return described


class _JsonFormatter(logging.Formatter):
    def __init__(self, service: str, instance: str) -> None:
        super().__init__()
        self._fixed = {"service": service, "instance": instance}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": _timestamp(record.created),
            "level": record.levelname,
            **self._fixed,
            "logger": record.name.removeprefix("cadabra."),
        }
        fields = getattr(record, _EVENT_FIELDS, None)
        if fields is None:
            line |= {"event": "library", "message": record.getMessage()}
        else:
            line |= {"event": record.msg, **{k: v for k, v in fields.items() if k not in line}}
        current = trace.current.get()
        if current is not None:
            line.setdefault("trace_id", current.trace_id)
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = describe_exception(record.exc_info[1])
        return json.dumps(line, default=_shown, ensure_ascii=False)


def _timestamp(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


def _shown(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    return str(value)
