"""What operators asked not to be told of. Pure."""

from __future__ import annotations

from msgspec import Struct

from contracts.codec import OrderRateAlarm


class Silence(Struct, frozen=True, kw_only=True):
    """For so long nobody is told of incidents that match; what is still open then is told late.

    Args:
        rule, key, direction: what an incident has to be of; None matches each. At least one is given.
        ends_at_ms: when it ends, UTC milliseconds since the epoch.
        expired_at_ms: when an operator ended it early, 0 while nobody did.
    """

    silence_id: str
    rule: str | None
    key: str | None
    direction: str | None
    reason: str
    created_by: str
    created_at_ms: int
    ends_at_ms: int
    expired_at_ms: int = 0

    def in_force(self, now_ms: int) -> bool:
        """Whether it holds at this moment."""
        return not self.expired_at_ms and self.created_at_ms <= now_ms < self.ends_at_ms

    def matches(self, alarm: OrderRateAlarm) -> bool:
        """Whether it means incidents like this."""
        pairs = ((self.rule, alarm.rule), (self.key, alarm.key), (self.direction, alarm.direction))
        return all(wanted is None or wanted == found for wanted, found in pairs)
