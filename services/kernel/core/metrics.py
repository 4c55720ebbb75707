"""Metrics: declared once as class attributes with type, unit, labels, meaning; served as Prometheus text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZE_BUCKETS_BYTES = tuple(float(4**power) for power in range(4, 13))
CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class _Declaration:
    kind: type[Any]
    name: str
    help: str
    labels: tuple[str, ...]
    unit: str
    arguments: dict[str, Any] = field(default_factory=dict)


def counter(name: str, help: str, labels: Sequence[str] = (), unit: str = "") -> Counter:
    """Declare a number that only grows; the exported name ends in `_total`."""
    return cast(Counter, _Declaration(Counter, name, help, tuple(labels), unit))


def gauge(name: str, help: str, labels: Sequence[str] = (), unit: str = "") -> Gauge:
    """Declare a number that goes up and down."""
    return cast(Gauge, _Declaration(Gauge, name, help, tuple(labels), unit))


def histogram(
    name: str,
    help: str,
    labels: Sequence[str] = (),
    unit: str = "",
    buckets: Sequence[float] = LATENCY_BUCKETS_S,
) -> Histogram:
    """Declare a distribution over the given upper bounds."""
    arguments = {"buckets": tuple(buckets)}
    return cast(Histogram, _Declaration(Histogram, name, help, tuple(labels), unit, arguments))


class Metrics:
    """All metrics of one service; subclass it, set `service`, declare each metric as a class attribute.

    A kernel part declares its own in a subclass too, and a service that uses the part inherits from both.
    Names are exported as `cadabra_<service>_<name>`; every instance has a registry of its own.

    Args:
        process: whether the process's own figures are among them; of several in one process only one may have them.
    """

    service: ClassVar[str] = "kernel"

    def __init__(self, process: bool = True) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        for attribute, declared in _declarations(type(self)):
            metric = declared.kind(
                _full_name(self.service, declared.name),
                declared.help,
                labelnames=declared.labels,
                registry=self.registry,
                **declared.arguments,
            )
            setattr(self, attribute, metric)
        if process:
            prometheus_client.ProcessCollector(registry=self.registry)

    @classmethod
    def describe(cls) -> list[dict[str, Any]]:
        """List every metric: exported name, type, unit, labels, help."""
        return [
            {
                "name": _full_name(cls.service, declared.name)
                + ("_total" if declared.kind is Counter and not declared.name.endswith("_total") else ""),
                "type": declared.kind.__name__.lower(),
                "unit": declared.unit,
                "labels": list(declared.labels),
                "help": declared.help,
            }
            for _, declared in _declarations(cls)
        ]

    def exposition(self) -> bytes:
        """Render the current values in the Prometheus text format."""
        return generate_latest(self.registry)


def _declarations(cls: type[Metrics]) -> list[tuple[str, _Declaration]]:
    found: dict[str, _Declaration] = {}
    for base in reversed(cls.__mro__):
        for attribute, value in vars(base).items():
            if isinstance(value, _Declaration):
                found[attribute] = value
    return list(found.items())


def _full_name(service: str, name: str) -> str:
    return f"cadabra_{service}_{name}"
