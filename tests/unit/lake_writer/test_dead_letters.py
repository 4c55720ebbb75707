"""Dead letters as rows: the bytes come back as they were rejected."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts import catalog, dead_letter
from contracts.dead_letter import CHUNK_BYTES, Place
from services.kernel.core.errors import InvalidRecord
from services.kernel.streams.records import Record
from services.lake_writer import columns, dead_letters
from services.lake_writer.rows import Columns
from tests.unit.lake_writer.landed import read

EXAMPLES = sorted((catalog.ROOT / "examples" / "rejected" / "1").glob("*.valid.json"))


def rows_of(*data: bytes) -> list[dict[str, Any]]:
    grown = Columns(dead_letters.FORMAT)
    for number, one in enumerate(data, 1):
        grown.add(dead_letters.decode(Record("shardId-000000000000", number, "k", one, 1_795_755_600_123)))
    return list(read(columns.encode(grown.table())).to_pylist())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name.split(".")[0])
def test_every_example_is_in_the_file_as_it_was_rejected(path: Any) -> None:
    letter = json.loads(path.read_text("utf-8"))
    letter = {"trace": None, **letter}
    letter["rejected_at"] = datetime.fromisoformat(letter["rejected_at"]).astimezone(UTC)
    assert rows_of(path.read_bytes()) == [letter]


def test_bytes_in_several_chunks_come_back_whole() -> None:
    data = bytes(range(256)) * 4 * 1024  # 1 MiB, no UTF-8
    letters = list(
        dead_letter.letters(
            "dynamodb_writer",
            Place("n-orders", "shardId-000000000000", 7),
            "invalid_json",
            "no JSON",
            data,
            [("/a", "required"), ("", "é")],
            "2026-11-27T05:00:00.000Z",
        )
    )
    assert len(letters) == len(data) // CHUNK_BYTES
    found = rows_of(*(json.dumps(letter).encode() for letter in letters))
    assert (
        b"".join(base64.b64decode(row["data"]) for row in sorted(found, key=lambda row: row["chunk"])) == data
    )
    assert found[0]["details"] == [{"pointer": "/a", "reason": "required"}, {"pointer": "", "reason": "é"}]
    assert {(row["rejected_id"], row["size_bytes"]) for row in found} == {
        (letters[0]["rejected_id"], len(data))
    }


def test_what_is_no_dead_letter_is_rejected_and_so_becomes_one() -> None:
    with pytest.raises(InvalidRecord, match="invalid_json"):
        dead_letters.decode(Record("shardId-000000000000", 1, "k", b"junk", 0))
