"""The README tells the truth about settings, metrics and numbers."""

from __future__ import annotations

from pathlib import Path

from services.kernel.core.settings import markdown
from services.log_indexer.index_days import DAYS_AHEAD, LATE_DAYS
from services.log_indexer.metrics import IndexerMetrics, MaintenanceMetrics
from services.log_indexer.settings import MAX_BACKFILL_DAYS, MaintainSettings, Settings

README = (Path(__file__).parents[3] / "services/log_indexer/README.md").read_text("utf-8")


def test_the_readmes_settings_are_the_services() -> None:
    assert markdown(Settings) in README
    rows = markdown(MaintainSettings).splitlines()[2:]
    assert all(row in README for row in rows)


def test_the_readme_names_every_metric_with_its_meaning() -> None:
    for metric in (*IndexerMetrics.describe(), *MaintenanceMetrics.describe()):
        row = f"| `{metric['name']}` | {metric['type']} | {', '.join(metric['labels']) or '-'} | {metric['help']} |"
        assert row in README


def test_the_readmes_numbers_are_the_codes() -> None:
    assert (DAYS_AHEAD, LATE_DAYS, MAX_BACKFILL_DAYS) == (2, 3, 400)
    assert "two days ahead" in README
    assert "three days over" in README
    assert "at most 400 of the back-fill" in README
