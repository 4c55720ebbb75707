"""The engines that the tests and the platform run on."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiobotocore.session
import psycopg
import pytest

from deploy.local import processes
from deploy.local.engines import engine, launch
from tests.engines import EngineProcess, Engines, one_started, started


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """What the lake and the warehouse stand on, of these tests' own."""
    with started(tmp_path_factory.mktemp("lake"), ("aws", "postgresql")) as found:
        yield found


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """OpenSearch of these tests' own."""
    with started(tmp_path_factory.mktemp("search"), ("opensearch",)) as found:
        yield found


def test_every_socket_of_the_engines_listens_on_loopback(
    engines: Engines, search: Engines, lake: Engines
) -> None:
    for process in [one for found in (engines, search, lake) for one in processes.of_run(found.run_id)]:
        addresses = processes.listening_addresses(process.pid)
        assert addresses
        assert all(address.startswith("127.0.0.1:") for address in addresses), (process, addresses)


def test_the_engines_carry_the_run_id(engines: Engines, search: Engines, lake: Engines) -> None:
    def programs(run_id: str) -> list[str]:
        return sorted(Path(process.command.split()[0]).name for process in processes.of_run(run_id))

    assert (programs(engines.run_id), programs(search.run_id)) == (["java", "node"], ["java"])
    assert programs(lake.run_id) == ["postgres", "python"]


async def test_one_engine_serves_topics_objects_and_the_catalogue_of_the_lake(lake: Engines) -> None:
    session = aiobotocore.session.get_session()
    async with session.create_client("s3", endpoint_url=lake.aws) as s3:
        await s3.create_bucket(Bucket="lake")
        await s3.put_object(Bucket="lake", Key="landing/1", Body=b"rows")
        assert await (await s3.get_object(Bucket="lake", Key="landing/1"))["Body"].read() == b"rows"
    async with session.create_client("glue", endpoint_url=lake.aws) as glue:
        await glue.create_database(DatabaseInput={"Name": "sales"})
        assert [one["Name"] for one in (await glue.get_databases())["DatabaseList"]] == ["sales"]
    async with session.create_client("sns", endpoint_url=lake.aws) as sns:
        assert (await sns.list_topics())["Topics"] == []


def test_postgresql_runs_as_somebody_whom_it_accepts(lake: Engines) -> None:
    (server,) = [one for one in processes.of_run(lake.run_id) if "postgres" in one.command.split()[0]]
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    (users,) = [line.split()[1:] for line in status.splitlines() if line.startswith("Uid:")]

    assert set(users) == {str(os.geteuid() or 65534)}


def test_who_is_not_root_runs_postgresql_as_who_he_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert engine.launch("postgresql", tmp_path).command[0] == str(engine.POSTGRESQL_PYTHON)


def test_postgresql_starts_empty_at_its_address_after_kill_9(tmp_path: Path) -> None:
    with one_started("postgresql", tmp_path) as process:
        url = process.url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE lines (quantity integer)")
        process.kill9()

        process.start_again()

        assert process.url == url
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT to_regclass('lines')").fetchone() == (None,)
            assert str(connection.execute("SHOW server_version").fetchone()).startswith("('18.")


def test_an_engine_that_says_something_else_is_not_ready() -> None:
    expecting = launch.Message(b"hello", b"R")
    with socket.create_server((launch.HOST, 0)) as listening, ThreadPoolExecutor(1) as pool:
        port = listening.getsockname()[1]
        asked = pool.submit(expecting.answered, port)
        with listening.accept()[0] as connection:
            assert connection.recv(5) == b"hello"
            connection.sendall(b"E")
        assert asked.result() is False

    assert expecting.answered(port) is False


def test_opensearch_keeps_what_it_acknowledged_over_kill_9_at_its_address(tmp_path: Path) -> None:
    with one_started("opensearch", tmp_path) as process:
        url = process.url
        said(url, "PUT", "/orders/_doc/1", '{"quantity": 6}')
        process.kill9()

        process.start_again()

        assert process.url == url
        assert said(url, "GET", "/orders/_doc/1")["_source"] == {"quantity": 6}


def test_opensearch_starts_empty_unless_its_data_is_to_be_kept(tmp_path: Path) -> None:
    process = EngineProcess("opensearch", tmp_path, "tests-fresh")
    try:
        process.start()
        said(process.wait(), "PUT", "/orders/_doc/1", '{"quantity": 6}')
        process.kill9()

        process.start()

        assert said(process.wait(), "GET", "/_cat/indices?format=json") == []
    finally:
        process.kill9()


def test_what_an_engine_left_is_cleared_before_its_next_start(tmp_path: Path) -> None:
    stale = tmp_path / "opensearch" / "logs" / "http.ports"
    stored = tmp_path / "opensearch" / "data" / "nodes"
    for path in (stale, stored):
        path.parent.mkdir(parents=True)
        path.write_text("127.0.0.1:1")

    launch.prepare(engine.launch("opensearch", tmp_path, keep_data=True))
    assert (stale.exists(), stored.exists()) == (False, True)

    launch.prepare(engine.launch("opensearch", tmp_path))
    assert not stored.exists()


def said(url: str, method: str, path: str, body: str | None = None) -> Any:
    """What the engine answers to a request of ours."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
