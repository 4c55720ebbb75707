"""What remains for a few seconds when a supervisor is killed: it ends everything else of the run, then itself.

The system already kills each child with its parent (PR_SET_PDEATHSIG); this also finds what a child started, and
what was being started at that moment. It knows that the supervisor is gone when the pipe between them ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from deploy.local import processes

_SETTLE_S = 1.0


def start(run_id: str) -> subprocess.Popen[bytes]:
    """Start the watchdog of this run. It ends when its standard input does; a byte before that calls it off."""
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.local.watchdog", run_id],
        stdin=subprocess.PIPE,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
    )


def call_off(watchdog: subprocess.Popen[bytes]) -> None:
    """End the watchdog of a run that ended in order."""
    assert watchdog.stdin is not None  # noqa: S101 - it was started with a pipe
    try:
        watchdog.stdin.write(b".")
        watchdog.stdin.close()
    except BrokenPipeError:
        pass
    watchdog.wait()


def main(arguments: list[str]) -> int:
    """Wait for the end of standard input, then kill the run until nothing of it shows up any more."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.read(0, 1):
        return 0
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < _SETTLE_S:
        if processes.kill_run(arguments[0]):
            quiet_since = time.monotonic()
        time.sleep(0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
