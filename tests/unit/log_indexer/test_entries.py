"""A record as a document: its id, its bytes, and what is none."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.core.errors import InvalidRecord
from services.log_indexer import entries
from tests.unit.log_indexer.log_entries import GENERATION, an_entry


def encoded(**fields: object) -> bytes:
    return json.dumps(an_entry(**fields)).encode()  # type: ignore[arg-type]


def test_the_id_is_host_generation_and_offset() -> None:
    entry = entries.decode(encoded(offset=70_000, host="web-1"))
    host = hashlib.sha256(b"web-1").hexdigest()[:8]
    assert entries.document_id(entry) == f"{host}-{GENERATION}-70000"


def test_lines_of_hosts_files_and_places_have_ids_of_their_own() -> None:
    different = [
        encoded(),
        encoded(offset=1),
        encoded(host="web-2"),
        encoded(generation="f" * 32),
    ]
    assert len({entries.document_id(entries.decode(data)) for data in different}) == 4


def test_nothing_else_of_a_line_changes_its_id() -> None:
    again = encoded(
        event={"created": "2026-03-04T00:00:00.000Z"}, url={"path": "/other"}, index_day="2026-02-28"
    )
    assert entries.document_id(entries.decode(again)) == entries.document_id(entries.decode(encoded()))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff", "invalid_json"),
        (b"{}", "contract_violation"),
        (encoded(index_day="2026-02-30"), "contract_violation"),
        (encoded(generation="../../x"), "contract_violation"),
        (encoded(offset=-1), "contract_violation"),
    ],
)
def test_what_breaks_the_contract_is_an_invalid_record(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        entries.decode(data)
    assert caught.value.reason == reason


def test_the_body_is_the_records_bytes() -> None:
    data = encoded(unknown="field of a newer writer")
    assert entries.body(data) == data


@given(st.integers(0, 8), st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_body_is_one_line_and_says_the_same(indent: int, line_break: str) -> None:
    """An action that hides behind a line break would delete or replace some other document."""
    hidden = an_entry(user={"name": 'x"}\n{"delete":{"_index":"a","_id":"1"}}\n'})
    data = json.dumps(hidden, indent=indent).replace("\n", line_break).encode()
    body = entries.body(data)
    assert b"\n" not in body
    assert b"\r" not in body
    assert json.loads(body) == hidden


def test_when_a_line_was_read_in_seconds() -> None:
    assert entries.seconds("1970-01-02T00:00:00.250Z") == 86_400.25
