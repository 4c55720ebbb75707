"""Fixtures of the fault tier: SDK clients straight to the engines, and proxies before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from tests.conftest import StartService
from tests.engines import Engines
from tests.fault.proxy import FaultProxy
from tests.fault.stage import Stage


def sdk(service: str, endpoint: str) -> Any:
    """A client without retries, as an async context manager."""
    config = AioConfig(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=20)
    return get_session().create_client(service, endpoint_url=endpoint, region_name="us-east-1", config=config)


@pytest.fixture(scope="session")
async def kinesis(engines: Engines) -> AsyncIterator[Any]:
    """The test's own way to Kinesis, past every fault."""
    async with sdk("kinesis", engines.kinesis) as client:
        yield client


@pytest.fixture(scope="session")
async def dynamodb(engines: Engines) -> AsyncIterator[Any]:
    """The test's own way to DynamoDB, past every fault."""
    async with sdk("dynamodb", engines.dynamodb) as client:
        yield client


@pytest.fixture
async def kinesis_proxy(engines: Engines) -> AsyncIterator[FaultProxy]:
    """A proxy before Kinesis, without a rule yet."""
    async with FaultProxy(engines.kinesis, seed=1) as proxy:
        yield proxy


@pytest.fixture
async def dynamodb_proxy(engines: Engines) -> AsyncIterator[FaultProxy]:
    """A proxy before DynamoDB, without a rule yet."""
    async with FaultProxy(engines.dynamodb, seed=2) as proxy:
        yield proxy


@pytest.fixture
async def stage(
    engines: Engines,
    namespace: str,
    kinesis: Any,
    dynamodb: Any,
    start_service: StartService,
    tmp_path: Path,
) -> AsyncIterator[Stage]:
    """Fresh streams and tables, an empty ledger, and no service yet."""
    stage = Stage(engines, namespace, kinesis, dynamodb, start_service, tmp_path)
    try:
        await stage.prepare()
        yield stage
    finally:
        await stage.close()
