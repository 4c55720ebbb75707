"""What a job is told: property groups, as Managed Service for Apache Flink hands them over; and what it may set itself.

Pure: needs no Flink.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVICE_FILE = Path("/etc/flink/application_properties.json")
"""Where the service puts them. Source: its developer guide, "Runtime properties"."""
PROPERTIES_VARIABLE = "CADABRA_FLINK_PROPERTIES"
CLUSTER_VARIABLE = "CADABRA_FLINK_CLUSTER"

# Source: the service's developer guide, "Programmatic Flink configuration properties": since its version 2.2 the job
# fails if its code sets any other one. Of the listed ones these are what a job of ours could want.
PERMITTED = frozenset(
    {
        "execution.runtime-mode",
        "pipeline.auto-generate-uids",
        "pipeline.auto-watermark-interval",
        "pipeline.generic-types",
        "pipeline.max-parallelism",
        "pipeline.name",
        "pipeline.object-reuse",
        "pipeline.operator-chaining.enabled",
        "python.execution-mode",
        "python.operator-chaining.enabled",
    }
)


class WrongProperties(ValueError):
    """The job cannot start with what it is told; the message says what is wrong."""


class NotPermitted(ValueError):
    """The code of a job sets what the service does not let it set."""


@dataclass(frozen=True, slots=True)
class Properties:
    """Property groups by name; each maps texts to texts."""

    groups: Mapping[str, Mapping[str, str]]

    def group(self, name: str) -> Mapping[str, str]:
        """One group; empty where nobody gave it."""
        return self.groups.get(name, {})

    def required(self, group: str, key: str) -> str:
        """One value.

        Raises:
            WrongProperties: it is missing or empty.
        """
        value = self.group(group).get(key, "")
        if not value:
            raise WrongProperties(f"property group {group} has no {key}")
        return value


def load(path: Path | None = None) -> Properties:
    """Read the groups from the service's file, or from the one that CADABRA_FLINK_PROPERTIES names.

    Raises:
        WrongProperties: the file is missing or has another form.
    """
    where = path or Path(os.environ.get(PROPERTIES_VARIABLE) or SERVICE_FILE)
    try:
        document = json.loads(where.read_text(encoding="utf-8"))
        return Properties({row["PropertyGroupId"]: _texts(row["PropertyMap"]) for row in document})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongProperties(f"{where}: no property groups: {type(error).__name__}") from error


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in values.values()):
        raise TypeError("a property is a text")
    return dict(values)


def document(groups: Mapping[str, Mapping[str, str]]) -> str:
    """Write groups in the form that `load` reads."""
    rows = [{"PropertyGroupId": name, "PropertyMap": dict(values)} for name, values in groups.items()]
    return json.dumps(rows, indent=1) + "\n"


def permitted(options: Mapping[str, str]) -> dict[str, str]:
    """The options that a job's code sets, once it is sure that the service lets it.

    Raises:
        NotPermitted: names every other one.
    """
    others = sorted(options.keys() - PERMITTED)
    if others:
        raise NotPermitted(f"the service fails a job whose code sets {', '.join(others)}")
    return dict(options)


def cluster_options() -> dict[str, str]:
    """Options of a cluster inside this very process, from the file that CADABRA_FLINK_CLUSTER names.

    Empty where there is none: then somebody else runs the cluster, and its options are theirs.
    """
    named = os.environ.get(CLUSTER_VARIABLE)
    if not named:
        return {}
    return _texts(json.loads(Path(named).read_text(encoding="utf-8")))
