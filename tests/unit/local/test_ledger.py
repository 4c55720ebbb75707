"""The ledger survives a kill at any byte and never takes an acknowledgement back."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from deploy.local.ledger import FileLine, Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def test_the_newest_outcome_counts_and_is_read_again(path: Path) -> None:
    ledger = Ledger(path, "run-1")
    ledger.order("shop", "1", 3, "sent")
    ledger.order("shop", "2", 4, "sent")
    ledger.order("shop", "2", 4, "acknowledged")
    ledger.order("shop", "3", 5, "refused", "contract_violation")
    ledger.file_lines("a.csv", "files", [FileLine(7, 0), FileLine(8, 40)])
    ledger.close()

    again = Ledger(path, "run-1")
    assert again.resumed
    assert again.counts() == ledger.counts()
    assert again.outcome("shop", "1") == "sent"
    assert again.outcome("shop", "2") == "acknowledged"
    assert again.orders["shop", "3"].detail == "contract_violation"
    assert again.files == {"a.csv": [FileLine(7, 0), FileLine(8, 40)]}
    assert again.sources() == {"shop", "files"}


@pytest.mark.parametrize("later", ["sent", "unknown"])
def test_an_acknowledgement_is_never_taken_back(path: Path, later: Literal["sent", "unknown"]) -> None:
    ledger = Ledger(path, "run-1")
    ledger.order("shop", "1", 3, "acknowledged")
    ledger.order("shop", "1", 3, later)
    ledger.close()
    assert ledger.outcome("shop", "1") == "acknowledged"


def test_a_ledger_cut_at_any_byte_opens_and_goes_on(path: Path) -> None:
    ledger = Ledger(path, "run-1")
    ledger.order("shop", "1", 3, "acknowledged")
    ledger.order("shop", "2", 3, "acknowledged")
    ledger.close()
    whole = path.read_bytes()
    header, first, second = whole.splitlines(keepends=True)
    for size_bytes in range(len(header) + len(first) + 1, len(whole) - 1):
        path.write_bytes(whole[:size_bytes])
        cut = Ledger(path, "run-1")
        assert (cut.outcome("shop", "1"), cut.outcome("shop", "2")) == ("acknowledged", None)
        cut.order("shop", "2", 3, "acknowledged")
        cut.close()
        assert Ledger(path, "run-1").outcome("shop", "2") == "acknowledged"
    assert len(second) > 2


def test_a_ledger_of_another_run_is_begun_anew(path: Path) -> None:
    ledger = Ledger(path, "run-1")
    ledger.order("shop", "1", 3, "acknowledged")
    ledger.close()
    fresh = Ledger(path, "run-2")
    assert not fresh.resumed
    assert fresh.counts()["orders_acknowledged"] == 0
