"""What it takes to start an engine and to see that it answers. Standard library only."""

from __future__ import annotations

import http.client
import shutil
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
READY_TIMEOUT_S = 60.0
_ANSWER_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Probe:
    """The smallest request that proves, by a 200, that an engine serves its API."""

    method: str
    path: str
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Launch:
    """One engine, ready to be started.

    Args:
        port_file: where the engine writes the port, or address and port, that it listens on, once it does.
        emptied: folders that the engine finds empty.
        kept: folders that the engine finds as its last life left them.
        copied: files that the engine reads at its start: where each is put, and what it is a copy of.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    folder: Path
    port_file: Path
    probe: Probe
    emptied: tuple[Path, ...] = ()
    kept: tuple[Path, ...] = ()
    copied: dict[Path, Path] = field(default_factory=dict)


def prepare(launch: Launch) -> None:
    """Put its folders in order, just before its start: nothing of its last life is left but what is to be kept."""
    launch.port_file.unlink(missing_ok=True)
    for folder in launch.emptied:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for folder in launch.kept:
        folder.mkdir(parents=True, exist_ok=True)
    for target, source in launch.copied.items():
        shutil.copyfile(source, target)


def url(started: Launch) -> str | None:
    """Where the engine serves, once it has told its port and answers its API; None before."""
    try:
        written = started.port_file.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    port = int(written.split()[0].rpartition(":")[2])
    probe = started.probe
    connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_TIMEOUT_S)
    try:
        connection.request(probe.method, probe.path, body=probe.body, headers=probe.headers)
        return f"http://{HOST}:{port}" if connection.getresponse().status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def aws_call(target: str, content_type: str, body: str = "{}", scope: str = "aws") -> Probe:
    """A call of an AWS API, signed by nobody.

    Args:
        target: value of `X-Amz-Target`, "" where the body names the action.
        scope: the service that the signature names.

    Source: the Signature Version 4 headers of an AWS call; the engines read them, unchecked.
    """
    headers = {
        "Content-Type": content_type,
        "X-Amz-Target": target,
        "X-Amz-Date": "20240101T000000Z",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=local/20240101/us-east-1/{scope}/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=00",
    }
    return Probe("POST", "/", body, headers)
