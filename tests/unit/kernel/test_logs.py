"""Logs: one JSON object a line, the trace id, and no record's content in any way."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from services.kernel.core import logs, trace
from services.kernel.core.errors import TimedOut

SECRET = "4111-1111-1111-1111"


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.setup("shop", "DEBUG", "shop-1", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def lines(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_a_line_has_time_level_service_event_and_fields(output: io.StringIO) -> None:
    logs.get("store").info("stored", records=3, service="another")
    (line,) = lines(output)
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "INFO",
        "service": "shop",
        "instance": "shop-1",
        "logger": "store",
        "event": "stored",
        "records": 3,
    }


def test_the_trace_is_on_every_line_within_it(output: io.StringIO) -> None:
    started = trace.new()
    token = trace.current.set(started)
    logs.get("store").info("inside")
    trace.current.reset(token)
    logs.get("store").info("outside")
    inside, outside = lines(output)
    assert inside["trace_id"] == started.trace_id
    assert "trace_id" not in outside


def test_bytes_are_counted_not_shown(output: io.StringIO) -> None:
    logs.get("store").info("odd", data=SECRET.encode())
    assert lines(output)[0]["data"] == f"<{len(SECRET)} bytes>"


def test_an_exception_is_told_without_its_words(output: io.StringIO) -> None:
    try:
        try:
            msgspec.convert({"card": SECRET}, dict[str, int])
        except msgspec.ValidationError:
            int(SECRET)
    except ValueError as error:
        logs.get("store").error("bug", error=error)
    (line,) = lines(output)
    assert SECRET not in output.getvalue()
    assert line["error"]["type"] == "builtins.ValueError"
    assert "test_logs.py" in line["error"]["stack"][-1]
    assert line["error"]["cause"]["type"] == "msgspec.ValidationError"


def test_our_own_errors_and_the_systems_keep_theirs(output: io.StringIO) -> None:
    logs.get("store").warning("late", error=TimedOut("orders: no answer in 10 s"))
    logs.get("store").warning("gone", error=ConnectionResetError(104, "Connection reset by peer"))
    late, gone = lines(output)
    assert late["error"]["message"] == "orders: no answer in 10 s"
    assert "reset by peer" in gone["error"]["message"]


def test_a_group_is_told_one_by_one(output: io.StringIO) -> None:
    logs.get("store").error("bug", error=ExceptionGroup(SECRET, [ValueError(SECRET), TimedOut("late")]))
    (line,) = lines(output)
    assert SECRET not in output.getvalue()
    assert [inner["type"].split(".")[-1] for inner in line["error"]["errors"]] == ["ValueError", "TimedOut"]


def test_libraries_speak_json_too_and_bodies_never(output: io.StringIO) -> None:
    logging.getLogger("some.library").warning("retrying in %s s", 3)
    logging.getLogger("botocore.endpoint").debug("body: %s", SECRET)
    (line,) = lines(output)
    assert (line["event"], line["message"]) == ("library", "retrying in 3 s")


async def test_what_the_loop_reports_does_not_quote_the_task(output: io.StringIO) -> None:
    async def fail() -> None:
        raise ValueError(SECRET)

    task = asyncio.ensure_future(fail())
    await asyncio.wait([task])
    context = {"message": "Task exception was never retrieved", "exception": task.exception(), "future": task}
    logs.loop_exception_handler(asyncio.get_running_loop(), context)
    (line,) = lines(output)
    assert SECRET not in output.getvalue()
    assert line["what"] == "Task exception was never retrieved"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "junk",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
    ],
)
def test_a_malformed_traceparent_is_none(header: str | None) -> None:
    assert trace.parse(header) is None


def test_a_traceparent_comes_back_as_it_went() -> None:
    header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert str(trace.parse(header)) == header
    assert trace.parse(str(trace.new())) is not None
    later = trace.parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-more")
    assert later is not None
    assert not later.sampled
