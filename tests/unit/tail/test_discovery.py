"""Which names in a folder are files to read."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from services.kernel.tail.discovery import scan

ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def test_names_links_and_devices(tmp_path: Path) -> None:
    for name in (
        "b.csv",
        "a.csv",
        ".hidden.csv",
        "c.csv.tmp",
        "d.csv.part",
        "readme.txt",
        "über.csv",
        "-x.csv",
    ):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / ("n" * 210 + ".csv")).write_bytes(b"x")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    found = scan(tmp_path, "*.csv", ALLOWED)
    assert list(found.files) == ["a.csv", "b.csv"]
    assert found.files["a.csv"].size_bytes == 1
    assert found.refused == {
        "über.csv": "name",
        "-x.csv": "name",
        "n" * 210 + ".csv": "name",
        "folder.csv": "type",
        "link.csv": "type",
        "pipe.csv": "type",
    }


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        scan(tmp_path / "none", "*.csv", ALLOWED)
