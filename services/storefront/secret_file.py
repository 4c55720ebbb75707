"""The secrets that sign cursors, one a line: the first signs, all verify, a changed file is read again.

To rotate: put a new line first, wait for the life of a cursor, take the old line away.
"""

from __future__ import annotations

from pathlib import Path

from services.kernel.core import logs
from services.kernel.core.errors import Misconfigured
from services.storefront.cursors import MIN_SECRET_BYTES

log = logs.get("secret_file")


class SecretFile:
    """Reads the file at once and again whenever it has changed.

    Raises:
        Misconfigured: it cannot be read, or holds no secret or a short one. Later on a bad file is logged and
            the secrets before it stay in force.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._secrets = _read(path)

    def secrets(self) -> tuple[bytes, ...]:
        """Every secret in force, the signing one first."""
        try:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                self._secrets = _read(self._path)
                log.info("cursor_secrets_read", secrets=len(self._secrets))
        except Misconfigured as error:
            log.error("cursor_secrets_unusable", reason=str(error))
        return self._secrets


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise Misconfigured(f"CADABRA_CURSOR_SECRET_FILE: {path}: {error.strerror}") from error
    return found.st_mtime_ns, found.st_ino, found.st_size


def _read(path: Path) -> tuple[bytes, ...]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise Misconfigured(f"CADABRA_CURSOR_SECRET_FILE: {path}: {error.strerror}") from error
    secrets = tuple(line.strip() for line in lines if line.strip())
    if not secrets or min(map(len, secrets)) < MIN_SECRET_BYTES:
        raise Misconfigured(
            f"CADABRA_CURSOR_SECRET_FILE: {path}: one secret a line, each at least {MIN_SECRET_BYTES} bytes"
        )
    return secrets
