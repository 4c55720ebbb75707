"""`parse` prints one record a line and says on stderr what it read."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts import codec
from services.log_shipper.parse_command import MAX_LINE_BYTES, batches, lines, main

_REAL = Path(__file__).parents[3] / "data" / "access_log.xz"
_LINE = b'192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET /%d HTTP/1.1" 200 5 "-" "curl/7.88.1"\n'
_COMMAND = [sys.executable, "-m", "services.log_shipper"]


def test_the_real_file_is_ten_thousand_records(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    arguments = ["--host", "web-1", "--backfill-from", "2015-05-17", "--backfill-to", "2015-05-20"]
    assert main(["parse", str(_REAL), *arguments]) == 0
    out, err = capfdbinary.readouterr()
    decode = codec.decoder("access_log_entry", 1)
    entries = [decode(record) for record in out.splitlines()]
    assert len(entries) == 10_000
    assert re.match(rb"10,000 lines, 9,999 read in full, cut_off 1; [\d,]+ lines/s\n", err)
    assert {entry.index_day for entry in entries} == {f"2015-05-{day}" for day in (17, 18, 19, 20)}
    assert {(entry.host.name, entry.log.file.path) for entry in entries} == {("web-1", str(_REAL))}


@pytest.mark.parametrize("ending", ["", ".gz", ".xz"])
def test_packed_files_are_read_by_their_ending(
    tmp_path: Path, ending: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    packs: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}
    file = tmp_path / f"access.log{ending}"
    file.write_bytes(packs[ending](_LINE % 1 + _LINE % 2))
    assert main(["parse", str(file)]) == 0
    out, err = capfdbinary.readouterr()
    assert [json.loads(record)["url"]["path"] for record in out.splitlines()] == ["/1", "/2"]
    assert err.startswith(b"2 lines, 2 read in full; ")


def test_standard_input_is_read_by_any_format() -> None:
    log_format = '%a %{%F %T}t \\"%m %U%q\\" %D'
    text = b'192.0.2.7 2015-05-17 10:05:03 "GET /a?b" 1500\n192.0.2.9 no such line'
    result = subprocess.run(
        [
            *_COMMAND,
            "parse",
            "-",
            "--format",
            log_format,
            "--anonymise",
            "truncate",
            "--enrich",
            "user_agent",
        ],
        input=text,
        capture_output=True,
        check=True,
    )
    first, second = map(json.loads, result.stdout.splitlines())
    assert (first["@timestamp"], first["event"]["duration"]) == ("2015-05-17T10:05:03.000Z", 1_500_000)
    assert (first["source"]["ip"], first["url"]) == ("192.0.2.0", {"path": "/a", "query": "b"})
    assert (second["error"]["type"], second["event"]["original"]) == ("no_match", "192.0.2.0 no such line")
    assert second["log"]["offset"] == len(b'192.0.2.7 2015-05-17 10:05:03 "GET /a?b" 1500\n')
    assert result.stderr.startswith(b"2 lines, 1 read in full, no_match 1; ")


def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_bytes(b"".join(_LINE % number for number in range(20_000)))
    with subprocess.Popen(
        [*_COMMAND, "parse", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["url"]["path"] == "/0"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.log", None, b"No such file"),
        ("folder", b"", b"s a directory"),
        ("cut.gz", gzip.compress(_LINE, mtime=0)[:-9], b"ended before"),
        ("bad.gz", b"no gzip", b"Not a gzipped file"),
        ("bad.xz", b"no xz", b"format not supported"),
    ],
)
def test_a_file_that_cannot_be_read_ends_with_2_and_says_why(
    tmp_path: Path,
    name: str,
    content: bytes | None,
    message: bytes,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    file = tmp_path / name
    if name == "folder":
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)
    assert main(["parse", str(file)]) == 2
    assert message in capfdbinary.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["parse"],
        ["no-such-command"],
        ["parse", "-", "--backfill-from", "2015-05-17"],
        ["parse", "-", "--anonymise", "hash"],
    ],
)
def test_wrong_arguments_end_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "%h %y"], b"LogFormat, character 4"),
        (["--enrich", "city"], b"city: not one of"),
        (["--host", ""], b"the host's name"),
        (["--backfill-from", "2015-05-17", "--backfill-to", "2015-05-16"], b"back-fill"),
    ],
)
def test_settings_that_cannot_be_used_end_with_2(
    arguments: list[str], message: bytes, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["parse", str(_REAL), *arguments]) == 2
    out, err = capfdbinary.readouterr()
    assert out == b""
    assert message in err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["parse", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(
        option in text for option in ("FILE", "--format", "--enrich", "--anonymise", "--geoip-file", "--host")
    )


def test_a_long_line_is_cut_and_the_next_one_is_whole() -> None:
    content = b"a" * 25 + b"\n" + b"b" * 10 + b"\n\n" + b"c" * 11 + b"\n" + b"d" * 30
    found = list(lines(io.BytesIO(content), max_line_bytes=10))
    assert found == [
        (0, b"a" * 10, True),
        (26, b"b" * 10, False),
        (37, b"", False),
        (38, b"c" * 10, True),
        (50, b"d" * 10, True),
    ]
    assert MAX_LINE_BYTES == 32_768


def test_batches_hold_every_line_in_order() -> None:
    content = b"".join(b"%d\n" % number for number in range(7))
    assert [[line for _, line, _ in batch] for batch in batches(io.BytesIO(content), 3)] == [
        [b"0", b"1", b"2"],
        [b"3", b"4", b"5"],
        [b"6"],
    ]
