"""Addresses and tokens of the run, for people and programs: `.local/endpoints.json`, readable by the owner alone."""

from __future__ import annotations

import json
from typing import Any

from deploy.local.layout import Layout, read_json, write_whole
from deploy.local.state import RunState, Unit


def write(layout: Layout, run: RunState) -> None:
    """Put down where everything is now."""
    document = {
        "namespace": run.namespace,
        "services": {unit.name: _addresses(unit) for unit in run.units if unit.kind == "service"},
        "engines": {unit.name: {"url": unit.url} for unit in run.units if unit.kind == "engine"},
        "tokens": read_json(layout.tokens_file),
    }
    write_whole(layout.endpoints_file, json.dumps(document, indent=1) + "\n", mode=0o600)


def remove(layout: Layout) -> None:
    """Take the file away: nothing runs any more."""
    layout.endpoints_file.unlink(missing_ok=True)


def read(layout: Layout) -> dict[str, Any]:
    """What `write` put down; empty where nothing runs."""
    return read_json(layout.endpoints_file)


def _addresses(unit: Unit) -> dict[str, str | None]:
    metrics = {"metrics_url": unit.metrics_url} if unit.metrics_url else {}
    return {**({"url": unit.url} if unit.url else {}), **metrics}
