"""What lake_writer is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.order import MAX_LINES
from services.kernel.core.errors import Misconfigured
from services.kernel.core.settings import S3Settings, ServiceSettings, setting
from services.kernel.streams.group_settings import MIB, GroupSettings
from services.kernel.streams.shard_reader import FETCH_BYTES


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings, GroupSettings, S3Settings):
    """The common settings, those of every consumer, and the landing's own; each of its two groups has all bounds."""

    max_open_bytes: int = setting(
        "CADABRA_MAX_OPEN_BYTES",
        default=128 * MIB,
        minimum=16 * MIB,
        help="Bytes of records of one stream that are fetched and not yet durable; beyond it nothing is fetched.",
    )
    max_open_batch_bytes: int = setting(
        "CADABRA_MAX_OPEN_BATCH_BYTES",
        default=64 * MIB,
        minimum=MIB,
        help="Bytes of records of one stream that wait to become objects, over all shards; beyond it the fullest are "
        "closed early. At least 10 MiB, one fetch, below CADABRA_MAX_OPEN_BYTES.",
    )
    object_max_bytes: int = setting(
        "CADABRA_OBJECT_MAX_BYTES",
        default=64 * MIB,
        minimum=MIB,
        help="Bytes of records in one object, as they came, before they are compressed.",
    )
    object_max_rows: int = setting(
        "CADABRA_OBJECT_MAX_ROWS", default=500_000, minimum=MAX_LINES, help="Rows in one object."
    )
    object_max_age_s: float = setting(
        "CADABRA_OBJECT_MAX_AGE_S",
        default=60.0,
        minimum=0.1,
        maximum=900,
        help="Seconds from a batch's first record until it is closed, full or not.",
    )
    writes_at_once: int = setting(
        "CADABRA_WRITES_AT_ONCE",
        default=4,
        minimum=1,
        maximum=64,
        help="Objects of one stream that are encoded and put at the same time.",
    )

    def __post_init__(self) -> None:
        if self.max_open_batch_bytes > self.max_open_bytes - FETCH_BYTES:
            raise Misconfigured(
                f"CADABRA_MAX_OPEN_BATCH_BYTES: {self.max_open_batch_bytes} leaves less than one fetch "
                f"({FETCH_BYTES}) of CADABRA_MAX_OPEN_BYTES ({self.max_open_bytes})"
            )
