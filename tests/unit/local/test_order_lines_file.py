"""The file of order lines says what the raw file says, as the standard library alone reads it."""

from __future__ import annotations

import lzma
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as parquet

from deploy.local import order_lines_file, retail

RAW = retail.HEADER + (
    b'536365,85123A,"WHITE ""HANGING"" HEART, T",6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n'
    b"536365,71053,,6,2010-12-01 08:25:00,3.39,17850,United Kingdom\n"
    b"C536379,D,Discount,-1,2011-07-01 09:41:00,27.5,,EIRE\n"
    b"A563185,B,Adjust bad debt,1,2011-08-12 14:50:00,-11062.06,,United Kingdom\n"
    b"536365,POST, caf\xc3\xa9 ,1,2010-12-01 08:26:00,0,17850,United Kingdom\n"
)


def test_every_line_as_retail_reads_it(tmp_path: Path) -> None:
    raw, file = tmp_path / "raw.csv.xz", tmp_path / "lines.parquet"
    raw.write_bytes(lzma.compress(RAW))
    assert order_lines_file.write(file, raw) == 5
    rows = parquet.read_table(file).to_pylist()
    for row, line in zip(rows, retail.lines(raw), strict=True):
        assert row["order_id"] == line.invoice_no
        assert row["kind"] == retail.kind_of(line.invoice_no)
        assert (row["stock_code"], row["description"]) == (line.stock_code, line.description)
        assert (row["customer_id"], row["country"]) == (line.customer_id, line.country)
        assert (row["quantity"], row["unit_price"]) == (line.quantity, Decimal(line.unit_price))
        assert row["ordered_at"] == datetime.fromisoformat(line.ordered_at)
        assert row["currency"] == retail.CURRENCY
    assert [row["line_id"] for row in rows] == ["1", "2", "1", "1", "3"]
    assert rows[0]["order_ordered_at"] == rows[1]["ordered_at"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lines.parquet", "raw.csv.xz"]
