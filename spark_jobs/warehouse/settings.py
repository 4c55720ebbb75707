"""What the jobs of the warehouse are told by their environment, beside what every Spark job is."""

from __future__ import annotations

from dataclasses import dataclass

from services.kernel.core.settings import setting
from spark_jobs.settings import SparkSettings


@dataclass(frozen=True, kw_only=True)
class WarehouseSettings(SparkSettings):
    """How long maintenance keeps what nobody sees any more."""

    keep_snapshots_days: float = setting(
        "CADABRA_KEEP_SNAPSHOTS_DAYS",
        default=7.0,
        minimum=0,
        maximum=3650,
        help="days for which a table can be read as it was; its last 5 snapshots stay in any case",
    )
    keep_exports_days: float = setting(
        "CADABRA_KEEP_EXPORTS_DAYS",
        default=30.0,
        minimum=0,
        maximum=3650,
        help="days for which a run's export stays; the newest one stays in any case",
    )
    keep_orphans_days: float = setting(
        "CADABRA_KEEP_ORPHANS_DAYS",
        default=3.0,
        minimum=1.01,
        maximum=3650,
        help="days for which files stay that no snapshot names, of writes that ended half way or are under way",
    )
