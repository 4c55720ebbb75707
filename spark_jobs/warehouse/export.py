"""What a load hands to the warehouse: files of the rows that it changed, and one document that says they are whole.

    exports/<run>/<table>/*.parquet      rows, columns as the contract's
    exports/<run>/digests/*.parquet      the digest of every table as it is after the run, see `digest`
    exports/<run>/export.json            last: without it the export does not count

Runs are named so that the order of their names is the order of their publication. An export names the one before it,
for a run that changed nothing of the star has none. Pure: needs neither Spark nor S3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.scalars import timestamp

PREFIX = "exports/"
DOCUMENT = "export.json"
DIGESTS = "digests"
"""Columns of its files: `table_name` STRING, `bucket` STRING, `rows_count` BIGINT, `first_half` and `second_half`
DECIMAL(38, 0)."""
TABLES = ("dim_country", "dim_customer", "dim_date", "dim_product", "fact_order_lines")
"""Those of the star, dimensions before the facts that refer to them."""
_FORMAT = 1
_KEY_OF_DOCUMENT = re.compile(rf"{PREFIX}([^/]+)/{re.escape(DOCUMENT)}")


class Unreadable(ValueError):
    """The document is not one of ours; the message says why."""


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """What an export holds of one table.

    Args:
        prefix: of its files' keys, ends with `/`.
        whole: whether the files hold all rows of the table, so that others go; otherwise those new or changed.
        rows: in the files.
        total_rows: of the table after the run.
    """

    prefix: str
    whole: bool
    rows: int
    total_rows: int


@dataclass(frozen=True, slots=True)
class Export:
    """One published run.

    Args:
        run: its name.
        published_at: RFC 3339, UTC.
        tables: by name, every one of `TABLES`.
        after: the run whose export comes before this one; None of the first, and of one of all rows.
    """

    run: str
    published_at: str
    tables: Mapping[str, ExportedTable]
    after: str | None = None

    def as_json(self) -> str:
        """The document."""
        tables = {name: asdict(table) for name, table in self.tables.items()}
        told = {"run": self.run, "after": self.after, "published_at": self.published_at}
        return json.dumps({"format": _FORMAT, **told, "tables": tables}, indent=1)


def prefix(run: str) -> str:
    """Of all keys of a run's export."""
    return f"{PREFIX}{run}/"


def document_key(run: str) -> str:
    """Key of the document that makes a run's export whole."""
    return f"{prefix(run)}{DOCUMENT}"


def now() -> str:
    """The time, as the document has it."""
    return timestamp(datetime.now(UTC))


def documented(keys: Iterable[str]) -> list[str]:
    """The runs whose exports count, in order.

    Args:
        keys: of objects below `PREFIX`.
    """
    return sorted(match[1] for key in keys if (match := _KEY_OF_DOCUMENT.fullmatch(key)))


def newest(keys: Iterable[str]) -> str | None:
    """The run of the newest export that counts; None where there is none.

    Args:
        keys: of objects below `PREFIX`.
    """
    return max(documented(keys), default=None)


def parse(text: str | bytes) -> Export:
    """Read the document.

    Raises:
        Unreadable: it is another format's, or half of one.
    """
    try:
        document: dict[str, Any] = json.loads(text)
        if document["format"] != _FORMAT:
            raise Unreadable(f"format {document['format']} of an export, {_FORMAT} is known")
        tables = {name: ExportedTable(**document["tables"][name]) for name in TABLES}
        after = None if document["after"] is None else str(document["after"])
        return Export(str(document["run"]), str(document["published_at"]), tables, after)
    except (ValueError, KeyError, TypeError) as error:
        raise error if isinstance(error, Unreadable) else Unreadable(f"no export: {error!r}") from error
