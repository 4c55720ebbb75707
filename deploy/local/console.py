"""`python -m deploy.local console`: a command of the console, over the platform that runs in this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from deploy.local import environment
from deploy.local.layout import ROOT, Layout, read_json

NOT_RUNNING = 3
QUESTION_ENGINE = "duckdb"
"""What answers questions to the lake on one machine, where there is no Athena."""


def main(arguments: Sequence[str]) -> int:
    """Run `python -m services.console <arguments>` and give back its exit code; 3 where nothing runs."""
    layout = Layout.current()
    endpoints = read_json(layout.endpoints_file)
    if not endpoints or not read_json(layout.state_file).get("run_id"):
        print(f"nothing runs in {layout.folder}: start it with make up", file=sys.stderr)
        return NOT_RUNNING
    urls = {name: engine["url"] for name, engine in endpoints["engines"].items()}
    told = {
        **os.environ,
        **environment.cloud(),
        **environment.endpoints(urls),
        "CADABRA_NAMESPACE": endpoints["namespace"],
        "CADABRA_QUESTION_ENGINE": QUESTION_ENGINE,
    }
    command = [sys.executable, "-m", "services.console", *arguments]
    return subprocess.run(command, cwd=ROOT, env=told, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
