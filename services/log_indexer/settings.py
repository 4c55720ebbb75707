"""What the indexer and its maintenance are told by their environment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from services.kernel.core.errors import Misconfigured
from services.kernel.core.settings import ServiceSettings, setting
from services.kernel.streams.group_settings import MIB, GroupSettings
from services.log_indexer.index_days import IndexDays

MAX_BACKFILL_DAYS = 400
_ISO_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


@dataclass(frozen=True, kw_only=True)
class IndexSettings:
    """Where the indices are, and which days have one."""

    opensearch_endpoint: str | None = setting(
        "CADABRA_OPENSEARCH_ENDPOINT",
        default=None,
        pattern=r"https?://.+",
        help="URL of OpenSearch; with https, requests are signed for AWS",
    )
    retention_days: int = setting(
        "CADABRA_RETENTION_DAYS",
        default=30,
        minimum=1,
        maximum=3_650,
        help="Days before today whose entries are kept; older ones are dropped, their indices deleted.",
    )
    backfill_from: str | None = setting(
        "CADABRA_BACKFILL_FROM",
        default=None,
        pattern=_ISO_DATE,
        help="First day (UTC, YYYY-MM-DD) of a range that is kept however old it is; set with CADABRA_BACKFILL_TO.",
    )
    backfill_to: str | None = setting(
        "CADABRA_BACKFILL_TO",
        default=None,
        pattern=_ISO_DATE,
        help=f"Last day of that range, at most {MAX_BACKFILL_DAYS} days from the first, both counted.",
    )

    def __post_init__(self) -> None:
        self.index_days("")

    def index_days(self, family: str) -> IndexDays:
        """The days that have an index.

        Raises:
            Misconfigured: the range to back-fill is no range.
        """
        return IndexDays(family, self.retention_days, self._backfill())

    def _backfill(self) -> tuple[date, date] | None:
        if self.backfill_from is None and self.backfill_to is None:
            return None
        try:
            first, last = (
                date.fromisoformat(self.backfill_from or ""),
                date.fromisoformat(self.backfill_to or ""),
            )
        except ValueError:
            raise Misconfigured(
                "CADABRA_BACKFILL_FROM and CADABRA_BACKFILL_TO: set both or none, to dates"
            ) from None
        if not 0 <= (last - first).days < MAX_BACKFILL_DAYS:
            raise Misconfigured(
                f"CADABRA_BACKFILL_FROM to CADABRA_BACKFILL_TO: 1 to {MAX_BACKFILL_DAYS} days, in this order"
            )
        return first, last


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings, GroupSettings, IndexSettings):
    """The common settings, those of every consumer, and the indexer's own."""

    bulk_documents: int = setting(
        "CADABRA_BULK_DOCUMENTS",
        default=1_000,
        minimum=1,
        maximum=10_000,
        help="Documents in one bulk request at most.",
    )
    bulk_bytes: int = setting(
        "CADABRA_BULK_BYTES",
        default=4 * MIB,
        minimum=64 * 1024,
        maximum=9 * MIB,
        help="Bytes of documents in one bulk request at most; small OpenSearch Service nodes take 10 MiB a request.",
    )
    bulk_linger_s: float = setting(
        "CADABRA_BULK_LINGER_S",
        default=0.2,
        minimum=0,
        maximum=10,
        help="Seconds that an entry waits at most for others to fill its bulk request.",
    )
    bulk_concurrency: int = setting(
        "CADABRA_BULK_CONCURRENCY",
        default=4,
        minimum=1,
        maximum=64,
        help="Bulk requests at work at once, over all shards.",
    )
    bulk_timeout_s: float = setting(
        "CADABRA_BULK_TIMEOUT_S",
        default=30.0,
        minimum=0.1,
        maximum=300,
        help="Seconds that a bulk request may take; past them it is sent again, which is harmless.",
    )


@dataclass(frozen=True, kw_only=True)
class MaintainSettings(ServiceSettings, IndexSettings):
    """The common settings, and which days have an index."""
