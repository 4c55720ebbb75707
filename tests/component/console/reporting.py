"""The console's commands, run as people run them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from tests.component.console.conftest import Console
from tests.processes import ROOT

REAL_DAYS = ("--from", "2015-05-17", "--to", "2015-05-21")
TIMEOUT_S = 60


async def run(
    console: Console, arguments: Sequence[str], output: int = asyncio.subprocess.PIPE, **environment: str
) -> tuple[int, str, str]:
    """Run `python -m services.console report`; returns its exit code, what it printed and what it complained of.

    Args:
        output: where its output goes; a descriptor of a terminal, or a pipe that is read here.
    """
    return await command(console, ("report", *arguments), output, **environment)


async def command(
    console: Console, arguments: Sequence[str], output: int = asyncio.subprocess.PIPE, **environment: str
) -> tuple[int, str, str]:
    """The same with any command of the console."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.console", *arguments),
        cwd=ROOT,
        env={**console.environment, **environment},
        stdout=output,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        printed, complained = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, (printed or b"").decode(), complained.decode()
