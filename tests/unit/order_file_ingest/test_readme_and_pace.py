"""The README tells the truth about settings, metrics and speed."""

from __future__ import annotations

import time
from pathlib import Path

from services.kernel.core.settings import markdown
from services.order_file_ingest.metrics import FileMetrics
from services.order_file_ingest.settings import Settings
from tests.unit.order_file_ingest.harness import Bench, order_line

README = (Path(__file__).parents[3] / "services" / "order_file_ingest" / "README.md").read_text(
    encoding="utf-8"
)
LINES = 40_000


def test_the_settings_are_those_of_the_code() -> None:
    assert markdown(Settings) in README


def test_every_metric_is_named_with_its_meaning() -> None:
    for metric in FileMetrics.describe():
        assert f"`{metric['name']}`" in README, metric["name"]


async def test_twenty_thousand_lines_a_second_on_one_core(tmp_path: Path) -> None:
    class Nowhere:
        async def put(self, partition_key: str, data: bytes, *, wait: bool = False) -> None:
            """Takes all at once, so that only our own work is measured."""

    bench = Bench(tmp_path, stream=Nowhere(), lease_time_s=10.0)  # type: ignore[arg-type]
    lines = (order_line(n // 20, n % 20, minute=n // 20 % 60) for n in range(LINES))
    (tmp_path / "a.csv").write_bytes(b"".join(lines))
    begun_s = time.process_time()
    async with bench.running():
        await bench.until_read("a.csv")
        used_s = time.process_time() - begun_s
    assert bench.metric("lines_total", outcome="accepted") == LINES
    assert LINES / used_s > 20_000
