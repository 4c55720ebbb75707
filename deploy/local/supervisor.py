"""Runs a plan: engines, then tasks, then services, each when what it needs is ready; all gone at the end.

A service that ends by itself is started again, later each time; one that says it is misconfigured (exit code 78) is
not. An engine that stores on disk is started again with what it stored; one that holds everything in memory is not,
for that is gone: the run then says that it has failed.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import IO

from deploy.local import endpoints, environment, plan, state, watchdog
from deploy.local.child import Child
from deploy.local.engines import engine, launch
from deploy.local.layout import ROOT, Layout, read_json
from deploy.local.plan import Service, Task
from deploy.local.probe import answers
from deploy.local.run_logs import RunLogs
from deploy.local.state import RunState, Unit

STOP_TIMEOUT_S = 30.0
MISCONFIGURED = 78
_BACKOFF_FIRST_S, _BACKOFF_LAST_S = 0.5, 10.0
_HEALTHY_AFTER_S = 30.0
_TRIES_BEFORE_READY = 3
_POLL_S = 0.05
_LOCK_TIMEOUT_S = 2.0


class StartFailed(Exception):
    """Something did not start; the message says what, and where its log is."""


class Supervisor:
    """One run of a plan in one folder."""

    def __init__(self, plan_file: Path, layout: Layout, run_id: str, namespace: str) -> None:
        self._plan = wanted = plan.read(plan_file)
        self._layout = layout
        self._logs = RunLogs(layout.logs)
        self._state = RunState(run_id, namespace, str(plan_file.resolve()))
        self._children: dict[str, Child] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._make = environment.Maker(wanted, layout, run_id, namespace)
        for kind, rows in (
            ("engine", [Task(name, "") for name in wanted.engines]),
            ("task", wanted.tasks),
            ("service", wanted.services),
        ):
            self._state.units += [Unit(row.name, kind) for row in rows]
        self._units = {unit.name: unit for unit in self._state.units}

    async def run(self) -> int:
        """Start everything, keep it running until SIGTERM, stop it; 0 unless the start failed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        self._save()
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        failure = ""
        if starting.done():
            error = starting.exception()
            failure = str(error) if isinstance(error, StartFailed | OSError) else repr(error) if error else ""
        else:
            starting.cancel()
            await asyncio.wait({starting})
        if not failure:
            await stopping
        stopping.cancel()
        await self._stop(failure)
        return 1 if failure else 0

    async def _start(self) -> None:
        # They speak of streams that were lost with the engines of the run that wrote them.
        for positions in (self._layout.flink, self._layout.log_positions):
            shutil.rmtree(positions, ignore_errors=True)
            positions.mkdir()
        async with asyncio.TaskGroup() as group:
            for name in self._plan.engines:
                group.create_task(self._start_engine(name))
        for task in self._plan.tasks:
            await self._run_task(task)
        for wave in self._plan.waves():
            firsts = [asyncio.get_running_loop().create_future() for _ in wave]
            for service, first in zip(wave, firsts, strict=True):
                self._keepers.append(asyncio.create_task(self._look_after(service, first)))
            await asyncio.gather(*firsts)
        self._state.state = state.UP
        self._save()

    async def _start_engine(self, name: str) -> None:
        unit = self._units[name]
        child = await self._bring_up(unit, environment.wanted_port(name))
        self._make.engine_urls[name] = str(unit.url)
        self._keepers.append(asyncio.create_task(self._watch_engine(unit, child)))

    async def _bring_up(self, unit: Unit, port: int, keep_data: bool = False) -> Child:
        """Start an engine and wait until it answers."""
        wanted = engine.launch(unit.name, self._layout.run, port, keep_data=keep_data)
        await asyncio.to_thread(launch.prepare, wanted)
        settings = {**wanted.environment, **self._make.mark()}
        child = await self._spawn(unit, wanted.command, settings, wanted.folder)
        deadline = time.monotonic() + launch.READY_TIMEOUT_S
        while (url := await asyncio.to_thread(launch.url, wanted)) is None:
            if not child.running or time.monotonic() > deadline:
                raise self._failed(unit, "is not ready" if child.running else "ended at once")
            await asyncio.sleep(_POLL_S)
        unit.url = url
        self._change(unit, state.READY)
        return child

    async def _watch_engine(self, unit: Unit, child: Child) -> None:
        unit.exit_code = await child.wait()
        while unit.name in engine.STORES_ON_DISK and not self._stopping.is_set():
            self._change(
                unit, state.RESTARTING, f"ended with {unit.exit_code}; again in {_BACKOFF_FIRST_S:g} s"
            )
            await asyncio.sleep(_BACKOFF_FIRST_S)
            unit.restarts += 1
            try:
                child = await self._bring_up(unit, int(str(unit.url).rpartition(":")[2]), keep_data=True)
            except (StartFailed, OSError):
                break
            unit.exit_code = await child.wait()
        if not self._stopping.is_set():
            lost = "" if unit.name in engine.STORES_ON_DISK else ", and what it held in memory with it"
            self._state.state = state.FAILED
            self._state.message = f"{unit.name} has ended{lost}: down, then up"
            self._change(unit, state.FAILED, f"ended with {unit.exit_code}")

    async def _run_task(self, task: Task) -> None:
        unit = self._units[task.name]
        command = [sys.executable, "-m", task.module]
        child = await self._spawn(unit, command, self._make.task(task), ROOT)
        unit.exit_code = await child.wait()
        if unit.exit_code:
            raise self._failed(unit, f"ended with {unit.exit_code}")
        unit.pid = None
        self._change(unit, state.ENDED)

    async def _look_after(self, service: Service, first: asyncio.Future[None]) -> None:
        try:
            await self._keep(service, first)
        except OSError as error:
            failure = self._failed(self._units[service.name], f"cannot be started: {error}")
            if not first.done():
                first.set_exception(failure)

    async def _keep(self, service: Service, first: asyncio.Future[None]) -> None:
        """Run a service again and again; `first` is done when it is ready for the first time, or never will be."""
        unit = self._units[service.name]
        failures = 0
        while not self._stopping.is_set():
            child = await self._spawn_service(service, unit)
            was_ready = await self._until_ready(service, unit, child)
            if was_ready and not first.done():
                first.set_result(None)
            ready_at = time.monotonic()
            unit.exit_code = await child.wait()
            if self._stopping.is_set():
                return
            healthy = was_ready and time.monotonic() - ready_at > _HEALTHY_AFTER_S
            failures = 1 if healthy else failures + 1
            if self._hopeless(service, unit, failures, first):
                return
            delay_s = min(_BACKOFF_LAST_S, _BACKOFF_FIRST_S * 2 ** (failures - 1))
            self._change(unit, state.RESTARTING, f"ended with {unit.exit_code}; again in {delay_s:g} s")
            await asyncio.sleep(delay_s)
            unit.restarts += 1

    def _hopeless(self, service: Service, unit: Unit, failures: int, first: asyncio.Future[None]) -> bool:
        """Whether to give the service up; tells it to whoever waits for its first start."""
        if unit.exit_code == MISCONFIGURED and self._make.forget_port(service.name):
            return False  # perhaps only the port of its last life is taken
        if unit.exit_code != MISCONFIGURED and (first.done() or failures < _TRIES_BEFORE_READY):
            return False
        error = self._failed(unit, f"ended with {unit.exit_code}")
        if not first.done():
            first.set_exception(error)
        return True

    async def _spawn_service(self, service: Service, unit: Unit) -> Child:
        self._make.ready_file(service.name).unlink(missing_ok=True)
        unit.metrics_url = None
        return await self._spawn(
            unit,
            [sys.executable, "-m", service.module, *service.arguments],
            self._make.service(service, unit.restarts),
            ROOT,
        )

    async def _until_ready(self, service: Service, unit: Unit, child: Child) -> bool:
        """Wait for the ready file and a 200 from /readyz; False where the process ended or took too long."""
        deadline = time.monotonic() + service.ready_timeout_s
        while child.running:
            if ports := read_json(self._make.ready_file(service.name)):
                metrics_url = f"http://{launch.HOST}:{ports['metrics_port']}"
                if await asyncio.to_thread(answers, f"{metrics_url}/readyz"):
                    unit.metrics_url = metrics_url
                    unit.url = f"http://{launch.HOST}:{ports['port']}" if service.api else None
                    self._make.remember_ports(service.name, ports)
                    self._change(unit, state.READY)
                    return True
            if time.monotonic() > deadline:
                unit.message = f"was not ready in {service.ready_timeout_s:g} s"
                child.kill()
                return False
            await asyncio.sleep(_POLL_S)
        return False

    async def _spawn(self, unit: Unit, command: list[str], settings: dict[str, str], folder: Path) -> Child:
        child = await Child.start(unit.name, command, settings, folder, self._logs)
        self._children[unit.name] = child
        unit.pid = child.pid
        unit.started_at = time.time()
        self._change(unit, state.STARTING)
        return child

    async def _stop(self, failure: str) -> None:
        """Drain the services, last started first, then end the engines."""
        self._stopping.set()
        endpoints.remove(self._layout)
        self._state.state = state.STOPPING
        self._save()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for wave in reversed(self._plan.waves()):
            await self._stop_units([service.name for service in wave], deadline)
        await self._stop_units([task.name for task in self._plan.tasks], deadline)
        await self._stop_units(list(self._plan.engines), time.monotonic() + 5.0)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._state.state = state.FAILED if failure else state.DOWN
        self._state.message = failure
        self._save()
        self._logs.close()

    async def _stop_units(self, names: list[str], deadline: float) -> None:
        running = [name for name in names if name in self._children and self._children[name].running]
        for name in running:
            self._change(self._units[name], state.STOPPING)
        await asyncio.gather(*(self._stop_one(name, deadline) for name in running))

    async def _stop_one(self, name: str, deadline: float) -> None:
        unit, child = self._units[name], self._children[name]
        drained = await child.stop(max(0.1, deadline - time.monotonic()))
        unit.exit_code = await child.wait()
        unit.pid = None
        self._change(unit, state.ENDED, "" if drained else f"killed: not drained in {STOP_TIMEOUT_S:g} s")

    def _failed(self, unit: Unit, why: str) -> StartFailed:
        self._change(unit, state.FAILED, why)
        return StartFailed(f"{unit.name} {why}; its log: {self._logs.path(unit.name)}")

    def _change(self, unit: Unit, new: str, message: str = "") -> None:
        unit.state, unit.message, unit.changed_at = new, message, time.time()
        self._save()

    def _save(self) -> None:
        # The addresses first: whoever reads that the run is up reads them next.
        if self._state.state == state.UP:
            endpoints.write(self._layout, self._state)
        self._state.save(self._layout.state_file)


def _take(lock: IO[str]) -> bool:
    """Take the lock; `status` may hold it for a moment to see whether it can be had."""
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        else:
            return True


def main(arguments: list[str] | None = None) -> int:
    """Be the supervisor of CADABRA_LOCAL_DIR until SIGTERM; 75 where that folder has one already."""
    parser = argparse.ArgumentParser(prog="deploy.local.supervisor", description=main.__doc__)
    parser.add_argument("--plan", type=Path, default=plan.PLATFORM, help="TOML file that says what to run")
    parser.add_argument("--namespace", required=True, help="prefix of streams and tables")
    options = parser.parse_args(arguments)
    layout = Layout.current()
    layout.make()
    with layout.supervisor_lock.open("a") as lock:
        if not _take(lock):
            print(f"{layout.folder} has a supervisor already", file=sys.stderr)
            return 75
        run_id = os.environ["CADABRA_RUN_ID"]
        guard = watchdog.start(run_id)
        supervisor = Supervisor(options.plan, layout, run_id, options.namespace)
        code = asyncio.run(supervisor.run())
        # Only after an end in order: a supervisor that fails leaves the rest to the watchdog.
        watchdog.call_off(guard)
        return code


if __name__ == "__main__":
    sys.exit(main())
