"""What travels between executors and driver in small pieces."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pytest

from spark_jobs.recommendations.parcels import PIECE_BYTES, pack, unpack

LARGE = np.random.default_rng(1).random(PIECE_BYTES // 8 * 3 + 7)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"a": 1},
        "x" * (2 * PIECE_BYTES),
        np.zeros(0),
        np.zeros((0, 5), np.float32),
        LARGE,
        np.asfortranarray(LARGE[:12].reshape(3, 4)),
        LARGE[: PIECE_BYTES // 8],
        [LARGE, np.arange(3), {"b": LARGE[::2]}],
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    (found,) = unpack(pack(value))

    np.testing.assert_equal(found, value)


def test_values_come_one_after_the_other_and_can_be_written_to() -> None:
    values = [LARGE, np.arange(5), LARGE + 1]

    found = list(unpack(chain.from_iterable(map(pack, values))))

    np.testing.assert_equal(found, values)
    found[0] += 1
    np.testing.assert_equal(found[0], LARGE + 1)


def test_no_piece_is_large_and_zeros_take_no_room() -> None:
    pieces = list(pack(np.zeros(PIECE_BYTES)))

    assert len(pieces) == 1 + 8
    assert all(len(piece.body) < PIECE_BYTES / 100 for piece in pieces)
    assert max(len(piece.body) for piece in pack(LARGE)) < PIECE_BYTES * 1.01


def test_what_was_cut_off_gives_nothing() -> None:
    pieces = list(pack(LARGE))

    assert list(unpack(pieces[:-1])) == []
