"""Metrics: declared once, prefixed by the service, described as they are exported."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from services.kernel.core.metrics import Metrics, counter, gauge, histogram
from services.kernel.streams.producer_metrics import ProducerMetrics


class ShopMetrics(ProducerMetrics):
    service = "shop"
    requests = counter("requests", "Requests by status.", labels=("status",))
    open_bytes = gauge("open_bytes", "Bytes at work.", unit="bytes")
    latency = histogram("latency_seconds", "Time of a request.", unit="s", buckets=(0.1, 1.0))


def exported(metrics: Metrics) -> dict[str, float]:
    return {
        sample.name + "".join(f"{{{key}={value}}}" for key, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    }


def test_values_are_exported_under_the_services_name() -> None:
    metrics = ShopMetrics()
    metrics.requests.labels(status="202").inc(3)
    metrics.open_bytes.set(7)
    metrics.latency.observe(0.5)
    metrics.producer_records.inc()
    values = exported(metrics)
    assert values["cadabra_shop_requests_total{status=202}"] == 3
    assert values["cadabra_shop_open_bytes"] == 7
    assert values["cadabra_shop_latency_seconds_bucket{le=1.0}"] == 1
    assert values["cadabra_shop_producer_records_total"] == 1
    assert values["process_resident_memory_bytes"] > 0
    assert not [name for name in values if name.endswith("_created")]


def test_two_instances_share_nothing() -> None:
    first, second = ShopMetrics(), ShopMetrics()
    first.open_bytes.set(7)
    assert exported(second)["cadabra_shop_open_bytes"] == 0


def test_the_description_names_what_is_exported() -> None:
    described = {row["name"]: row for row in ShopMetrics.describe()}
    assert described["cadabra_shop_requests_total"] == {
        "name": "cadabra_shop_requests_total",
        "type": "counter",
        "unit": "",
        "labels": ["status"],
        "help": "Requests by status.",
    }
    metrics = ShopMetrics()
    metrics.requests.labels(status="200")
    families = {
        family.name + ("_total" if family.type == "counter" else ""): family.type
        for family in text_string_to_metric_families(metrics.exposition().decode())
        if family.name.startswith("cadabra_")
    }
    assert families == {row["name"]: row["type"] for row in described.values()}
