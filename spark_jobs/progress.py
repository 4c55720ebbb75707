"""What a command tells while it works, and how long each of its phases took. Pure."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Progress:
    """Lines for people, and seconds by phase.

    Args:
        tell: takes a line.
        clock: seconds, of any beginning.
    """

    def __init__(
        self, tell: Callable[[str], None] = _to_stderr, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.phases_s: dict[str, float] = {}
        self._tell = tell
        self._clock = clock

    def say(self, line: str) -> None:
        """Tell what people should know."""
        self._tell(line)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """A part of the work: told when it begins and when it is done."""
        self._tell(f"{name} ...")
        began_s = self._clock()
        try:
            yield
        finally:
            took_s = round(self._clock() - began_s, 3)
            self.phases_s[name] = round(self.phases_s.get(name, 0.0) + took_s, 3)
        self._tell(f"{name}: {took_s:.1f} s")
