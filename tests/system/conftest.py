"""One platform for the whole tier: brought up by the demonstration with all of the real data, gone at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.local import secret_files
from deploy.local.layout import ROOT, Layout
from deploy.local.target import Target
from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.adapters.kinesis import Kinesis

DEMO_TIMEOUT_S = 1200


@dataclass(frozen=True, slots=True)
class Platform:
    """What the demonstration left up, and what it said.

    Args:
        exit_code: of `demo --json`.
        result: its document; empty where it printed none.
        log: what it told people, for the message of a failure.
    """

    target: Target
    environment: dict[str, str]
    exit_code: int
    result: dict[str, Any]
    log: str

    @property
    def layout(self) -> Layout:
        """The folder of this platform."""
        return self.target.layout

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `python -m deploy.local` on this platform."""
        return local(self.environment, *arguments)

    def headers(self, role: str, subject: str) -> dict[str, str]:
        """The header of a request in this role."""
        return {"Authorization": f"Bearer {secret_files.token(self.layout, role, subject)}"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the demonstration's platform come last: with all it holds in memory it would slow down all others."""
    items.sort(key=lambda item: "platform" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform after one demonstration on the full real data."""
    layout = Layout(tmp_path_factory.mktemp("platform"))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CADABRA_")},
        "CADABRA_LOCAL_DIR": str(layout.folder),
    }
    try:
        demo = local(environment, "demo", "--json")
        assert layout.endpoints_file.exists(), f"the platform is not up:\n{demo.stderr[-4000:]}"
        result = json.loads(demo.stdout) if demo.stdout else {}
        yield Platform(Target.current(layout), environment, demo.returncode, result, demo.stderr)
    finally:
        down = local(environment, "down")
    assert "no process is left" in down.stdout


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client for one test."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


@pytest.fixture
async def dynamodb(platform: Platform) -> AsyncIterator[DynamoDB]:
    """The engine that holds the order store."""
    async with DynamoDB.open(platform.target.dynamodb, "us-east-1", read_timeout_s=60) as client:
        yield client


@pytest.fixture
async def kinesis(platform: Platform) -> AsyncIterator[Kinesis]:
    """The engine that holds the streams."""
    url = json.loads(platform.layout.endpoints_file.read_text(encoding="utf-8"))["engines"]["kinesis"]["url"]
    async with Kinesis.open(url, "us-east-1") as client:
        yield client


def local(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m deploy.local` in this environment."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", *arguments],
        cwd=Path(ROOT),
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEMO_TIMEOUT_S,
        check=False,
    )
