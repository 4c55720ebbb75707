"""What `status` makes of metrics and states."""

from __future__ import annotations

from deploy.local import probe
from deploy.local.status import Row, Status, table
from deploy.local.tiers import Outcome
from deploy.local.tiers import table as tiers_table

ROW = Row(
    name="dynamodb_writer",
    kind="service",
    state="ready",
    pid=17,
    url=None,
    metrics_url="http://127.0.0.1:1",
    uptime_s=3.5,
    restarts=2,
    cpu_percent=12.5,
    rss_bytes=70 * 2**20,
    rate_per_s=410.0,
    lag_s=1.25,
    message="",
)


def test_samples_are_summed_over_labels() -> None:
    text = '# HELP x y\nx_total{status="202"} 3.0\nx_total{status="422"} 1.0\nlag_seconds 2.5e-1\n'

    assert probe.samples(text) == {"x_total": 4.0, "lag_seconds": 0.25}


def test_the_table_shows_every_figure() -> None:
    line = table(Status("up", "r1", "cadabra", 1, "", [ROW])).splitlines()[-1]

    expected = "dynamodb_writer ready 17 3.5 s 2 12.5 % 70 MB 410.0 1.2 s http://127.0.0.1:1"
    assert " ".join(line.split()) == expected


def test_exit_codes_tell_well_from_unwell_from_nothing() -> None:
    codes = {state: Status(state, None, None, None, "", []).exit_code for state in ("up", "degraded", "down")}

    assert codes == {"up": 0, "degraded": 1, "down": 3}


def test_a_tier_without_tests_is_a_failure_in_the_summary() -> None:
    lines = tiers_table([Outcome("unit", 0, 3, 0, 1.0), Outcome("suites", 5, 0, 0, 0.5)]).splitlines()

    assert lines[1].split() == ["unit", "3", "1.0", "s", "passed"]
    assert lines[2].endswith("FAILED: no tests")
    assert lines[3].split() == ["all", "3", "1.5", "s", "FAILED"]
