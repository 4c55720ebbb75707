"""The README tells the truth about settings, metrics, messages and limits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.alarm_notifier import operations, requests, stages
from services.alarm_notifier.metrics import NotifierMetrics
from services.alarm_notifier.rendering import render
from services.alarm_notifier.settings import Settings
from services.kernel.core.settings import markdown
from tests.alarms import an_alarm
from tests.unit.alarm_notifier.test_rendering import CONSOLE, tell, told

SERVICE = Path(__file__).parents[3] / "services/alarm_notifier"
README = (SERVICE / "README.md").read_text("utf-8")
OPENAPI = json.loads((SERVICE / "openapi.json").read_text("utf-8"))


def test_the_readmes_settings_are_the_services() -> None:
    assert markdown(Settings) in README


def test_the_readme_names_every_metric_with_its_meaning() -> None:
    for metric in NotifierMetrics.describe():
        row = f"| `{metric['name']}` | {metric['type']} | {', '.join(metric['labels']) or '-'} | {metric['help']} |"
        assert row in README


def test_the_readme_names_every_field_that_programs_get() -> None:
    document = json.loads(render(tell(told(an_alarm())), CONSOLE).texts["https"])
    for field in (*document, *document["incidents"][0]):
        assert f"| `{field}` |" in README or f"| `incidents[].{field}` |" in README, field


@pytest.mark.parametrize("path", list(OPENAPI["paths"]))
def test_the_readme_names_every_request(path: str) -> None:
    assert f"{path}`" in README or f"{path}?" in README


def test_the_readmes_limits_are_the_codes() -> None:
    assert f"| silences in force | {operations.MAX_SILENCES} |" in README
    assert f"| messages that go out as one | {stages.MAX_GROUP} |" in README
    assert f"| a silence | {requests.MAX_SILENCE_S // 86_400} days |" in README


@pytest.mark.parametrize(
    ("name", "type_"), [("NewSilence", requests.SilenceRequest), ("NewTest", requests.TestRequest)]
)
def test_the_specification_has_the_fields_of_the_bodies(name: str, type_: type) -> None:
    properties = OPENAPI["components"]["schemas"][name]["properties"]
    assert set(properties) == set(type_.__struct_fields__)  # type: ignore[attr-defined]
