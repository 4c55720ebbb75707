"""Every line becomes one valid record, and the fast way gives the bytes of the general one."""

from __future__ import annotations

import json
import lzma
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import catalog, codec, validate
from services.kernel.core.errors import Misconfigured
from services.log_shipper.enrichment_port import Agent, Enrichment
from services.log_shipper.entry import FileContext, LineEncoder
from services.log_shipper.log_format import COMMON, compile_format

_REAL = Path(__file__).parents[3] / "data" / "access_log.xz"
_CONTRACT = catalog.contract("access_log_entry", 1)
_DECODE = codec.decoder("access_log_entry", 1)
_CREATED = "2026-03-01T12:00:01.000Z"
# 2015-05-18T00:00:00Z
_CONTEXT = FileContext("0" * 32, "/var/log/apache2/access.log", 1_431_907_200_000)
_FORMATS = (
    "common",
    "combined",
    "vhost_combined",
    COMMON.replace("%h", "%a").replace("%b", "%O"),
    '%{X-Forwarded-For}i %h %l %u %t "%r" %>s %b %D "%{Referer}i" "%{User-Agent}i"',
    '%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t "%m %U%q %H" %s %O %T %a %X',
)
_EXAMPLES = (
    b'192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 5',
    b'192.0.2.7 - al [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 304 - "http://r/" "curl/7.88.1"',
    b'ex.com:80 ::1 - - [17/May/2015:10:05:03 +0200] "GET /?a HTTP/1.1" 200 5 "-" "x"',
    b'192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET http://b.example/ HTTP/1.1" 200 5',
    b'a, b 192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 77 "-" "x"',
    b'17/May/2015 10:05:03.123 +0000 "GET /a?b HTTP/1.1" 200 77 1 ::1 -',
)
_ENRICHMENT = Enrichment(
    agent=lambda text: Agent(text[:3] or None, None, "Linux", None, bot="bot" in text),
    country=lambda ip: "FR" if ip.endswith("7") else None,
    anonymous=True,
)


def _encoder(log_format: str, enrichment: Enrichment | None = None) -> LineEncoder:
    return LineEncoder(compile_format(log_format), "web-1", enrichment=enrichment or Enrichment())


_ENCODERS = [_encoder(text, enrichment) for text in _FORMATS for enrichment in (None, _ENRICHMENT)]


def _real_lines() -> list[tuple[int, bytes, bool]]:
    lines, offset = [], 0
    for line in lzma.decompress(_REAL.read_bytes()).splitlines(keepends=True):
        lines.append((offset, line.removesuffix(b"\n"), False))
        offset += len(line)
    return lines


def _assert_right(
    encoder: LineEncoder, line: bytes, offset: int = 0, *, truncated: bool = False
) -> Counter[str]:
    """Holds one line's record against the general reader and the contract's reference; returns the reasons."""
    records, reasons = encoder.encode_block([(offset, line, truncated)], _CONTEXT, _CREATED)
    assert len(records) == 1
    reference = encoder.encode_by_reference(
        line, truncated=truncated, context=_CONTEXT, offset=offset, created=_CREATED
    )
    assert records[0] == reference
    validate.check(_CONTRACT, records[0])
    entry = _DECODE(records[0])
    assert codec.encode(entry) == records[0]
    assert dict(reasons) == ({} if entry.error is None else {entry.error.type: 1})
    assert (entry.event.original is None) == (entry.error is None)
    return Counter(reasons)


def test_of_the_real_file_all_but_the_line_that_is_cut_off_are_read_in_full() -> None:
    lines = _real_lines()
    encoder = _encoder("combined")
    records, reasons = encoder.encode_block(lines, _CONTEXT, _CREATED)
    assert (len(records), dict(reasons)) == (10_000, {"cut_off": 1})
    entries = [_DECODE(record) for record in records]
    assert [number for number, entry in enumerate(entries, 1) if entry.error is not None] == [8899]
    cut = entries[8898]
    assert cut.event.original == lines[8898][1].decode()
    assert (cut.timestamp, cut.url and cut.url.path) == (
        "2015-05-20T12:05:17.000Z",
        "/scripts/grok-py-test/configlib.py",
    )
    sizes = [entry.http and entry.http.response and entry.http.response.body for entry in entries]
    assert sizes.count(None) == 669
    assert [entry.log.offset for entry in entries] == [offset for offset, _, _ in lines]
    assert all(entry.block == str(entry.log.offset // 65_536) for entry in entries)


def test_for_every_line_of_the_real_file_the_fast_way_is_the_general_one() -> None:
    lines = _real_lines()
    for enrichment in (None, _ENRICHMENT):
        encoder = _encoder("combined", enrichment)
        # Twice, so that remembered fragments are compared as well.
        for _ in range(2):
            records, _reasons = encoder.encode_block(lines, _CONTEXT, _CREATED)
        for (offset, line, _), record in zip(lines, records, strict=True):
            assert record == encoder.encode_by_reference(
                line, truncated=False, context=_CONTEXT, offset=offset, created=_CREATED
            )


_WORDS = st.sampled_from(
    [
        "-",
        "",
        "192.0.2.7",
        "::1",
        "2001:DB8::1",
        "h.example",
        "a b",
        '""',
        "x:80",
        "ex.com:80",
        "é",
        "\\",
        "a\\\\",
        "[x",
    ]
)
_TIMES = st.sampled_from(
    [
        "17/May/2015:10:05:03 +0000",
        "17/May/2015:23:59:60 -0130",
        "31/Feb/2015:10:05:03 +0000",
        "17/May/2015:10:05:03",
        "01/Jan/0001:00:00:00 +0100",
        "31/December/9999:23:59:59 +0000",
        "] [",
    ]
)
_REQUESTS = st.sampled_from(
    [
        "GET / HTTP/1.1",
        "GET /a?b=c HTTP/2.0",
        "GET /",
        "-",
        "",
        "OPTIONS * HTTP/1.0",
        "GET http://Ex.com/a HTTP/1.1",
        "CONNECT a:1 HTTP/1.1",
        "\\x16\\x03",
        'GET /?\\"a\\" HTTP/1.1',
        "GET /" + "a" * 600 + " HTTP/1.1",
        "G" * 70 + " / HTTP/1.1",
        "GET ?x HTTP/1.1",
        "GET /\x7f HTTP/1.1",
    ]
)
_NUMBERS = st.sampled_from(
    ["-", "0", "200", "007", "999", "1000", "-1", "x", "9223372036854775807", "9" * 30, "", "2:0"]
)
_TEXTS = st.one_of(
    st.sampled_from(
        ["-", "", "curl/7.88.1", 'a \\"b\\"', "\\", "http://r/?q=\u00fc", "a" * 513, "\t", "bot"]
    ),
    st.text(max_size=20),
)


@st.composite
def _lines(draw: st.DrawFn) -> bytes:
    who, numbers = (
        " ".join(draw(words) for _ in range(count)) for words, count in ((_WORDS, 3), (_NUMBERS, 2))
    )
    line = f'{who} [{draw(_TIMES)}] "{draw(_REQUESTS)}" {numbers}'
    if draw(st.booleans()):
        line = f"{draw(_WORDS)} {line}"
    if draw(st.booleans()):
        line = f'{line} "{draw(_TEXTS)}" "{draw(_TEXTS)}"'
    return (line + draw(st.sampled_from(["", "", "", "\r", "\n", "\r\n", " ", " x"]))).encode(
        "utf-8", "replace"
    )


@given(_lines(), st.sampled_from(_ENCODERS), st.integers(0, 2**63 - 1))
def test_for_odd_lines_the_fast_way_is_the_general_one(
    line: bytes, encoder: LineEncoder, offset: int
) -> None:
    _assert_right(encoder, line, offset)


_ODD = (
    *(
        "",
        "-",
        '- "',
        ']x"',
        " ",
        "  ",
        "a b",
        '""',
        '"',
        "\\",
        '\\"',
        "\\\\",
        "\t",
        "\r",
        "\n",
        "\x7f",
        "\0",
        "\u00e9",
        "\u0663",
        "bot",
    ),
    *(
        "0",
        "007",
        "999",
        "1000",
        "-1",
        "9" * 19,
        "9" * 20,
        "2:0",
        "+",
        "[x",
        "] ",
        "] [",
        "a" * 512,
        "a" * 513,
        "a" * 1025,
    ),
    *(
        "x:80",
        ":80",
        "x:",
        "::1",
        "::1:80",
        "-:80",
        "x:y",
        "x:-",
        "192.0.2.7",
        "::ffff:192.0.2.7",
        "256.1.1.1",
        "H.example",
    ),
    *(
        "GET /",
        "GET ?x HTTP/1.1",
        "GET http://Ex.com/a HTTP/1.1",
        "GET http://h.example/ HTTP/1.1",
        "CONNECT a:1 HTTP/1.1",
    ),
    *(
        "OPTIONS * HTTP/1.0",
        "GET /a?b HTTP/2",
        "GET / HTTP/11111",
        f"{'G' * 65} / HTTP/1.1",
        "GET  / HTTP/1.1",
        "get /",
    ),
    *(
        "17/May/2015:23:59:60 -0130",
        "31/Feb/2015:10:05:03 +0000",
        "17/may/2015:10:05:03 +0000",
        "17/May/2015:10:05:03",
    ),
    *("01/Jan/0001:00:45:00 +0030", "31/December/9999:23:59:59 +0000", "31/Dec/9999:23:59:59 -0100"),
)
_COMMON = '192.0.2.7| |-| |al| [|17/May/2015:10:05:03 +0000|] "|GET /a HTTP/1.1|" |200| |512'
_SENT = f'{_COMMON}| "|http://r/|" "|curl/7.88.1|"'


@pytest.mark.parametrize(
    ("log_format", "pieces"),
    [("common", _COMMON), ("combined", _SENT), ("vhost_combined", f"h.example:80| |{_SENT}")],
)
@pytest.mark.parametrize("enrichment", [None, _ENRICHMENT])
def test_whatever_single_piece_is_odd_the_fast_way_is_the_general_one(
    log_format: str, pieces: str, enrichment: Enrichment | None
) -> None:
    encoder = _encoder(log_format, enrichment)
    plain = pieces.split("|")
    assert not _assert_right(encoder, "".join(plain).encode())
    assert set(_assert_right(encoder, "".join(plain).encode(), truncated=True)) == {"line_too_long"}
    for place in range(len(plain)):
        for odd in _ODD:
            # In its stead, before it and after it.
            for piece in (odd, odd + plain[place], plain[place] + odd):
                line = "".join([*plain[:place], piece, *plain[place + 1 :]])
                _assert_right(encoder, line.encode())


@given(st.binary(max_size=300), st.sampled_from(_ENCODERS), st.booleans())
def test_any_bytes_give_a_valid_record(line: bytes, encoder: LineEncoder, truncated: bool) -> None:
    _assert_right(encoder, line, truncated=truncated)


def _mutated(chance: random.Random, line: bytes) -> bytes:
    changed = bytearray(line)
    for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(6):
            case 0:
                del changed[at : at + chance.randrange(5)]
            case 1:
                changed[at:at] = chance.choice(
                    ['"', "\\", " ", "[", "]", ":", "%", "\t", "\0", "9", "ü", "\u2028"]
                ).encode()
            case 2:
                del changed[at:]
            case 3:
                changed[at:at] = chance.randbytes(chance.randrange(1, 9))
            case 4:
                changed[at:at] = chance.choice([b'"', b"\\", b" ", b"9", b"a", b"\xff"]) * chance.choice(
                    [2, 30, 30, 300, 300, 300, 300, 300, 9000]
                )
            case 5:
                other = chance.choice(_EXAMPLES)
                changed[at:at] = other[chance.randrange(len(other)) :][: chance.randrange(30)]
    return bytes(changed)


def test_20_000_hostile_lines_harm_nothing() -> None:
    chance = random.Random(6)
    reasons: Counter[str] = Counter()
    for number in range(20_000):
        line = (
            _mutated(chance, chance.choice(_EXAMPLES))
            if number % 10
            else chance.randbytes(chance.randrange(200))
        )
        encoder = chance.choice(_ENCODERS)
        records, found = encoder.encode_block([(number, line, number % 50 == 0)], _CONTEXT, _CREATED)
        validate.check(_CONTRACT, records[0])
        reasons += found
    assert set(reasons) == {
        "no_match",
        "cut_off",
        "bad_time",
        "bad_value",
        "bad_request",
        "field_too_long",
        "line_too_long",
    }


def test_hostile_dates_give_four_index_days_at_most() -> None:
    chance = random.Random(6)
    line = '192.0.2.7 - - [{:02d}/{}/{:04d}:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "x"'
    months = ("Jan", "May", "Dec", "Mai")
    lines = [
        (
            number,
            line.format(chance.randrange(33), chance.choice(months), chance.randrange(10_000)).encode(),
            False,
        )
        for number in range(2000)
    ]
    lines += [(3000 + day, line.format(day, "May", 2015).encode(), False) for day in range(1, 32)]
    records, _ = _encoder("combined").encode_block(lines, _CONTEXT, _CREATED)
    days = {json.loads(record)["index_day"] for record in records}
    assert days == {"2015-05-16", "2015-05-17", "2015-05-18", "2015-05-19"}


def test_an_entry_without_a_time_has_the_time_of_first_seeing() -> None:
    entry = _DECODE(
        _encoder("combined").encode(b"no log", truncated=False, context=_CONTEXT, offset=7, created=_CREATED)
    )
    assert (entry.timestamp, entry.index_day) == ("2015-05-18T00:00:00.000Z", "2015-05-18")


def test_lines_of_two_files_and_blocks_carry_their_own_places() -> None:
    encoder = _encoder("common")
    other = FileContext("f" * 32, "/logs/b\udcff.log", _CONTEXT.first_seen_ms)
    for context, path in ((_CONTEXT, _CONTEXT.path), (other, r"/logs/b\xff.log"), (_CONTEXT, _CONTEXT.path)):
        lines = [(offset, _EXAMPLES[0], False) for offset in (65_535, 65_536, 2**40)]
        entries = [_DECODE(record) for record in encoder.encode_block(lines, context, _CREATED)[0]]
        assert [entry.block for entry in entries] == ["0", "1", str(2**24)]
        assert {(entry.generation, entry.log.file.path) for entry in entries} == {(context.generation, path)}


def test_what_is_remembered_is_bounded_whatever_comes() -> None:
    encoder = _encoder("combined")
    line = b'10.%d.%d.%d - - [17/May/2015:10:%02d:%02d +0000] "GET /%d HTTP/1.1" 200 %d "http://%d/" "%d"'
    for start in range(0, 30_000, 1000):
        block = [
            (n, line % (n >> 16, n >> 8 & 255, n & 255, n // 60 % 60, n % 60, n, n, n, n), False)
            for n in range(start, start + 1000)
        ]
        encoder.encode_block(block, _CONTEXT, _CREATED)
    assert 4096 < encoder.fragments_kept() <= 6 * 2 * 4096
    long = [(n, line % (1, 1, 1, 1, 1, n, 1, 1, 1) + b"x" * 600 + b'"', False) for n in range(100)]
    kept = encoder.fragments_kept()
    encoder.encode_block(long, _CONTEXT, _CREATED)
    assert encoder.fragments_kept() <= kept


@pytest.mark.parametrize("host", ["", "h" * 256])
def test_a_host_needs_a_name_within_the_contract(host: str) -> None:
    with pytest.raises(Misconfigured, match="1 to 255"):
        LineEncoder(compile_format("common"), host)
