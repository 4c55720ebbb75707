"""The whole evaluation with Spark, on every eighth customer of the real data, without the library beside it."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from deploy.local import evaluate, order_lines_file, retail
from spark_jobs.recommendations.evaluation.findings import LABELS

pytestmark = pytest.mark.timeout(900)
SHARE = 8
PEERS = {"implicit_als", "implicit_bpr"}


def _some_customers(file: Path) -> None:
    """The raw file's lines of some customers and of some guests."""
    kept = [line.text for line in retail.lines() if int(line.customer_id or line.row) % SHARE == 0]
    file.write_bytes(lzma.compress(retail.HEADER + b"".join(kept), preset=0))


def test_every_method_is_measured_and_the_report_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    raw, write = tmp_path / "raw.csv.xz", order_lines_file.write
    _some_customers(raw)
    monkeypatch.setenv("CADABRA_LOCAL_DIR", str(tmp_path))
    monkeypatch.setattr(order_lines_file, "write", lambda file: write(file, raw))
    monkeypatch.setattr(evaluate, "peers_in_place", lambda: False)
    code = evaluate.main(["--cutoffs", "2011-09-15", "--json"])
    told = capfd.readouterr()
    assert code == 0, told.err
    (cut,) = json.loads(told.out)["cuts"]
    for split in ("ALL", "NEW"):
        found = cut["methods"][split]
        assert found.keys() == LABELS.keys() - PEERS
        ndcg = {method: one["ndcg"]["value"] for method, one in found.items()}
        assert ndcg["ours"] > max(ndcg["popularity_all"], ndcg["popularity_30d"]), split
        assert ndcg["course_als"] < ndcg["popularity_all"] < ndcg["spark_als"], split
    assert cut["cases"]["also_bought"] > 100
    (page,) = (tmp_path / "reports").iterdir()
    assert "<svg" in page.read_text(encoding="utf-8")
    assert str(page) in told.err
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["reports"]
