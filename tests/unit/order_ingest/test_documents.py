"""README and OpenAPI say what the code does."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs

from services.kernel.core import settings as kernel_settings
from services.order_ingest import openapi, request
from services.order_ingest.metrics import IngestMetrics
from services.order_ingest.settings import Settings

README = Path(request.__file__).with_name("README.md").read_text(encoding="utf-8")


def test_the_readme_has_the_settings_as_they_are() -> None:
    assert kernel_settings.markdown(Settings) in README


def test_the_readme_names_every_metric() -> None:
    missing = [row["name"] for row in IngestMetrics.describe() if f"`{row['name']}`" not in README]
    assert missing == []


def test_the_described_order_has_the_fields_that_are_decoded() -> None:
    described = openapi.DOCUMENT["components"]["schemas"]["Order"]
    assert sorted(described["properties"]) == sorted(request.OrderRequest.__struct_fields__)
    example = {
        "order_id": "1",
        "ordered_at": "2010-12-01T08:26:00Z",
        "customer_id": None,
        "country": "France",
        "currency": "EUR",
        "lines": [{"stock_code": "POST", "quantity": 3, "unit_price": "18.00"}],
    }
    assert jsonschema_rs.is_valid(described, example)
    assert not jsonschema_rs.is_valid(described, example | {"source": "other"})
