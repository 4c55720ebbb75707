"""The bench's own reading of a line, and what it lets pass as right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.logs import lines, outputs
from bench.logs.hard_lines import HARD_LINES
from bench.logs.reference import Found, Reading, expected, right

LINE = '192.0.2.7 - - [20/May/2015:12:05:17 +0200] "GET /a?b HTTP/1.1" 304 - "-" "a \\"great\\" \\xc3\\xa9"'
CUT_OFF = LINE[:-8]
BINARY = '192.0.2.7 - - [20/May/2015:12:05:17 +0200] "\\x16\\x03" 400 226 "-" "-"'
READING = Reading("192.0.2.7", 1_432_116_317_000, "GET", "/a?b", 304, None, None, 'a "great" \\xc3\\xa9')


def test_a_line_is_read_field_by_field() -> None:
    reading = expected(LINE).reading
    assert reading is not None
    assert reading == READING._replace(agent='a \\"great\\" \\xc3\\xa9')


@pytest.mark.parametrize("agent", ['a \\"great\\" \\xc3\\xa9', 'a "great" \\xc3\\xa9', 'a "great" é'])
def test_an_escape_may_be_read_or_kept(agent: str) -> None:
    assert right(expected(LINE), Found(READING._replace(agent=agent), ()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "192.0.2.8"},
        {"time_ms": 1_432_123_517_000},  # the zone left out
        {"method": "POST"},
        {"target": "/a"},
        {"status": 200},
        {"size": 0},
        {"referrer": "http://x/"},
        {"agent": 'a "great" x'},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_each_field_has_to_be_right(wrong: dict[str, Any]) -> None:
    assert not right(expected(LINE), Found(READING._replace(**wrong), (LINE,)))


def test_a_line_of_the_format_that_was_not_read_is_not_right_by_being_kept() -> None:
    assert not right(expected(LINE), Found(None, (LINE,)))


def test_a_line_cut_off_is_right_where_all_of_it_is_kept() -> None:
    assert right(expected(CUT_OFF), Found(READING._replace(agent=None), (CUT_OFF,)))
    assert not right(expected(CUT_OFF), Found(READING._replace(agent=None), (CUT_OFF[:-1],)))


def test_a_request_that_is_none_of_http_is_kept_beside_the_other_fields() -> None:
    reading = Reading("192.0.2.7", 1_432_116_317_000, None, "\\x16\\x03", 400, 226, None, None)
    assert right(expected(BINARY), Found(reading, ("\\x16\\x03",)))
    assert not right(expected(BINARY), Found(reading, ()))
    assert not right(expected(BINARY), Found(reading._replace(status=200), ("\\x16\\x03",)))


def test_only_the_line_cut_off_of_the_real_file_is_not_of_the_format(tmp_path: Any) -> None:
    read = [expected(line) for line in lines.real(tmp_path).lines]
    assert [number for number, one in enumerate(read, 1) if one.reading is None] == [8899]
    assert sum(one.reading is not None and one.reading.size is None for one in read) == 669


def test_every_hard_line_is_of_the_format() -> None:
    assert [why for why, line in HARD_LINES if expected(line).reading is None] == []


def test_what_is_no_json_was_kept_as_it_was() -> None:
    assert outputs.found(CUT_OFF, outputs.plain) == Found(None, (CUT_OFF,))


def test_every_participants_fields_come_to_the_same() -> None:
    written: list[tuple[outputs.Translate, dict[str, Any]]] = [
        (
            outputs.contract,
            {
                "@timestamp": "2015-05-20T10:05:17.000Z",
                "source": {"address": "192.0.2.7"},
                "http": {"request": {"method": "GET"}, "response": {"status_code": 304}},
                "url": {"original": "/a?b"},
                "user_agent": {"original": 'a "great" \\xc3\\xa9'},
            },
        ),
        (
            outputs.grok,
            {
                "clientip": "192.0.2.7",
                "timestamp": "20/May/2015:12:05:17 +0200",
                "verb": "GET",
                "request": "/a?b",
                "response": "304",
                "referrer": '"-"',
                "agent": '"a \\"great\\" \\xc3\\xa9"',
            },
        ),
        (
            outputs.plain,
            {
                "address": "192.0.2.7",
                "time": "2015-05-20T12:05:17+02:00",
                "method": "GET",
                "target": "/a?b",
                "status": 304,
                "size": None,
                "referrer": None,
                "agent": 'a "great" é',
            },
        ),
    ]
    assert [
        right(expected(LINE), outputs.found(json.dumps(fields), translate)) for translate, fields in written
    ] == [True, True, True]


def test_each_server_has_a_minute_and_visitors_of_its_own(tmp_path: Any) -> None:
    real = lines.real(tmp_path)
    count = 3 * len(real.lines)
    read = lines.servers(tmp_path, real, count).read_text(encoding="utf-8").splitlines()
    assert len(read) == count
    assert len(set(read)) > 2.9 * len(set(real.lines))
    assert [expected(line).reading is None for line in read].count(True) == 3
    assert read[0].startswith("83.149.9.216 - - [17/May/2015:10:00:03 ")
    assert read[20_000].startswith("83.149.9.218 - - [17/May/2015:10:02:03 ")


def test_a_part_of_a_servers_log_is_its_beginning(tmp_path: Any) -> None:
    real = lines.real(tmp_path)
    whole = lines.servers(tmp_path, real, 20_000).read_text(encoding="utf-8")
    assert whole.startswith(lines.servers(tmp_path, real, 12_345).read_text(encoding="utf-8"))


def test_an_output_is_judged_line_by_line(tmp_path: Any) -> None:
    output = tmp_path / "output.json"
    output.write_text(f'{{"address":"192.0.2.7"}}\n{CUT_OFF}\n', encoding="utf-8")
    judge = outputs.by_line(outputs.plain)
    assert judge(output, [expected(LINE), expected(CUT_OFF)]) == 1
    with pytest.raises(RuntimeError, match="2 lines were written for 1"):
        judge(output, [expected(LINE)])
