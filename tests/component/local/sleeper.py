"""A service for the supervisor's tests: has ports, says that it is ready, and behaves as SLEEPER_MODE says.

| SLEEPER_MODE | behaviour |
| --- | --- |
| "" | drains at once on SIGTERM |
| child | starts a process of its own, in a session of its own, that ignores SIGTERM |
| stubborn | ignores SIGTERM |
| misconfigured | exits with 78 before it is ready |
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Health(BaseHTTPRequestHandler):
    """Always ready; one counter."""

    def do_GET(self) -> None:
        """Answer everything with 200."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'handled_total{kind="a"} 3\nhandled_total{kind="b"} 4\n')

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


def main() -> None:
    """Run until told to end."""
    mode = os.environ.get("SLEEPER_MODE", "")
    if mode == "misconfigured":
        print("SLEEPER_SETTING is not set", flush=True)
        sys.exit(78)
    if mode == "child":
        ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
        subprocess.Popen([sys.executable, "-c", ignore], start_new_session=True)
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["CADABRA_METRICS_PORT"])), Health)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "stubborn" else lambda *_: os._exit(0))
    port = server.server_address[1]
    ready = Path(os.environ["CADABRA_READY_FILE"])
    part = ready.with_suffix(".part")
    part.write_text(json.dumps({"port": port, "metrics_port": port, "pid": os.getpid()}))
    part.replace(ready)
    print("sleeper ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
