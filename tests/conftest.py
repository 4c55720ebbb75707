"""Fixtures that every tier may use."""

from __future__ import annotations

import itertools
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import hypothesis
import pytest

from services.kernel.core.tokens import AUDIENCE, Keys, jwks, sign
from tests import processes
from tests.engines import Engines, local_environment, started
from tests.processes import ServiceProcess

# A slow moment of the machine is no failure: time is measured in bench/, not here.
hypothesis.settings.register_profile("project", deadline=None, print_blob=True)
hypothesis.settings.load_profile("project")

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


@pytest.fixture(scope="session")
def aws_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the engine that stands in for SNS, S3 and Glue; only tests that need it pay for its start."""
    with started(tmp_path_factory.mktemp("aws"), ("aws",)) as found:
        yield found.aws


@pytest.fixture(scope="session")
def s3_endpoint(aws_endpoint: str) -> str:
    """URL of S3."""
    return aws_endpoint


@pytest.fixture(scope="session")
def glue_endpoint(aws_endpoint: str) -> str:
    """URL of the Glue Data Catalog."""
    return aws_endpoint


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of PostgreSQL, in the place of Redshift; only tests that need it pay for its start (1 s, 60 MB)."""
    with started(tmp_path_factory.mktemp("postgresql"), ("postgresql",)) as found:
        yield found.postgresql


@pytest.fixture(scope="session")
def opensearch_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the OpenSearch engine; only tests that need it pay for its start (3 s, 0.5 GB)."""
    with started(tmp_path_factory.mktemp("opensearch"), ("opensearch",)) as found:
        yield found.opensearch


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


class StartService(Protocol):
    """Starts a service of ours as a process and waits until it is ready."""

    async def __call__(self, name: str, **settings: str) -> ServiceProcess:
        """Start `services.<name>` with these settings on top of the usual ones.

        Args:
            settings: environment variables by name, such as CADABRA_POLL_INTERVAL_S="0.1".

        Raises:
            RuntimeError: it did not become ready; its output is in the message.
        """
        ...


@pytest.fixture
def start_service(
    engines: Engines, namespace: str, jwks_file: Path, tmp_path: Path
) -> Iterator[StartService]:
    """Start services of this test's namespace on the real engines; all are killed when the test ends."""
    started_here: list[ServiceProcess] = []

    async def start_one(name: str, **settings: str) -> ServiceProcess:
        environment = {
            **local_environment(engines),
            "CADABRA_NAMESPACE": namespace,
            "CADABRA_RUN_ID": engines.run_id,
            "CADABRA_JWKS_FILE": str(jwks_file),
            "CADABRA_INSTANCE": f"{name}-{len(started_here)}",
            **settings,
        }
        service = await processes.start(name, tmp_path, environment)
        started_here.append(service)
        return service

    yield start_one
    for service in started_here:
        service.kill9()
        print(f"--- {service.name} {service.pid}\n{service.log_tail()}")


class SignToken(Protocol):
    """Signs tokens that the services of this test session accept."""

    def __call__(self, role: str, subject: str, lifetime_s: float = 3600, audience: str = AUDIENCE) -> str:
        """A token for this role and subject; a negative lifetime makes one that has expired."""
        ...


@pytest.fixture(scope="session")
def signing_keys() -> Keys:
    """The key pair of this test session."""
    return Keys.generate("tests")


@pytest.fixture(scope="session")
def jwks_file(signing_keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public keys that the services are given (CADABRA_JWKS_FILE)."""
    path = tmp_path_factory.mktemp("keys") / "jwks.json"
    path.write_text(json.dumps(jwks([signing_keys.public_jwk])), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def sign_token(signing_keys: Keys) -> SignToken:
    """Signs tokens with the key of this test session."""

    def signed(role: str, subject: str, lifetime_s: float = 3600, audience: str = AUDIENCE) -> str:
        return sign(signing_keys.private_jwk, subject, role, audience, lifetime_s)

    return signed
