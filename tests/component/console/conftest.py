"""One console for these tests, over the real log in OpenSearch and a lake of a few nasty lines."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from tests import log_entries, processes, sales_lines
from tests.conftest import SignToken
from tests.engines import Engines, local_environment
from tests.sales_lake import SalesLake

RANGE = {"from": "2015-05-17", "to": "2015-05-21"}


@dataclass
class Console:
    """A console, somebody who asks it, and where its logs and its lake are.

    Args:
        environment: the settings of its process.
    """

    process: processes.ServiceProcess
    session: aiohttp.ClientSession
    headers: dict[str, str]
    environment: dict[str, str]
    namespace: str

    async def get(self, path: str, **parameters: str) -> tuple[int, Any, dict[str, str]]:
        """Status, document and headers of a GET."""
        address = f"{self.process.url}{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        async with self.session.get(address, headers=self.headers) as answer:
            return answer.status, await answer.json(), dict(answer.headers)

    async def found(self, path: str, **parameters: str) -> Any:
        """The document of a GET over the real log's days, which has to succeed."""
        status, document, _ = await self.get(path, **{**RANGE, **parameters})
        assert status == 200, document
        return document


@pytest.fixture(scope="session")
async def console(
    opensearch_endpoint: str,
    aws_endpoint: str,
    jwks_file: Path,
    sign_token: SignToken,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Console]:
    namespace = f"t{uuid.uuid4().hex[:8]}-c"
    SalesLake(aws_endpoint, namespace).write(sales_lines.nasty())
    await log_entries.store(opensearch_endpoint, namespace, log_entries.real_entries())
    environment = {
        **local_environment(Engines("", "", "", aws=aws_endpoint, opensearch=opensearch_endpoint)),
        "CADABRA_QUESTION_ENGINE": "duckdb",
        "CADABRA_NAMESPACE": namespace,
        "CADABRA_JWKS_FILE": str(jwks_file),
        # A slow moment of the machine is no failure; what happens past the time is a test of its own.
        "CADABRA_QUERY_TIMEOUT_S": "30",
        "CADABRA_QUESTION_TIMEOUT_S": "30",
        "CADABRA_REQUEST_TIMEOUT_S": "60",
    }
    environment = {name: value for name, value in environment.items() if value}
    headers = {"Authorization": f"Bearer {sign_token('analyst', 'ada')}"}
    process = await processes.start("console", tmp_path_factory.mktemp("console"), environment)
    try:
        async with aiohttp.ClientSession() as session:
            yield Console(process, session, headers, environment, namespace)
    finally:
        process.kill9()
        print(process.log_tail())
