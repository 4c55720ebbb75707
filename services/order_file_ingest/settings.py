"""Settings of order_file_ingest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.kernel.core.settings import ServiceSettings, setting

IDENTIFIER = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    """What order_file_ingest is told by its environment."""

    folder: Path = setting("CADABRA_ORDER_FILES_FOLDER", help="folder of the order files; must exist")
    source: str = setting(
        "CADABRA_ORDER_FILES_SOURCE",
        pattern=IDENTIFIER,
        help="who sends these files; file names are unique per source for ever",
    )
    glob: str = setting("CADABRA_ORDER_FILES_GLOB", default="*.csv", help="which names are order files")
    poll_interval_s: float = setting(
        "CADABRA_ORDER_FILES_POLL_S",
        default=1.0,
        minimum=0.05,
        maximum=60,
        help="seconds between looks at the folder",
    )
    idle_s: float = setting(
        "CADABRA_ORDER_FILES_IDLE_S",
        default=1.0,
        minimum=0.05,
        maximum=60,
        help="a file that did not grow for so many seconds has its last part sent",
    )
    hold_s: float = setting(
        "CADABRA_ORDER_FILES_HOLD_S",
        default=30.0,
        minimum=0.1,
        maximum=3600,
        help="a file that did not grow for so many seconds is closed and its lease given back",
    )
    changed_grace_s: float = setting(
        "CADABRA_ORDER_FILES_GRACE_S",
        default=10.0,
        minimum=0.1,
        maximum=3600,
        help="a file shorter than its position may be a copy under way: refused when it rests for so many seconds",
    )
    max_files: int = setting(
        "CADABRA_ORDER_FILES_MAX_OPEN",
        default=16,
        minimum=1,
        maximum=256,
        help="files that one worker reads at the same time",
    )
    max_open_bytes: int = setting(
        "CADABRA_MAX_OPEN_BYTES",
        default=32 * 1024 * 1024,
        minimum=1024 * 1024,
        help="bytes handed to the stream and not durable yet, all files together; past it reading waits",
    )
    max_line_bytes: int = setting(
        "CADABRA_ORDER_FILES_MAX_LINE_BYTES",
        default=65_536,
        minimum=1024,
        maximum=262_144,
        help="longer lines are rejected with this many of their first bytes",
    )
    lease_time_s: float = setting(
        "CADABRA_LEASE_TIME_S",
        default=10.0,
        minimum=0.5,
        maximum=300,
        help="seconds after which a dead worker's file is taken over",
    )
