"""Which leases stand still: expiry by the watcher's own monotonic clock, never by a time in the table. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from services.kernel.streams.assignment import Holding
from services.kernel.streams.lease import Lease


class LeaseWatch:
    """Remembers when each lease was last seen to change.

    A clock that jumps on another machine cannot expire a lease here: only a counter that this worker saw standing
    still for the whole lease time does.
    """

    def __init__(self, lease_time_s: float) -> None:
        self._lease_time_s = lease_time_s
        self._seen: dict[str, tuple[str | None, int, float]] = {}
        self._free_since: dict[str, float] = {}
        self._living: set[str] = set()

    def look(self, leases: Mapping[str, Lease], now_s: float) -> None:
        """Take note of the table as it is now."""
        for shard_id in self._seen.keys() - leases.keys():
            del self._seen[shard_id]
            self._free_since.pop(shard_id, None)
        for shard_id, lease in leases.items():
            known = self._seen.get(shard_id)
            if known is None or known[:2] != (lease.owner, lease.counter):
                self._seen[shard_id] = (lease.owner, lease.counter, now_s)
                if known is not None and known[0] == lease.owner and lease.owner is not None:
                    self._living.add(lease.owner)
            if not self.is_free(lease, now_s):
                self._free_since.pop(shard_id, None)
            else:
                self._free_since.setdefault(shard_id, now_s)
                self._living.discard(lease.owner or "")

    def is_free(self, lease: Lease, now_s: float) -> bool:
        """Whether nobody holds the lease, or its owner stood still for the lease time."""
        if lease.owner is None:
            return True
        seen = self._seen.get(lease.shard_id)
        return seen is not None and now_s - seen[2] >= self._lease_time_s

    @property
    def leases(self) -> int:
        """How many the table held at the last look."""
        return len(self._seen)

    def to_expiry_s(self, now_s: float) -> float | None:
        """Seconds until the first lease expires if its owner stays silent; None where every one is free."""
        left = (
            seen_s + self._lease_time_s - now_s
            for owner, _, seen_s in self._seen.values()
            if owner is not None
        )
        return min((one for one in left if one > 0), default=None)

    def is_unread(self, lease: Lease, now_s: float) -> bool:
        """Whether nobody seems to read the shard: free, or silent for longer than a living owner ever is.

        An owner writes three times within the lease time; half of it in silence is told as lag before the lease
        expires.
        """
        if lease.owner is None:
            return True
        seen = self._seen.get(lease.shard_id)
        return seen is not None and now_s - seen[2] >= self._lease_time_s / 2

    def holding(self, lease: Lease, now_s: float) -> Holding:
        """The lease as the assignment wants to see it."""
        free = self.is_free(lease, now_s)
        waited_s = now_s - self._free_since.get(lease.shard_id, now_s) if free else 0.0
        living = lease.owner in self._living
        return Holding(lease.shard_id, lease.owner, free, waited_s, living)
