"""The README tells the truth about settings and metrics, and settings that cannot go together are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.kernel.core.errors import Misconfigured
from services.kernel.core.settings import load, markdown
from services.kernel.streams.shard_reader import FETCH_BYTES
from services.lake_writer.metrics import OrdersMetrics, RejectedMetrics
from services.lake_writer.settings import Settings

README = (Path(__file__).parents[3] / "services/lake_writer/README.md").read_text("utf-8")
MIB = 1024 * 1024


def test_the_readmes_settings_are_the_services() -> None:
    assert markdown(Settings) in README


def test_the_readme_names_every_metric_with_its_meaning() -> None:
    for metric in OrdersMetrics.describe():
        row = f"| `{metric['name']}` | {metric['type']} | {', '.join(metric['labels']) or '-'} | {metric['help']} |"
        assert row in README


def test_both_groups_show_the_same_metrics_under_their_own_name() -> None:
    """One page holds both, and no sample comes twice."""
    names = [metric["name"].removeprefix("cadabra_lake_writer_") for metric in OrdersMetrics.describe()]
    archive = [metric["name"] for metric in RejectedMetrics.describe()]
    assert archive == [f"cadabra_lake_writer_rejected_{name}" for name in names]
    page = (OrdersMetrics().exposition() + RejectedMetrics(process=False).exposition()).decode()
    samples = [line.rpartition(" ")[0] for line in page.splitlines() if not line.startswith("#")]
    assert len(samples) == len(set(samples))
    assert sum(name == "process_resident_memory_bytes" for name in samples) == 1


@pytest.mark.parametrize("spare_bytes", [FETCH_BYTES, FETCH_BYTES - 1])
def test_open_batches_leave_room_for_a_fetch(spare_bytes: int) -> None:
    environment = {
        "CADABRA_MAX_OPEN_BYTES": str(32 * MIB),
        "CADABRA_MAX_OPEN_BATCH_BYTES": str(32 * MIB - spare_bytes),
    }
    if spare_bytes >= FETCH_BYTES:
        assert load(Settings, environment).max_open_batch_bytes == 32 * MIB - spare_bytes
        return
    with pytest.raises(Misconfigured, match="CADABRA_MAX_OPEN_BATCH_BYTES"):
        load(Settings, environment)
