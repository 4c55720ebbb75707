"""Where the position of a file is kept, and who may move it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from services.kernel.core.errors import CadabraError
from services.kernel.tail.prefix import START, Mark

READING = "reading"


class LeaseLost(CadabraError):
    """Another worker holds the file, or may hold it: stop at once, write nothing more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is durably known of one file.

    Args:
        key: names the file for ever; never a device or an inode.
        position: everything before it is durable where it had to go.
        state: `reading`, or a word of the service's own for a file that waits for somebody.
        owner: the worker that holds the file, None when it is free.
        counter: rises with every write; one that stands still for the lease time belongs to a dead owner.
    """

    key: str
    position: Mark = START
    state: str = READING
    owner: str | None = None
    counter: int = 0


class PositionStore(Protocol):
    """A durable table of entries with compare-and-set on the counter.

    Both calls raise Retryable when the store cannot answer now.
    """

    async def load(self, key: str) -> Entry | None:
        """Returns the newest entry, None for a file never seen."""
        ...

    async def swap(self, entry: Entry, expected_counter: int | None) -> None:
        """Writes the entry if the stored counter is the expected one (None: if there is no entry yet).

        The same call again, after an answer was lost, succeeds.

        Raises:
            LeaseLost: the stored entry is another one; nothing was written.
        """
        ...


class LeaseWatch:
    """Tells when an entry that another worker holds may be taken.

    Only the own clock counts: the lease is over when its counter was seen to stand still for the lease time.

    Args:
        lease_time_s: seconds, above 0.
        clock: monotonic seconds.
    """

    def __init__(self, lease_time_s: float, clock: Callable[[], float]) -> None:
        self._lease_time_s = lease_time_s
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}

    def free(self, entry: Entry | None) -> bool:
        """Says whether the file of this entry, read just now, may be claimed."""
        if entry is None or entry.owner is None:
            return True
        now = self._clock()
        counter, since = self._seen.get(entry.key, (-1, now))
        if counter != entry.counter:
            self._seen[entry.key] = (entry.counter, now)
            return False
        return now - since >= self._lease_time_s

    def forget(self, key: str) -> None:
        """Drops what was seen of a file that is gone or ours."""
        self._seen.pop(key, None)
