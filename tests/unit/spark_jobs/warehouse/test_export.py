"""The document that makes an export whole."""

from __future__ import annotations

import json

import pytest

from spark_jobs.warehouse import export
from spark_jobs.warehouse.export import Export, ExportedTable, Unreadable

RUN = "000000001-20111209T125000Z-0123abcd"
WHOLE = Export(
    RUN,
    "2011-12-09T12:50:00Z",
    {
        name: ExportedTable(f"exports/{RUN}/{name}/", name != "fact_order_lines", 2, 5)
        for name in export.TABLES
    },
)


def test_a_document_comes_back_as_it_was() -> None:
    assert export.parse(WHOLE.as_json()) == WHOLE
    assert export.parse(WHOLE.as_json().encode()) == WHOLE


def test_keys_of_a_run_begin_with_its_name() -> None:
    assert export.document_key(RUN) == f"exports/{RUN}/export.json"
    assert export.document_key(RUN).startswith(export.prefix(RUN))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format 2 of an export, 1 is known"),
        ({"tables": {}}, "dim_country"),
        ({"tables": None}, "NoneType"),
        ({"tables": {**json.loads(WHOLE.as_json())["tables"], "dim_date": {"rows": 1}}}, "missing"),
    ],
)
def test_another_document_is_refused_and_says_why(change: dict[str, object], said: str) -> None:
    document = {**json.loads(WHOLE.as_json()), **change}

    with pytest.raises(Unreadable, match=said):
        export.parse(json.dumps(document))


def test_half_a_document_is_refused() -> None:
    with pytest.raises(Unreadable):
        export.parse(WHOLE.as_json()[:100])
