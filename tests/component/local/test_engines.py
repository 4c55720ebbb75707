"""The engines that the tests and the platform run on."""

from __future__ import annotations

from deploy.local import processes
from tests.engines import Engines


def test_every_socket_of_the_engines_listens_on_loopback(engines: Engines) -> None:
    for process in processes.of_run(engines.run_id):
        addresses = processes.listening_addresses(process.pid)
        assert addresses
        assert all(address.startswith("127.0.0.1:") for address in addresses), (process, addresses)


def test_both_engines_carry_the_run_id(engines: Engines) -> None:
    commands = [process.command.split()[0] for process in processes.of_run(engines.run_id)]

    assert sorted(commands) == ["java", "node"]
