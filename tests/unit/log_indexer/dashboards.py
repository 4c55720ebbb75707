"""Saved objects as they are exported, read back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


def text(namespace: str) -> str:
    """What the command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "services.log_indexer", "saved-objects"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "CADABRA_NAMESPACE": namespace},
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()


@cache
def remembered(namespace: str) -> str:
    """What the command printed the first time."""
    return text(namespace)


def exported(namespace: str = "shop") -> list[dict[str, Any]]:
    """Every saved object, in the order of the file."""
    return [json.loads(line) for line in remembered(namespace).splitlines()]


def visualisations(objects: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each visualisation with its state."""
    for saved in objects:
        if saved["type"] == "visualization":
            yield saved, json.loads(saved["attributes"]["visState"])
