"""When too many records are rejected to be the records' fault. Pure."""

from __future__ import annotations

from collections import deque

WINDOW_RECORDS = 1_000
MAX_SHARE = 0.20
MIN_REJECTED = 100


class RejectRate:
    """Counts rejected records among the last 1,000 of a shard.

    More than a fifth, and at least 100, is a bad release of a producer or of ours rather than bad records: reading
    pauses until somebody has looked.
    """

    def __init__(self) -> None:
        self._outcomes: deque[bool] = deque(maxlen=WINDOW_RECORDS)
        self._rejected = 0

    def add(self, rejected: bool) -> None:
        """Count one record."""
        if len(self._outcomes) == WINDOW_RECORDS and self._outcomes[0]:
            self._rejected -= 1
        self._outcomes.append(rejected)
        self._rejected += rejected

    @property
    def too_high(self) -> bool:
        """Whether reading has to pause."""
        return self._rejected >= MIN_REJECTED and self._rejected > MAX_SHARE * len(self._outcomes)

    def reset(self) -> None:
        """Begin anew, after an operator resumed."""
        self._outcomes.clear()
        self._rejected = 0
