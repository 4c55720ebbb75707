"""How often a worker looks at the lease table: what a release waits for, against what a look costs. Pure."""

from __future__ import annotations

SHORTEST_LOOK_S = 0.5
"""Between two looks at a small table. A released lease is found within it, so that a hand-off takes less than 1 s."""

LONGEST_LOOK_S = 1.0

SECONDS_PER_LEASE = 0.005
"""Slows looks at a large table down: 100 leases of 400 bytes are 10 RRU a look, so 20 a second, and 200 no more."""

LOOKS_PER_LEASE_TIME = 4
_EXPIRY_MARGIN_S = 0.01  # a timer may come early by the clock's resolution


def look_s(leases: int, lease_time_s: float) -> float:
    """Seconds from the beginning of one look to the next.

    Args:
        leases: how many the table holds.
    """
    wanted_s = min(LONGEST_LOOK_S, max(SHORTEST_LOOK_S, leases * SECONDS_PER_LEASE))
    return min(wanted_s, lease_time_s / LOOKS_PER_LEASE_TIME)


def pause_s(every_s: float, took_s: float, to_expiry_s: float | None) -> float:
    """Seconds to wait after a look.

    A lease that is about to expire is looked at just then. Live owners write three times in the lease time, so that
    this costs a look only where an owner is silent.

    Args:
        every_s: from look to look.
        took_s: what the last one took; a slow table is left alone for a quarter of the time at least.
        to_expiry_s: until the first lease expires if its owner stays silent; None where none can.
    """
    pause = max(every_s - took_s, every_s / 4)
    return pause if to_expiry_s is None else min(pause, to_expiry_s + _EXPIRY_MARGIN_S)
