"""What it takes to start an engine and to see that it answers. Standard library only."""

from __future__ import annotations

import http.client
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

HOST = "127.0.0.1"
READY_TIMEOUT_S = 60.0
_ANSWER_TIMEOUT_S = 2.0


class Probe(Protocol):
    """The smallest exchange that proves that an engine serves its API."""

    def answered(self, port: int) -> bool:
        """Ask the engine that listens there; whether it answered as one that is ready does."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """A request of HTTP, to be answered by a 200."""

    method: str
    path: str
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def answered(self, port: int) -> bool:
        """Send it; whether the status is 200."""
        connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_TIMEOUT_S)
        try:
            connection.request(self.method, self.path, body=self.body, headers=self.headers)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes of another protocol, to be answered by others, of which the first are known."""

    sent: bytes
    answer: bytes

    def answered(self, port: int) -> bool:
        """Send them; whether the answer begins as it should."""
        try:
            with socket.create_connection((HOST, port), timeout=_ANSWER_TIMEOUT_S) as connection:
                connection.sendall(self.sent)
                return connection.recv(len(self.answer)) == self.answer
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Launch:
    """One engine, ready to be started.

    Args:
        port_file: where the engine writes the port, or address and port, that it listens on, once it does.
        emptied: folders that the engine finds empty.
        kept: folders that the engine finds as its last life left them.
        copied: files that the engine reads at its start: where each is put, and what it is a copy of.
        address: its URL, with the words `{host}` and `{port}`.
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
    address: str = "http://{host}:{port}"


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
    return started.address.format(host=HOST, port=port) if started.probe.answered(port) else None


def aws_call(target: str, content_type: str, body: str = "{}", scope: str = "aws") -> Request:
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
    return Request("POST", "/", body, headers)
