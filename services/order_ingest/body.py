"""Reads what a client sends, at a pace that it has to keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp.streams import StreamReader

MAX_BODY_BYTES = 1024 * 1024


class TooLarge(Exception):
    """More than MAX_BODY_BYTES."""


class TooSlow(Exception):
    """The client does not keep the least pace, or says nothing at all."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The least pace: `grace_s` seconds, and on top the time that the bytes take at `min_bytes_per_s`.

    Args:
        idle_s: how long a batch may rest between two lines.
    """

    grace_s: float
    min_bytes_per_s: int
    idle_s: float


@dataclass(frozen=True, slots=True)
class OverlongLine:
    """Stands for a line of more than MAX_BODY_BYTES, whose bytes are thrown away."""


async def read_body(content: StreamReader, pace: Pace) -> bytes:
    """Read a whole body.

    Raises:
        TooLarge: at most one read past the bound.
        TooSlow: the pace is not kept.
    """
    if content.is_eof():
        body = content.read_nowait()
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge
        return body
    started_s = asyncio.get_running_loop().time()
    body_bytes = bytearray()
    while chunk := await _within(content, started_s + pace.grace_s + len(body_bytes) / pace.min_bytes_per_s):
        body_bytes += chunk
        if len(body_bytes) > MAX_BODY_BYTES:
            raise TooLarge
    return bytes(body_bytes)


async def read_lines(content: StreamReader, pace: Pace) -> AsyncIterator[list[bytes | OverlongLine]]:
    """Read lines as they come: all that one read completes at a time, empty ones left out.

    The last line needs no newline. An overlong line is one OverlongLine, told when it begins to be too long.

    Raises:
        TooSlow: nothing came for `idle_s`, or one line came slower than the pace.
    """
    loop = asyncio.get_running_loop()
    rest = bytearray()
    skipping = False
    began_s: float | None = None
    while True:
        if began_s is None:
            deadline_s = loop.time() + pace.idle_s
        else:
            deadline_s = began_s + pace.grace_s + len(rest) / pace.min_bytes_per_s
        chunk = await _within(content, deadline_s)
        if not chunk:
            break
        found: list[bytes | OverlongLine] = []
        *complete, tail = chunk.split(b"\n")
        for piece in complete:
            if not skipping:
                rest += piece
                found.append(OverlongLine() if len(rest) > MAX_BODY_BYTES else bytes(rest))
            rest.clear()
            skipping = False
        if not skipping:
            rest += tail
            if len(rest) > MAX_BODY_BYTES:
                found.append(OverlongLine())
                skipping = True
                rest.clear()
        if complete:
            began_s = None
        if (rest or skipping) and began_s is None:
            began_s = loop.time()
        yield _without_empty(found)
    if rest and not skipping:
        yield _without_empty([bytes(rest)])


def _without_empty(lines: list[bytes | OverlongLine]) -> list[bytes | OverlongLine]:
    return [line for line in lines if isinstance(line, OverlongLine) or (not line.isspace() and line)]


async def _within(content: StreamReader, deadline_s: float) -> bytes:
    try:
        async with asyncio.timeout_at(deadline_s):
            return await content.readany()
    except TimeoutError:
        raise TooSlow from None
