"""What is remembered stays within its bound, and what is asked for again stays remembered."""

from __future__ import annotations

from collections import Counter

import pytest

from services.log_shipper.remembered import Remembered


def test_a_flood_neither_grows_it_nor_drives_out_what_is_in_use() -> None:
    made: Counter[bytes] = Counter()

    def make(key: bytes) -> bytes:
        made[key] += 1
        return key.upper()

    remembered = Remembered(make, 100)
    for number in range(10_000):
        assert remembered[b"k%d" % number] == b"K%d" % number
        if number % 50 == 0:
            assert remembered[b"hot"] == b"HOT"
        assert remembered.kept() <= 200
    assert made[b"hot"] == 1


def test_what_cannot_be_made_is_not_kept() -> None:
    remembered: Remembered[bytes, int] = Remembered(int, 10)
    with pytest.raises(ValueError, match="invalid"):
        remembered[b"x"]
    assert remembered.kept() == 0
