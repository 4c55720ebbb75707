"""A shop of seven order lines: its raw file, the ledger of its sender, and its order store."""

from __future__ import annotations

import json
import lzma
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local import retail
from deploy.local.compare import Report, compare
from deploy.local.ledger import FileLine, Ledger
from deploy.local.stored import Part, Parts

RAW = [
    "1,A1,RED MUG ,6,2010-12-01 08:26:00,2.55,17850,United Kingdom",
    "1,A1,RED MUG ,6,2010-12-01 08:26:00,2.55,17850,United Kingdom",
    '2,B2,"BOX, SMALL",1,2011-07-01 09:00:00,0.001,,EIRE',
    "C3,B2,,-1,2011-07-01 09:01:00,1.00,17850,EIRE",
    "2,B3,MUG £2,1,2011-07-01 09:02:00,0,,EIRE",
    "4,B3,LAST,1,2011-12-01 09:02:00,3,12,EIRE",
    "4,B4,LINE,1,2011-12-01 09:02:00,4,12,EIRE",
]


class World:
    """A tiny raw file whose orders 1, 2 and C3 went by HTTP and whose order 4 lies in a file, all stored."""

    def __init__(self, folder: Path) -> None:
        self.raw = folder / "raw.csv.xz"
        self.raw.write_bytes(lzma.compress(retail.HEADER + "".join(f"{line}\n" for line in RAW).encode()))
        self.ledger = Ledger(folder / "ledger.jsonl", "run")
        self.bodies: dict[tuple[str, str], list[tuple[int, dict[str, Any]]]] = {}
        for number, invoice in enumerate(retail.invoices(self.raw), 1):
            in_file = invoice.invoice_no == "4"
            source = "files" if in_file else "shop"
            ids = [
                f"week.csv:{offset * 45}" if in_file else str(offset + 1)
                for offset in range(len(invoice.lines))
            ]
            self.bodies[source, invoice.invoice_no] = [(number * 100, record(source, invoice, ids))]
            if in_file:
                rows = [FileLine(line.row, place * 45) for place, line in enumerate(invoice.lines)]
                self.ledger.file_lines("week.csv", source, rows)
            else:
                self.ledger.order(source, invoice.invoice_no, len(ids), "acknowledged")
        self.ledger.close()

    def body(self, order_id: str, source: str = "shop") -> dict[str, Any]:
        return self.bodies[source, order_id][0][1]

    def parts(self) -> Parts:
        return {
            key: [
                Part(number, zlib.compress(json.dumps(body).encode()), item_of(body)) for number, body in held
            ]
            for key, held in self.bodies.items()
        }

    def report(self, complete: bool = True) -> Report:
        return compare(self.parts(), self.ledger, self.raw, complete=complete)


def record(source: str, invoice: retail.Invoice, line_ids: list[str]) -> dict[str, Any]:
    return {
        "order_id": invoice.invoice_no,
        "source": source,
        "event_id": "0" * 32,
        "ordered_at": invoice.ordered_at,
        "customer_id": invoice.lines[0].customer_id,
        "country": invoice.lines[0].country,
        "currency": "GBP",
        "kind": invoice.kind,
        "lines": [
            {
                "line_id": line_id,
                "stock_code": line.stock_code,
                "description": line.description,
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "ordered_at": line.ordered_at,
            }
            for line_id, line in zip(line_ids, invoice.lines, strict=True)
        ],
    }


def item_of(body: Mapping[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = {
        name: {"S": body[name]} for name in ("order_id", "source", "event_id", "ordered_at")
    }
    item["lines"] = {"N": str(len(body["lines"]))}
    if body["customer_id"] is not None:
        item["customer_id"] = {"S": body["customer_id"]}
    return item
