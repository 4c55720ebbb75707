"""A real Apache for the tests, on 127.0.0.1, with a configuration of ours and a log in any LogFormat."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import processes
from deploy.local.engines import debian

COMBINED = '%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-Agent}i\\"'
_START_TIMEOUT_S = 20.0
_MODULES = ("mpm_event", "authz_core", "alias", "dir", "mime", "log_config", "unixd")


class Apache:
    """One Apache that runs.

    Args:
        pages: what it serves; a file put there can be asked for.
        log: its access log. Renamed, it goes on being written to until `reopen_logs`.
    """

    def __init__(self, process: subprocess.Popen[bytes], url: str, pages: Path, log: Path) -> None:
        self.url = url
        self.pages = pages
        self.log = log
        self._process = process

    def reopen_logs(self) -> None:
        """Write to a new log from now on, as logrotate asks for; requests at work still end in the old one."""
        processes.send(self._process.pid, signal.SIGUSR1)


@contextmanager
def started(
    folder: Path, log_format: str = COMBINED, program: debian.Program | None = None
) -> Iterator[Apache]:
    """Start an Apache, wait until it answers (its first log lines tell of that), and end it with all its workers.

    Args:
        folder: an existing one, for its settings and logs; the access log is `access.log` in it.
        log_format: as in `LogFormat`, the quotes in it escaped.
        program: the Apache to use; by default the machine's, else the one that is fetched.

    Raises:
        FetchFailed: there is no Apache and apt cannot fetch it.
        RuntimeError: it ended or does not answer; its error log is in the message.
    """
    apache = program or debian.ensure("apache2")
    # Its workers are nobody where we are root, and they do not see into folders of a test.
    pages = Path(tempfile.mkdtemp(prefix="pages-"))
    pages.chmod(0o755)
    (pages / "index.html").write_text("<p>It works.</p>\n", encoding="utf-8")
    port = _free_port()
    settings = folder / "apache.conf"
    settings.write_text(_settings(folder, apache.folder, pages, port, log_format), encoding="utf-8")
    with (folder / "apache.out").open("wb") as output:
        process = subprocess.Popen(
            [str(apache.path), "-f", str(settings), "-DFOREGROUND"],
            env={"PATH": os.environ.get("PATH", os.defpath), **apache.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=processes.die_with_parent,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(process, url, folder)
        yield Apache(process, url, pages, folder / "access.log")
    finally:
        _end(process)
        shutil.rmtree(pages)


def _settings(folder: Path, root: Path, pages: Path, port: int, log_format: str) -> str:
    modules = root / "usr" / "lib" / "apache2" / "modules"
    types = root / "etc" / "mime.types"
    lines = [
        f"LoadModule {name}_module {modules}/mod_{name}.so" for name in _MODULES if _is_module(modules, name)
    ]
    lines += [
        f'ServerRoot "{folder}"',
        f'DefaultRuntimeDir "{folder}"',
        f"Listen 127.0.0.1:{port}",
        "ServerName 127.0.0.1",
        "ServerLimit 2",
        "ThreadsPerChild 50",
        "MaxRequestWorkers 100",
        "MinSpareThreads 10",
        "MaxSpareThreads 100",
        f'PidFile "{folder}/apache.pid"',
        f'Mutex "file:{folder}" default',
        f'ErrorLog "{folder}/error.log"',
        f'LogFormat "{log_format}" ours',
        f'CustomLog "{folder}/access.log" ours',
        f'TypesConfig "{types if types.is_file() else os.devnull}"',
        f'DocumentRoot "{pages}"',
        "DirectoryIndex index.html",
    ]
    if os.geteuid() == 0:
        lines += ["User nobody", "Group nogroup"]
    return "\n".join(lines) + "\n"


def _is_module(modules: Path, name: str) -> bool:
    # Debian builds some of them in.
    return (modules / f"mod_{name}.so").is_file()


def _free_port() -> int:
    # Apache takes no port 0.
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 - http to ourselves
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    said = [
        path.read_text(errors="replace")
        for path in (folder / "apache.out", folder / "error.log")
        if path.exists()
    ]
    raise RuntimeError(f"Apache is not ready (exit code {process.poll()}):\n{''.join(said)[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
