"""What time it is in the stream: the newest event time, and how long ago on the job's clock it was seen."""

from __future__ import annotations


class StreamClock:
    """Reads the time of the stream, which stands still while the job is down and never runs past the job's clock.

    Args:
        tick_limit_ms: what may pass at most between two calls; a clock that jumps forward brings no more.
    """

    def __init__(self, tick_limit_ms: int) -> None:
        self._tick_limit_ms = tick_limit_ms
        self._newest_ms: int | None = None
        self._idle_ms = 0
        self._last_ms: int | None = None
        self._reading_ms = 0

    @property
    def started(self) -> bool:
        """Whether an event was ever seen."""
        return self._newest_ms is not None

    @property
    def reading_ms(self) -> int:
        """The time of the stream at the last `tick` or `saw`; 0 before the first event."""
        return self._reading_ms

    def tick(self, now_ms: int) -> None:
        """Let the job's clock be `now_ms`; one that jumps back brings nothing."""
        if self._last_ms is not None and now_ms > self._last_ms:
            self._idle_ms += min(now_ms - self._last_ms, self._tick_limit_ms)
        self._last_ms = now_ms
        self._read(now_ms)

    def saw(self, event_ms: int, now_ms: int) -> None:
        """See an event that is not in the future."""
        if self._newest_ms is None or event_ms > self._newest_ms:
            self._newest_ms, self._idle_ms = event_ms, 0
            self._read(now_ms)

    def _read(self, now_ms: int) -> None:
        if self._newest_ms is not None:
            self._reading_ms = min(self._newest_ms + self._idle_ms, now_ms)
