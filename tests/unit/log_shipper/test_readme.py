"""The README tells the truth about settings and metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.kernel.core.errors import Misconfigured
from services.kernel.core.settings import load, markdown
from services.log_shipper.metrics import ShipperMetrics
from services.log_shipper.serving import line_encoder, tail_limits
from services.log_shipper.settings import Settings

README = (Path(__file__).parents[3] / "services/log_shipper/README.md").read_text("utf-8")
NEEDED = {"CADABRA_LOG_GLOBS": "/var/log/*.log, /srv/*/access.log", "CADABRA_STATE_FOLDER": "/state"}


def test_the_readmes_settings_are_the_services() -> None:
    assert markdown(Settings) in README


def test_the_readme_names_every_metric_with_its_meaning() -> None:
    for metric in ShipperMetrics.describe():
        row = f"| `{metric['name']}` | {metric['type']} | {', '.join(metric['labels']) or '-'} | {metric['help']} |"
        assert row in README


def test_settings_become_limits() -> None:
    settings = load(Settings, {**NEEDED, "CADABRA_ROTATED_QUIET_S": "7"})
    limits = tail_limits(settings)
    assert limits.globs == ["/var/log/*.log", "/srv/*/access.log"]
    assert limits.rotated_quiet_s == 7


@pytest.mark.parametrize("globs", ["*.log", "/a/*.log,b.log", " , "])
def test_patterns_are_absolute(globs: str) -> None:
    with pytest.raises(Misconfigured, match="CADABRA_LOG_GLOBS"):
        tail_limits(load(Settings, {**NEEDED, "CADABRA_LOG_GLOBS": globs}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"CADABRA_BACKFILL_FROM": "2015-05-17"},
        {"CADABRA_BACKFILL_FROM": "2015-05-17", "CADABRA_BACKFILL_TO": "2015-05-32"},
        {"CADABRA_BACKFILL_FROM": "2015-05-17", "CADABRA_BACKFILL_TO": "2015-05-16"},
        {"CADABRA_ENRICH": "weather"},
        {"CADABRA_LOG_FORMAT": "%"},
    ],
)
def test_wrong_settings_are_told_before_anything_is_read(wrong: dict[str, str]) -> None:
    with pytest.raises(Misconfigured):
        line_encoder(load(Settings, {**NEEDED, **wrong}))
