"""The engines that the tests and the platform run on."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local import processes
from deploy.local.engines import engine, launch
from tests.engines import EngineProcess, Engines, one_started, started


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """OpenSearch of these tests' own."""
    with started(tmp_path_factory.mktemp("search"), ("opensearch",)) as found:
        yield found


def test_every_socket_of_the_engines_listens_on_loopback(engines: Engines, search: Engines) -> None:
    for process in processes.of_run(engines.run_id) + processes.of_run(search.run_id):
        addresses = processes.listening_addresses(process.pid)
        assert addresses
        assert all(address.startswith("127.0.0.1:") for address in addresses), (process, addresses)


def test_the_engines_carry_the_run_id(engines: Engines, search: Engines) -> None:
    def programs(run_id: str) -> list[str]:
        return sorted(process.command.split()[0] for process in processes.of_run(run_id))

    assert (programs(engines.run_id), programs(search.run_id)) == (["java", "node"], ["java"])


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
