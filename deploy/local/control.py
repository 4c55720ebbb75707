"""Starts and stops the platform from outside: what `up` and `down` do."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import endpoints, plan, processes, secret_files, state, supervisor
from deploy.local.layout import ROOT, Layout
from deploy.local.processes import RUN_ID_VARIABLE
from deploy.local.state import RunState

_POLL_S = 0.05
_START_TIMEOUT_S = 300.0
_STOP_TIMEOUT_S = supervisor.STOP_TIMEOUT_S + 15.0

Say = Callable[[str], None]


class NotUp(Exception):
    """The platform did not come up; nothing of it runs. The message says why and where to look."""


def up(
    layout: Layout,
    say: Say = print,
    namespace: str | None = None,
    fresh: bool = False,
    plan_file: Path = plan.PLATFORM,
) -> RunState:
    """Start the platform in the background and wait until everything is ready.

    Args:
        say: takes one line per step.
        namespace: prefix of streams and tables; by default CADABRA_NAMESPACE or what the plan says.
        fresh: stop one that runs first, so that streams and tables are empty (the engines hold them in memory).

    Returns:
        The run: the one that was up already, where there was one.

    Raises:
        NotUp: it did not start.
    """
    layout.make()
    with _turn(layout, say):
        if alive(layout):
            run = RunState.load(layout.state_file)
            if run is not None and run.state == state.UP and not fresh:
                say(f"already up since {time.strftime('%H:%M:%S', time.localtime(run.started_at))}")
                return run
            _stop(layout, say)
        _kill_leftovers(layout, say)
        secret_files.ensure(layout)
        shutil.rmtree(layout.run)
        layout.make()
        layout.state_file.unlink(missing_ok=True)
        return _start(layout, say, namespace or _usual_namespace(plan_file), plan_file)


def down(layout: Layout, say: Say = print) -> int:
    """Drain and stop everything, and leave no process of this folder's runs.

    Returns:
        How many processes had to be killed because they were still there after the stop.
    """
    if not layout.folder.is_dir():
        say("nothing runs")
        return 0
    layout.make()
    with _turn(layout, say):
        was_alive = alive(layout)
        if was_alive:
            _stop(layout, say)
        killed = _kill_leftovers(layout, say)
        endpoints.remove(layout)
        say("down: no process is left" if was_alive or killed else "nothing runs")
        return killed


def alive(layout: Layout) -> bool:
    """Whether a supervisor runs in this folder: it holds the lock for as long as it lives."""
    if not layout.supervisor_lock.exists():
        return False
    with layout.supervisor_lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _start(layout: Layout, say: Say, namespace: str, plan_file: Path) -> RunState:
    command = [sys.executable, "-m", "deploy.local.supervisor"]
    command += ["--plan", str(plan_file), "--namespace", namespace]
    settings = {
        **os.environ,
        RUN_ID_VARIABLE: layout.new_run_id(),
        "CADABRA_LOCAL_DIR": str(layout.folder),
    }
    log = layout.logs / "supervisor.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=settings,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        run = _follow(layout, process, say)
    except BaseException:
        _stop(layout, say)
        _kill_leftovers(layout, say)
        raise
    if run is None or run.state != state.UP:
        process.wait()
        _kill_leftovers(layout, say)
        raise NotUp(run.message if run is not None and run.message else f"see {log}")
    return run


def _follow(layout: Layout, process: subprocess.Popen[bytes], say: Say) -> RunState | None:
    """Tell each step until everything is up, or the supervisor has ended."""
    told: set[str] = set()
    started = time.monotonic()
    while time.monotonic() - started < _START_TIMEOUT_S:
        ended = process.poll() is not None
        run = RunState.load(layout.state_file)
        for unit in run.units if run is not None else []:
            if unit.state in (state.READY, state.ENDED, state.FAILED) and unit.name not in told:
                told.add(unit.name)
                where = f"  {unit.url}" if unit.url else ""
                say(f"{time.monotonic() - started:6.1f} s  {unit.name:<24} {unit.state}{where}")
        if ended or (run is not None and run.state == state.UP):
            return run
        time.sleep(_POLL_S)
    raise NotUp(f"not up after {_START_TIMEOUT_S:g} s; logs: {layout.logs}")


def _stop(layout: Layout, say: Say) -> None:
    """Ask the supervisor to drain and end, and kill it if it does not."""
    pid = _supervisor_pid(layout)
    if pid is None:
        return
    say("draining ...")
    processes.send(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while alive(layout) or _supervisors(layout):
        if time.monotonic() > deadline:
            say(f"the supervisor ({pid}) does not end: killing it")
            processes.send(pid, signal.SIGKILL)
            deadline += 5.0
        time.sleep(_POLL_S)
    run = RunState.load(layout.state_file)
    for unit in run.units if run is not None else []:
        if unit.message.startswith("killed"):
            say(f"{unit.name}: {unit.message}")


def _supervisor_pid(layout: Layout) -> int | None:
    """The supervisor's process, known by its lock and its run id, so that a recycled number is never hit."""
    if not alive(layout):
        return None
    return next(iter(_supervisors(layout)), None)


def _supervisors(layout: Layout) -> list[int]:
    ours = processes.of_run(layout.run_id_prefix)
    return [process.pid for process in ours if "deploy.local.supervisor" in process.command]


def _kill_leftovers(layout: Layout, say: Say) -> int:
    killed = processes.kill_run(layout.run_id_prefix)
    for process in killed:
        say(f"was still there and is killed: {process.pid} {process.command[:120]}")
    return len(killed)


def _usual_namespace(plan_file: Path) -> str:
    return os.environ.get("CADABRA_NAMESPACE") or plan.read(plan_file).environment.get(
        "CADABRA_NAMESPACE", "cadabra"
    )


@contextmanager
def _turn(layout: Layout, say: Say) -> Iterator[None]:
    """Let one `up` or `down` of this folder work at a time."""
    with layout.command_lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another up or down of this folder is at work: waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
