"""Settings that every consumer shares."""

from __future__ import annotations

from dataclasses import dataclass

from services.kernel.core.settings import setting

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class GroupSettings:
    """How a worker of a consumer group reads; a service's settings inherit from it."""

    lease_time_s: float = setting(
        "CADABRA_LEASE_TIME_S",
        default=10.0,
        minimum=0.5,
        maximum=300,
        help="Seconds without a heartbeat after which another worker takes a shard over.",
    )
    poll_interval_s: float = setting(
        "CADABRA_POLL_INTERVAL_S",
        default=1.0,
        minimum=0.05,
        maximum=60,
        help="Seconds between two reads of a shard at its tip; a quarter of it while behind. "
        "A shard allows 5 reads a second over all its consumers.",
    )
    checkpoint_interval_s: float = setting(
        "CADABRA_CHECKPOINT_INTERVAL_S",
        default=1.0,
        minimum=0.05,
        maximum=60,
        help="Seconds between two checkpoints of a shard that moves.",
    )
    drain_timeout_s: float = setting(
        "CADABRA_DRAIN_TIMEOUT_S",
        default=20.0,
        minimum=0,
        maximum=300,
        help="Seconds that a worker asked to stop waits for records at work; what is not done then is read again.",
    )
    shard_sync_interval_s: float = setting(
        "CADABRA_SHARD_SYNC_INTERVAL_S",
        default=30.0,
        minimum=0.2,
        maximum=3600,
        help="Seconds between two looks for new shards; the end of a shard makes a look at once.",
    )
    max_open_bytes: int = setting(
        "CADABRA_MAX_OPEN_BYTES",
        default=64 * MIB,
        minimum=MIB,
        help="Bytes of records in a worker that are fetched and not yet acknowledged; beyond it nothing is fetched.",
    )
    max_leases: int = setting(
        "CADABRA_MAX_LEASES", default=1_000, minimum=1, help="Shards that one worker holds at most."
    )
    max_steals: int = setting(
        "CADABRA_MAX_STEALS",
        default=2,
        minimum=1,
        help="Shards that one worker takes from a fuller one in one round.",
    )
    variant: str = setting(
        "CADABRA_VARIANT",
        default="stable",
        pattern="[a-z][a-z0-9_]{0,15}",
        help="Which release this worker runs; workers of one variant share leases equally.",
    )
    lease_share: float = setting(
        "CADABRA_LEASE_SHARE",
        default=1.0,
        minimum=0.001,
        maximum=1,
        help="Share of all shards that the workers of this variant hold together at most, rounded down, at least one "
        "shard. One variant, the stable one, keeps 1 and takes the rest.",
    )
