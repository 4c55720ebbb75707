"""When the generations are written, and what goes on while they cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from services.kernel.core import logs
from services.kernel.tail.generations import Generation
from services.kernel.tail.known_files import KnownFiles
from services.kernel.tail.limits import TailCounts

_RETRY_S = 1.0
_POSITIONS_SHARE = 20  # positions are written for at most a twentieth of the time
_IDENTITY_SHARE = 2

log = logs.get("tail")


class StateStore(Protocol):
    """Where generations are kept; StateFile is one."""

    def load(self) -> list[Generation]: ...
    def save(self, generations: Iterable[Generation]) -> None: ...
    def save_twice(self, generations: Iterable[Generation]) -> None: ...


class Saver:
    """Writes what is known: identities at once, for lines wait for them, and positions now and then.

    Args:
        state: where to.
        known: what.
        interval_s: how often positions are written.
        clock: monotonic seconds.
        counts: told of failures.
    """

    def __init__(
        self,
        state: StateStore,
        known: KnownFiles,
        interval_s: float,
        clock: Callable[[], float],
        counts: TailCounts,
    ) -> None:
        self._state = state
        self._known = known
        self._interval_s = interval_s
        self._clock = clock
        self._counts = counts
        self._positions_at = self._identities_at = float("-inf")
        self.positions_moved = False
        self.failing = False

    def save(self, *, last: bool = False) -> None:
        """Writes what is due; with `last` whatever is not written yet. A failure is tried again a second later."""
        identities, now = self._known.changed, self._clock()
        if not (identities or self.positions_moved):
            return
        if not last and now < (self._identities_at if identities else self._positions_at):
            return
        snapshot = self._known.snapshot()
        try:
            (self._state.save_twice if identities else self._state.save)(snapshot)
        except OSError as error:
            self._failed(error, now)
            return
        if self.failing:
            log.info("state_saved_again")
        self.failing = self.positions_moved = self._known.changed = False
        took_s = self._clock() - now
        self._positions_at = now + max(self._interval_s, _POSITIONS_SHARE * took_s)
        self._identities_at = now + _IDENTITY_SHARE * took_s
        for one in snapshot:
            file = self._known.by_id(one.id)
            if file is not None:
                file.stored(one)

    def _failed(self, error: OSError, now: float) -> None:
        self._counts.save_failures += 1
        if not self.failing:
            log.error("state_not_saved", error, effect="positions stay, new files wait")
        self.failing = True
        self._positions_at = self._identities_at = now + _RETRY_S
