"""The parser that Flink's Python brings: with it the job's verdicts are the reference's too."""

from __future__ import annotations

import subprocess

from deploy.local.flink_cluster import ENVIRONMENT
from deploy.local.layout import ROOT


def test_spoiled_orders_get_the_references_verdict() -> None:
    python = ENVIRONMENT / "bin" / "python"
    result = subprocess.run(
        [python, "-m", "tests.flink_programs.quick_verdicts"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stdout) == (0, "20000 read alike\n"), result.stdout + result.stderr
