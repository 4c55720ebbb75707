"""Settings of log_shipper."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from services.kernel.core.settings import ServiceSettings, setting

_DAY = r"\d{4}-\d{2}-\d{2}"


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    """What log_shipper is told by its environment."""

    globs: str = setting(
        "CADABRA_LOG_GLOBS", help="which files are logs: absolute patterns, separated by commas"
    )
    log_format: str = setting(
        "CADABRA_LOG_FORMAT",
        default="combined",
        help="`combined`, `common`, `vhost_combined` or a LogFormat string of Apache's",
    )
    state_folder: Path = setting(
        "CADABRA_STATE_FOLDER",
        help="folder of the positions; must exist, outlive restarts, and be this host's alone",
    )
    host_name: str = setting(
        "CADABRA_HOST_NAME",
        default_factory=socket.gethostname,
        shown_default="this machine's",
        help="name of the web server's host in the entries",
    )
    poll_interval_s: float = setting(
        "CADABRA_POLL_INTERVAL_S",
        default=0.2,
        minimum=0.01,
        maximum=60,
        help="seconds between looks at the files",
    )
    rotated_quiet_s: float = setting(
        "CADABRA_ROTATED_QUIET_S",
        default=5.0,
        minimum=0.1,
        maximum=86_400,
        help="a renamed or deleted file that did not grow for so many seconds is finished",
    )
    copy_grace_s: float = setting(
        "CADABRA_COPY_GRACE_S",
        default=10.0,
        minimum=0.1,
        maximum=3600,
        help="a new file that begins like a known one waits so many seconds for a truncation of that one",
    )
    max_files: int = setting(
        "CADABRA_LOG_MAX_FILES",
        default=4096,
        minimum=1,
        maximum=100_000,
        help="files that are known at the same time; past it new ones wait",
    )
    max_open_files: int = setting(
        "CADABRA_LOG_MAX_OPEN_FILES",
        default=512,
        minimum=8,
        maximum=100_000,
        help="files that are open at the same time",
    )
    max_line_bytes: int = setting(
        "CADABRA_LOG_MAX_LINE_BYTES",
        default=32_768,
        minimum=1024,
        maximum=65_536,
        help="of a longer line so many of its first bytes are sent",
    )
    max_open_bytes: int = setting(
        "CADABRA_MAX_OPEN_BYTES",
        default=32 * 1024 * 1024,
        minimum=1024 * 1024,
        help="bytes handed to the stream and not durable yet; past it reading waits",
    )
    enrich: str = setting(
        "CADABRA_ENRICH", default="", help="what is added: `user_agent`, `country`, separated by commas"
    )
    anonymise: str = setting(
        "CADABRA_ANONYMISE",
        default="off",
        choices=("off", "truncate"),
        help="`truncate` shortens addresses to /24 (IPv4) and /48 (IPv6)",
    )
    geoip_file: Path | None = setting(
        "CADABRA_GEOIP_FILE",
        default=None,
        help="MaxMind DB to tell countries by, instead of the data that is built in",
    )
    backfill_from: str | None = setting(
        "CADABRA_BACKFILL_FROM",
        default=None,
        pattern=_DAY,
        help="first day of old logs that have indices of their own; with CADABRA_BACKFILL_TO",
    )
    backfill_to: str | None = setting(
        "CADABRA_BACKFILL_TO", default=None, pattern=_DAY, help="last such day, at most 400 days in all"
    )
