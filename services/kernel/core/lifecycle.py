"""The life of a service: start, ready, drain on SIGTERM, an exit code that says why it ended.

| code | why |
| --- | --- |
| 0 | drained, or the work is done |
| 69 | something it needs is missing or cannot be reached |
| 70 | a bug |
| 75 | the drain took longer than the stop timeout, or a second SIGTERM cut it short |
| 78 | a setting is missing or wrong |

Source: the codes are those of sysexits.h.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from services.kernel.core import logs
from services.kernel.core.errors import CadabraError, Fatal, Misconfigured, Retryable
from services.kernel.core.health import HealthServer
from services.kernel.core.metrics import Metrics
from services.kernel.core.settings import ServiceSettings, load

S = TypeVar("S", bound=ServiceSettings)

EXIT_OK = 0
EXIT_UNAVAILABLE = 69
EXIT_BUG = 70
EXIT_NOT_DRAINED = 75
EXIT_MISCONFIGURED = 78
_UNWIND_S = 2.0  # after the stop timeout a cancelled service gets this long to release what it holds

log = logs.get("lifecycle")


class Lifecycle(Generic[S]):
    """One running service; `stopping` is set once it is asked to end."""

    def __init__(self, name: str, settings: S) -> None:
        self.name = name
        self.settings = settings
        self.stopping = asyncio.Event()
        self.health: HealthServer | None = None

    async def metrics_server(self, *metrics: Metrics) -> HealthServer:
        """Serve /metrics, /healthz and /readyz until the process ends; needs no closing.

        Args:
            metrics: at least one; each under a name of its own.

        Raises:
            Misconfigured: the port is taken.
        """
        health = HealthServer(metrics, self.settings.host, self.settings.metrics_port)
        await health.start()
        self.health = health
        return health

    def ready(self, port: int | None = None, metrics_port: int | None = None) -> None:
        """Say that the service takes work: /readyz turns 200, one log line, and the ready file if one is set.

        Asked to stop in the meantime, it stays not ready.
        """
        if self.health is not None:
            metrics_port = metrics_port or self.health.port
            self.health.ready = not self.stopping.is_set()
        # What start-up built lives as long as the process: the collector need not walk it again.
        gc.collect()
        gc.freeze()
        ports = {"port": port, "metrics_port": metrics_port}
        if self.settings.ready_file is not None:
            _write_whole(self.settings.ready_file, json.dumps({**ports, "pid": os.getpid()}))
        log.info("ready", **ports)

    def stop(self, reason: str) -> None:
        """Ask the service to end: not ready at once, then `stopping` is set."""
        if self.stopping.is_set():
            return
        if self.health is not None:
            self.health.ready = False
        log.info("stopping", reason=reason)
        self.stopping.set()


def run(name: str, settings_cls: type[S], serve: Callable[[Lifecycle[S], S], Awaitable[None]]) -> NoReturn:
    """Run a service until it ends and exit the process; the whole of a `__main__`.

    Args:
        name: the service's name, as its folder is called.
        settings_cls: its settings, loaded from the environment.
        serve: does the work; returns once `life.stopping` is set and everything is drained.
    """
    logs.setup(name)
    try:
        settings = load(settings_cls)
    except Misconfigured as error:
        log.error("misconfigured", problems=str(error).splitlines())
        sys.exit(EXIT_MISCONFIGURED)
    logs.setup(name, settings.log_level, settings.instance)
    with asyncio.Runner() as runner:
        code = runner.run(_supervise(Lifecycle(name, settings), serve))
        sys.stdout.flush()
        if code == EXIT_NOT_DRAINED:
            os._exit(code)  # what would not drain may not let the interpreter end either
    sys.exit(code)


async def _supervise(life: Lifecycle[S], serve: Callable[[Lifecycle[S], S], Awaitable[None]]) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(logs.loop_exception_handler)
    task = asyncio.ensure_future(serve(life, life.settings))
    cut_short = _handle_signals(loop, life, task)
    code = EXIT_OK
    try:
        await task
    except asyncio.CancelledError:
        code = EXIT_NOT_DRAINED if cut_short.is_set() else EXIT_BUG
        if code == EXIT_BUG:
            log.error("cancelled_from_inside")
    except BaseException as error:  # noqa: BLE001 - the one place where every way to fail becomes an exit code
        code = _explain(error)
    finally:
        if life.health is not None:
            life.health.ready = False
            await life.health.close()
    if cut_short.is_set():
        code = EXIT_NOT_DRAINED
    log.info("ended", code=code)
    return code


def _handle_signals(
    loop: asyncio.AbstractEventLoop, life: Lifecycle[Any], task: asyncio.Future[None]
) -> asyncio.Event:
    cut_short = asyncio.Event()

    def give_up(why: str) -> None:
        log.error("not_drained", reason=why, stop_timeout_s=life.settings.stop_timeout_s)
        cut_short.set()
        task.cancel()

    def on_signal(number: signal.Signals) -> None:
        if life.stopping.is_set():
            log.error("not_drained", reason=f"second {number.name}")
            _exit_now()
        life.stop(number.name)
        loop.call_later(life.settings.stop_timeout_s, give_up, "stop timeout")
        # A thread, because a loop that is stuck would never fire a timer of its own.
        watchdog = threading.Timer(life.settings.stop_timeout_s + _UNWIND_S, _exit_now)
        watchdog.daemon = True
        watchdog.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return cut_short


def _exit_now() -> NoReturn:
    sys.stdout.flush()
    os._exit(EXIT_NOT_DRAINED)


def _explain(error: BaseException) -> int:
    named = _named(error)
    if isinstance(named, Misconfigured):
        log.error("misconfigured", problems=str(named).splitlines())
        return EXIT_MISCONFIGURED
    if isinstance(named, Fatal | Retryable):
        log.error("unavailable", kind=type(named).__name__, reason=str(named))
        return EXIT_UNAVAILABLE
    log.error("bug", error=error)
    return EXIT_BUG


def _named(error: BaseException) -> CadabraError | None:
    """The error by our vocabulary, looked for inside a task group's exception too; a bug beside it wins."""
    if isinstance(error, BaseExceptionGroup):
        inner = [_named(one) for one in error.exceptions]
        if any(one is None for one in inner):
            return None
        return next((one for one in inner if isinstance(one, Fatal)), inner[0])
    return error if isinstance(error, CadabraError) else None


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)
