"""Tries mutants: a forked process each, which imports the changed module and runs what has to notice.

The work tree is never written to: an import hook gives the child the changed code. A child that takes far longer than
the code as it is hangs, and a hang is noticed too.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, ModuleType

from tests.mutation.operators import Mutant
from tests.mutation.targets import CORE, PACKAGE, ROOT, SEEDS, judges

MAX_CPU_S = 20
MAX_WALL_S = 180.0  # a busy machine is no hang
TEST_TIMEOUT_S = 15
SURVIVED = "survived"
_PLUGINS = ("pytest_asyncio.plugin", "pytest_timeout", "_hypothesis_pytestplugin")
# Heavy, and none of them imports a module of the core: loaded once, inherited by every child.
_PRELOADED = (
    "pytest",
    "_pytest.assertion.rewrite",
    *_PLUGINS,
    "hypothesis.strategies",
    "hypothesis.internal.conjecture.engine",
    "services.kernel.adapters.kinesis",
    "services.kernel.adapters.dynamodb",
    "services.kernel.core.tokens",
    "services.kernel.core.retry",
    "services.kernel.core.metrics",
    "services.kernel.core.settings",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one trial ended.

    Args:
        by: what noticed, or `survived`.
    """

    mutant: Mutant | None
    by: str

    @property
    def survived(self) -> bool:
        """Whether nothing noticed."""
        return self.by == SURVIVED


@dataclass(slots=True)
class _Child:
    mutant: Mutant | None
    answer: int
    began_s: float


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the changed code for one module's name."""

    def __init__(self, name: str, code: CodeType) -> None:
        self._name = name
        self._code = code

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=self._code.co_filename)

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # noqa: S102 - the mutant


def preload() -> None:
    """Import what every trial needs.

    Raises:
        RuntimeError: a module of the core came along; its mutants would never be imported.
    """
    for name in _PRELOADED:
        importlib.import_module(name)
    early = [module for module in CORE if f"{PACKAGE}.{module}" in sys.modules]
    if early:
        raise RuntimeError(f"imported too early: {early}")
    gc.collect()
    gc.freeze()  # a child's collections then pass over what it inherited


def try_as_it_is(modules: Sequence[str]) -> Verdict:
    """Try the code without any change, by all that judges these modules."""
    return next(_try_all([(None, modules)], 1))


def try_all(mutants: Sequence[Mutant], processes: int) -> Iterator[Verdict]:
    """Try mutants in any order."""
    return _try_all([(mutant, (mutant.module,)) for mutant in mutants], processes)


def _try_all(trials: Sequence[tuple[Mutant | None, Sequence[str]]], processes: int) -> Iterator[Verdict]:
    waiting = list(reversed(trials))
    children: dict[int, _Child] = {}
    try:
        while waiting or children:
            while waiting and len(children) < processes:
                pid, child = _fork(*waiting.pop())
                children[pid] = child
            select.select([child.answer for child in children.values()], [], [], 1.0)
            for pid, child in list(children.items()):
                verdict = _ended(pid, child)
                if verdict is not None:
                    del children[pid]
                    yield verdict
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _fork(mutant: Mutant | None, modules: Sequence[str]) -> tuple[int, _Child]:
    answer, told = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(told)
        return pid, _Child(mutant, answer, time.monotonic())
    os.close(answer)
    by = "import"
    try:
        by = _judge(mutant, modules)
    except BaseException as error:  # noqa: BLE001 - a mutant may break anything, and that is noticed
        by = f"{type(error).__name__}"
    finally:
        os.write(told, json.dumps(by).encode())
        os._exit(0)


def _ended(pid: int, child: _Child) -> Verdict | None:
    done, _status = os.waitpid(pid, os.WNOHANG)
    if not done:
        if time.monotonic() - child.began_s < MAX_WALL_S:
            return None
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    with os.fdopen(child.answer, "rb") as pipe:
        answer = pipe.read()
    return Verdict(child.mutant, json.loads(answer) if answer else "hang")


def _judge(mutant: Mutant | None, modules: Sequence[str]) -> str:
    """What notices the mutant; runs in the child."""
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    os.chdir(ROOT)
    if mutant is not None:
        sys.meta_path.insert(0, _Changed(f"{PACKAGE}.{mutant.module}", mutant.code))
    return _by_unit_tests(modules) or _by_simulation() or SURVIVED


class _Ear:
    """A plugin that remembers the first failure, and keeps property tests short and the same each time."""

    def __init__(self) -> None:
        self.failed: str | None = None

    def pytest_configure(self) -> None:
        import hypothesis

        hypothesis.settings.register_profile(
            "mutants",
            deadline=None,
            derandomize=True,
            database=None,
            max_examples=30,
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        )
        hypothesis.settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: object) -> None:
        if getattr(report, "failed", False):
            self.failed = self.failed or str(getattr(report, "nodeid", "")).rpartition("/")[2]


def _by_unit_tests(modules: Sequence[str]) -> str | None:
    import pytest

    ear = _Ear()
    # Loading plugins that these tests do not need costs more than the tests do.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugins = [part for name in _PLUGINS for part in ("-p", name)]
    options = [
        *plugins,
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        f"timeout={TEST_TIMEOUT_S}",
    ]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # plugins are loaded before the fork
    code = pytest.main([*options, *judges(modules)], plugins=[ear])
    return None if code == 0 else ear.failed or f"pytest {int(code)}"


def _by_simulation() -> str | None:
    from tests.simulation.runs import run_seeds

    with contextlib.suppress(ValueError):
        signal.alarm(0)
    broken = run_seeds(SEEDS).broken
    return "; ".join(f"seed {seed}: {what}" for seed, what in broken.items()) or None
