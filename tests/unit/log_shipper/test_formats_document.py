"""FORMATS.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from contracts.access_log import ErrorType
from services.log_shipper import agents, country
from services.log_shipper.line_parts import WORST_FIRST

_TEXT = (Path(__file__).parents[3] / "services/log_shipper/FORMATS.md").read_text(encoding="utf-8")


def test_every_reason_is_listed_the_worst_first() -> None:
    table = _TEXT.partition("| `error.type` |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == WORST_FIRST
    assert set(WORST_FIRST) == set(get_args(ErrorType))


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"{agents.REMEMBERED:,} programs and {country.REMEMBERED:,} addresses" in _TEXT
    assert f"first {agents.LONGEST_READ} characters" in _TEXT
