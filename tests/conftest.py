"""Fixtures that every tier may use."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Iterator

import pytest

from tests.engines import Engines, local_environment, started

_numbers = itertools.count()
_session = uuid.uuid4().hex[:6]


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Kinesis and DynamoDB, real, on 127.0.0.1, one pair for the session (or for each xdist worker)."""
    with started(tmp_path_factory.mktemp("engines")) as found:
        yield found


@pytest.fixture(scope="session")
def kinesis_endpoint(engines: Engines) -> str:
    """URL of the Kinesis engine."""
    return engines.kinesis


@pytest.fixture(scope="session")
def dynamodb_endpoint(engines: Engines) -> str:
    """URL of the DynamoDB engine."""
    return engines.dynamodb


@pytest.fixture(scope="session", autouse=True)
def _no_cloud() -> Iterator[None]:
    """Local credentials, so that no test can reach an account by the SDK's usual chain."""
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if _is_setting(name)]:
        patch.delenv(name)
    for name, value in local_environment(Engines("", "", "")).items():
        if name.startswith("AWS_") or name == "NO_PROXY":
            patch.setenv(name, value)
    yield
    patch.undo()


def _is_setting(name: str) -> bool:
    return name.startswith(("AWS_", "CADABRA_")) and not name.startswith("CADABRA_TEST_")


@pytest.fixture
def namespace() -> str:
    """A prefix for streams and tables that no other test uses."""
    return f"t{_session}-{next(_numbers)}"
