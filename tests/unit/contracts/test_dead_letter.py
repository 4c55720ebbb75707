"""Dead letters as services and jobs make them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from contracts import codec
from contracts.dead_letter import CHUNK_BYTES, Place, letters, rejected_id

NOW = "2026-01-02T10:00:00.000Z"


def made(
    data: bytes, place: Place | None = None, details: list[tuple[str, str]] | None = None
) -> list[dict[str, Any]]:
    return list(letters("svc", place or Place(), "invalid_json", "m" * 2000, data, details or [], NOW))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_chunks_hold_the_bytes_and_the_contract(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    found = made(data, Place(stream="s", shard_id="0", sequence_number=7))

    assert len(found) == max(1, -(-size // CHUNK_BYTES))
    assert b"".join(base64.b64decode(one["data"]) for one in found) == data
    assert len({one["rejected_id"] for one in found}) == 1
    for one in found:
        details = [codec.RejectedDetail(**detail) for detail in one["details"]]
        codec.verify(codec.Rejected(**{**one, "details": details}))


def test_texts_and_faults_are_cut() -> None:
    (letter,) = made(b"x", details=[("/" * 300, "r" * 300)] * 101)

    assert len(letter["message"]) == 1000
    assert len(letter["details"]) == 100
    assert {len(text) for text in letter["details"][0].values()} == {256}


def test_the_id_is_of_place_reason_and_content() -> None:
    place = Place("s", "0", 7, 1)

    assert rejected_id("svc", place, "poison", b"x") == rejected_id("svc", place, "poison", b"x")
    others = [
        rejected_id("other", place, "poison", b"x"),
        rejected_id("svc", Place("s", "0", 7, 2), "poison", b"x"),
        rejected_id("svc", place, "too_large", b"x"),
        rejected_id("svc", place, "poison", b"y"),
    ]
    assert len({rejected_id("svc", place, "poison", b"x"), *others}) == 5


def test_the_id_stays_what_it_was_when_services_made_it_themselves() -> None:
    """Repeats of rejections from before this module are recognised still."""
    import hashlib

    place = Place("orders", "shardId-0", 12, 3, None, None, "shop")
    before = b"svc|orders|shardId-0|12.3|None|None|shop|poison|" + b"data"

    assert rejected_id("svc", place, "poison", b"data") == hashlib.sha256(before).hexdigest()[:32]
