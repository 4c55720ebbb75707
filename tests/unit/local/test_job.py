"""A job's answer, words, exit code and memory come back; it does not outlive whoever waits for it."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from deploy.local import job, processes

ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "MARK": "x"}


async def run(program: str, **more: object) -> tuple[job.Ran, list[str]]:
    said: list[str] = []
    ran = await job.run("a job", [sys.executable, "-c", program], ENVIRONMENT, said.append)
    return ran, said


async def test_its_answer_and_its_words_are_kept_apart() -> None:
    ran, said = await run(
        "import sys, os; print('{\"rows\": 7}'); print('1 of 2', file=sys.stderr); "
        "print(os.environ['MARK'], 'HOME' in os.environ, file=sys.stderr)"
    )

    assert (ran.code, ran.result) == (0, {"rows": 7})
    assert said == ran.told == ["1 of 2", "x False"]


@pytest.mark.parametrize("answer", ["", "no JSON", "[1]"])
async def test_a_job_without_an_answer_has_an_empty_one(answer: str) -> None:
    ran, _ = await run(f"print({answer!r}); raise SystemExit(65)")

    assert (ran.code, ran.result) == (65, {})


async def test_memory_and_time_of_what_it_starts_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "LOOK_EVERY_S", 0.01)
    child = "held = bytearray(80_000_000); import time; time.sleep(0.5)"

    ran, _ = await run(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])")

    assert ran.peak_bytes > 80_000_000
    assert ran.elapsed_s >= 0.5
    assert ran.as_json()["peak_bytes"] == ran.peak_bytes


async def test_it_ends_with_whoever_waits_for_it() -> None:
    pids: list[int] = []
    program = [sys.executable, "-c", "import time; time.sleep(60)"]
    waiting = asyncio.create_task(job.run("a job", program, ENVIRONMENT, print, pids.append))
    while not pids:
        await asyncio.sleep(0.01)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert processes.usage(pids[0]) is None
