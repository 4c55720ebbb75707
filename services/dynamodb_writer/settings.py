"""What the writer is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass

from services.kernel.adapters.dynamodb import MAX_INSERTS_PER_BATCH
from services.kernel.core.settings import ServiceSettings, setting
from services.kernel.streams.group_settings import GroupSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings, GroupSettings):
    """The common settings, those of every consumer, and the writer's own."""

    concurrency: int = setting(
        "CADABRA_CONCURRENCY",
        default=32,
        minimum=1,
        maximum=1_000,
        help="Records written at once, over all shards; one order's records stay in sequence.",
    )
    inserts_per_call: int = setting(
        "CADABRA_INSERTS_PER_CALL",
        default=MAX_INSERTS_PER_BATCH,
        minimum=1,
        maximum=MAX_INSERTS_PER_BATCH,
        help="Inserts that wait together go in one call, so many at most; with 1 each is a PutItem.",
    )
