"""Where one platform on this machine keeps what it needs while it runs: `.local`, or CADABRA_LOCAL_DIR.

Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder of one platform; two folders are two platforms, which run side by side."""

    folder: Path

    @classmethod
    def current(cls) -> Layout:
        """The folder that the environment names, or this checkout's."""
        return cls(Path(os.environ.get("CADABRA_LOCAL_DIR") or ROOT / ".local").resolve())

    @property
    def logs(self) -> Path:
        """One log a process, and `all.log` with every line."""
        return self.folder / "logs"

    @property
    def run(self) -> Path:
        """Ready files and port files of what runs now."""
        return self.folder / "run"

    @property
    def keys(self) -> Path:
        """Secrets; nobody else may look in."""
        return self.folder / "keys"

    @property
    def signing_key_file(self) -> Path:
        """The private key that tokens are signed with (JSON Web Key)."""
        return self.keys / "signing.jwk"

    @property
    def jwks_file(self) -> Path:
        """The public keys that services check tokens by (JSON Web Key Set)."""
        return self.keys / "jwks.json"

    @property
    def tokens_file(self) -> Path:
        """Tokens of the usual roles, by role."""
        return self.keys / "tokens.json"

    @property
    def cursor_secret_file(self) -> Path:
        """What the storefront signs cursors with."""
        return self.keys / "cursor-secret"

    @property
    def order_files(self) -> Path:
        """Where order files are put to be ingested."""
        return self.folder / "order-files"

    @property
    def web_logs(self) -> Path:
        """Where web servers of this machine write the access logs that are shipped."""
        return self.folder / "web-logs"

    @property
    def log_positions(self) -> Path:
        """How far this run's shipper is in each log file."""
        return self.folder / "log-positions"

    @property
    def flink(self) -> Path:
        """Checkpoints of the Flink jobs of this run, and what else they write."""
        return self.folder / "flink"

    @property
    def baselines(self) -> Path:
        """Where a baseline is put for the alarm to take up."""
        return self.folder / "baselines"

    @property
    def endpoints_file(self) -> Path:
        """Addresses and tokens of what runs now; mode 600."""
        return self.folder / "endpoints.json"

    @property
    def state_file(self) -> Path:
        """What the supervisor last said about the run."""
        return self.folder / "state.json"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the supervisor for as long as it lives."""
        return self.folder / "supervisor.lock"

    @property
    def command_lock(self) -> Path:
        """Held by `up` and `down`, so that two shells take turns."""
        return self.folder / "command.lock"

    @property
    def run_id_prefix(self) -> str:
        """How the id of every run in this folder begins."""
        return hashlib.sha256(str(self.folder).encode()).hexdigest()[:12] + "-"

    def new_run_id(self) -> str:
        """An id that no other run has."""
        return self.run_id_prefix + uuid.uuid4().hex[:8]

    def make(self) -> None:
        """Create the folders; what belongs to the owner alone is closed to others."""
        for folder in (self.folder, self.logs, self.run, self.order_files, self.web_logs):
            folder.mkdir(parents=True, exist_ok=True)
        self.keys.mkdir(mode=0o700, exist_ok=True)


def write_whole(path: Path, content: str, mode: int = 0o644) -> None:
    """Put a file in place so that a reader sees the old content or the new, never a part."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    part.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in this file; empty where there is none."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
