"""A real Apache on 127.0.0.1, for tests: it serves a page, writes its log, and has it rotated as logrotate does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.engines import debian

_READY_TIMEOUT_S = 20.0
_CONFIGURATION = """
ServerRoot "{folder}"
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile "{folder}/apache.pid"
Mutex file:"{folder}"
DefaultRuntimeDir "{folder}"
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule dir_module {modules}/mod_dir.so
{account}
DocumentRoot "{folder}/pages"
ErrorLog "{folder}/error.log"
LogFormat "%h %l %u %t \\"%r\\" %>s %b \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
CustomLog "{log}" combined
StartServers 1
ThreadsPerChild 25
MaxRequestWorkers 50
Timeout 10
LimitRequestLine 8190
TraceEnable Off
<Directory "{folder}/pages">
  Require all granted
</Directory>
"""


class Apache:
    """One server process group, with its log."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.log = log
        self._folder = folder
        self._program = debian.program("apache2")
        self.port = _free_port()
        self._rotated = 0
        (folder / "pages").mkdir(parents=True)
        (folder / "pages" / "index.html").write_text("<h1>A page</h1>\n", encoding="utf-8")
        self._configuration = folder / "apache.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(
                folder=folder,
                port=self.port,
                modules=self._program.path.parents[1] / "lib" / "apache2" / "modules",
                log=log,
                # A server that root starts has to be told who to be; any other stays who it is.
                account="User #65534\nGroup #65534" if os.getuid() == 0 else "",
            ),
            encoding="utf-8",
        )
        with (folder / "output.log").open("wb") as output:
            self._process = subprocess.Popen(
                [str(self._program.path), "-DFOREGROUND", "-f", str(self._configuration)],
                env=self._program.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: it ended or does not answer; what it said is in the message.
        """
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/", timeout=1).close()
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
            else:
                return
        said = [self._folder / name for name in ("output.log", "error.log")]
        text = "\n".join(file.read_text(errors="replace")[-1500:] for file in said if file.exists())
        raise RuntimeError(f"apache2 does not answer (exit code {self._process.poll()}):\n{text}")

    def rotate(self) -> Path:
        """Give the log another name and tell the server; its old workers write on to the old file for a while.

        Source: https://httpd.apache.org/docs/2.4/logs.html#rotation
        """
        self._rotated += 1
        old = self.log.with_name(f"{self.log.name}.{self._rotated}")
        self.log.rename(old)
        self._process.send_signal(signal.SIGUSR1)
        return old

    def logs(self) -> list[Path]:
        """Every file that it wrote, the present one last."""
        old = [self.log.with_name(f"{self.log.name}.{number + 1}") for number in range(self._rotated)]
        return [*old, self.log]

    def stop(self) -> None:
        """Let it finish what it is at, and end."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=30)


@contextmanager
def started(folder: Path, log: Path) -> Iterator[Apache]:
    """A server that writes to this log; gone at the end."""
    apache = Apache(folder, log)
    try:
        apache.wait()
        yield apache
    finally:
        apache.stop()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
