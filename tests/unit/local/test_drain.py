"""Waiting ends when all is stored and nothing moves, and says so when nothing moves and all is not stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from deploy.local import drain, probe
from deploy.local.drain import Progress, Stuck, until_drained
from deploy.local.layout import Layout
from deploy.local.target import Target

NOWHERE = cast(Target, None)
LEFT, DONE = Progress(10.0, 3.0, 4.0, 5.0, 6.0), Progress(0.0, 0.1, 0.0, 10.0, 12.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(drain, "QUIET_S", 0.02)
    monkeypatch.setattr(drain, "SETTLED_S", 0.05)


def script(*looks: Progress | None) -> Callable[[Target], Progress | None]:
    left = list(looks)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


async def test_it_ends_when_all_orders_are_stored_and_nothing_moves() -> None:
    assert await until_drained(NOWHERE, 10, look_at=script(None, LEFT, LEFT, None, DONE)) >= 0


async def test_a_writer_that_counts_from_its_restart_is_waited_out() -> None:
    again = Progress(0.0, 0.0, 0.0, 2.0, 2.0)
    assert await until_drained(NOWHERE, 10, look_at=script(LEFT, again)) >= 0


@pytest.mark.parametrize(
    "last",
    [
        LEFT,
        Progress(1.0, 0.0, 0.0, 10.0, 12.0),
        Progress(0.0, 9.0, 0.0, 10.0, 12.0),
        Progress(0.0, 0.0, 1.0, 10.0, 12.0),
        None,
    ],
)
async def test_it_is_stuck_while_something_is_left_and_nothing_moves(last: Progress | None) -> None:
    with pytest.raises(Stuck, match="10 orders were sent"):
        await until_drained(NOWHERE, 10, patience_s=0.2, look_at=script(LEFT, last))


async def test_a_lag_that_only_grows_is_no_progress() -> None:
    lag_s = 0.0

    def growing(_: Target) -> Progress:
        nonlocal lag_s
        lag_s += 1
        return Progress(0.0, 5 + lag_s, 0.0, 10.0, 12.0)

    with pytest.raises(Stuck):
        await until_drained(NOWHERE, 10, patience_s=0.1, look_at=growing)


METRICS = """
cadabra_order_file_ingest_lag_bytes 0
cadabra_lake_writer_lag_seconds 2.5
cadabra_lake_writer_oldest_open_seconds 2.5
cadabra_lake_writer_records_handled_total 70
cadabra_lake_writer_rejected_lag_seconds 9
"""


def test_the_lakes_writer_is_asked_how_far_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    services = {name: {"metrics_url": f"http://{name}"} for name in ("order_file_ingest", "lake_writer")}
    layout.endpoints_file.write_text(json.dumps({"services": services}))
    monkeypatch.setattr(probe, "get", lambda url: METRICS if url.endswith("/metrics") else None)

    found = drain.look_at_lake(cast(Target, SimpleNamespace(layout=layout)))

    assert found == Progress(file_lag_bytes=0, lag_s=2.5, oldest_open_s=2.5, first_parts=70, handled=70)
    assert not found.nothing_left
