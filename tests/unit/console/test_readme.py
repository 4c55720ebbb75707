"""The README tells the truth about settings and metrics."""

from __future__ import annotations

from pathlib import Path

from services.console.metrics import ConsoleMetrics
from services.console.settings import Settings
from services.kernel.core.settings import markdown

README = (Path(__file__).parents[3] / "services/console/README.md").read_text("utf-8")


def test_the_readmes_settings_are_the_services() -> None:
    assert markdown(Settings) in README


def test_the_readme_names_every_metric_with_its_meaning() -> None:
    for metric in ConsoleMetrics.describe():
        row = f"| `{metric['name']}` | {metric['type']} | {', '.join(metric['labels']) or '-'} | {metric['help']} |"
        assert row in README
