"""Every odd line: what it becomes, or the reason why it becomes nothing."""

from __future__ import annotations

import csv
import io
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import codec, order
from services.kernel.core.errors import InvalidRecord
from services.kernel.tail.lines import Line, LineSplitter
from services.order_file_ingest.csv_lines import COLUMNS, HEADER, Row, parse

DATA = Path(__file__).parents[3] / "data" / "online_retail.csv.xz"
GOOD = b"536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom"


def line(text: bytes, offset: int = 100) -> Line:
    """A complete line of this text."""
    return Line(offset, text, offset + len(text) + 1)


def row(text: bytes, offset: int = 100) -> Row:
    """The row of a line that is one."""
    parsed = parse(line(text, offset), "a.csv")
    assert parsed is not None
    return parsed


def with_column(column: str, value: str) -> bytes:
    """The good line with another value in one column, quoted as CSV asks."""
    fields = dict(zip(COLUMNS, GOOD.decode().split(","), strict=True)) | {column: value}
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields.values())
    return text.getvalue().encode()


def reason(text: bytes, offset: int = 100) -> str:
    """Why a line is rejected."""
    with pytest.raises(InvalidRecord) as fault:
        parse(line(text, offset), "a.csv")
    return fault.value.reason


def test_a_good_line() -> None:
    parsed = row(GOOD)
    assert parsed == Row(
        "536365",
        "17850",
        "United Kingdom",
        "sale",
        codec.OrderLine(
            line_id="a.csv:100",
            stock_code="85123A",
            description="WHITE HANGING HEART",
            quantity=6,
            unit_price="2.55",
            ordered_at="2010-12-01T08:26:00.000Z",
        ),
    )


@pytest.mark.parametrize(
    "description",
    [
        "",
        " ",
        "  padded  ",
        "AIRLINE LOUNGE,METAL SIGN",
        'RECORD FRAME 7" SINGLE SIZE ',
        "Dr. Jam's £5 ½ Kännchen",
        '"',
    ],
)
def test_a_description_is_kept_to_the_byte(description: str) -> None:
    assert row(with_column("Description", description)).line.description == description


@pytest.mark.parametrize(
    ("invoice", "kind"), [("536365", "sale"), ("C536379", "cancellation"), ("A563185", "adjustment")]
)
def test_the_kind_is_told_by_the_invoice_number(invoice: str, kind: str) -> None:
    assert row(with_column("InvoiceNo", invoice)).kind == kind


def test_no_customer_is_a_guest_and_amounts_keep_their_digits() -> None:
    assert row(with_column("Customer", "")).customer_id is None
    assert row(with_column("UnitPrice", "-11062.060")).line.unit_price == "-11062.060"
    assert row(with_column("Quantity", "-80995")).line.quantity == -80995


@pytest.mark.parametrize(
    ("london", "utc"),
    [
        ("2011-01-10 12:00:00", "2011-01-10T12:00:00.000Z"),
        ("2011-07-10 12:00:00", "2011-07-10T11:00:00.000Z"),
        ("2011-03-27 00:59:59", "2011-03-27T00:59:59.000Z"),
        ("2011-03-27 02:00:00", "2011-03-27T01:00:00.000Z"),
        ("2011-10-30 00:59:59", "2011-10-29T23:59:59.000Z"),
        ("2011-10-30 01:00:00", "2011-10-30T00:00:00.000Z"),  # comes twice: the first, in summer time
        ("2011-10-30 01:59:59", "2011-10-30T00:59:59.000Z"),
        ("2011-10-30 02:00:00", "2011-10-30T02:00:00.000Z"),
    ],
)
def test_times_are_those_of_a_clock_in_london(london: str, utc: str) -> None:
    assert row(with_column("InvoiceDate", london)).line.ordered_at == utc


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("InvoiceDate", "2011-03-27 01:00:00"),  # the hour that does not exist
        ("InvoiceDate", "2011-03-27 01:59:59"),
        ("InvoiceDate", "2011-02-29 10:00:00"),
        ("InvoiceDate", "2011-02-28T10:00:00"),
        ("InvoiceDate", "2011-02-28 10:00"),
        ("InvoiceDate", "2011-02-28 24:00:00"),
        ("InvoiceDate", "0001-01-01 00:00:00Z"),
        ("InvoiceDate", "٢٠١١-02-28 10:00:00"),
        ("InvoiceDate", ""),
        ("InvoiceNo", ""),
        ("InvoiceNo", " 536365"),
        ("InvoiceNo", "5" * 65),
        ("StockCode", ""),
        ("StockCode", "x" * 65),
        ("StockCode", "a\tb"),
        ("Description", "x" * 1001),
        ("Description", "a\0b"),
        ("Quantity", "6.0"),
        ("Quantity", "+6"),
        ("Quantity", "٦"),
        ("Quantity", "2147483648"),
        ("Quantity", ""),
        ("UnitPrice", "2,55"),
        ("UnitPrice", "1e3"),
        ("UnitPrice", ".5"),
        ("UnitPrice", "2.12345"),
        ("UnitPrice", "NaN"),
        ("UnitPrice", ""),
        ("Customer", "17850.0 "),
        ("Country", ""),
        ("Country", "x" * 65),
    ],
)
def test_a_wrong_column_is_named(column: str, value: str) -> None:
    with pytest.raises(InvalidRecord) as fault:
        parse(line(with_column(column, value)), "a.csv")
    assert fault.value.reason == "contract_violation"
    assert [detail.pointer for detail in fault.value.details] == [f"/{column}"]


def test_every_wrong_column_is_named_in_order() -> None:
    with pytest.raises(InvalidRecord) as fault:
        parse(line(b",,x,,,,,"), "a.csv")
    pointers = [detail.pointer for detail in fault.value.details]
    assert pointers == ["/InvoiceNo", "/StockCode", "/Quantity", "/InvoiceDate", "/UnitPrice", "/Country"]


@pytest.mark.parametrize(
    "text",
    [
        b"536365",
        GOOD + b",",
        GOOD.replace(b"WHITE", b"WHI,TE"),
        GOOD.replace(b"WHITE", b'"WHITE'),
        b'536365,1,"a"b,6,2010-12-01 08:26:00,2.55,17850,United Kingdom',
        b'536365,1,"a\rb",6,2010-12-01 08:26:00,2.55,17850,United Kingdom',
        b'"',
    ],
)
def test_what_is_no_row_of_eight_fields_is_malformed(text: bytes) -> None:
    assert reason(text) == "csv_malformed"


def test_bytes_that_are_not_utf8_and_long_lines() -> None:
    assert reason(GOOD.replace(b"WHITE", b"\xa35 OFF")) == "invalid_encoding"
    with pytest.raises(InvalidRecord) as fault:
        parse(Line(0, GOOD, 100_000), "a.csv")
    assert fault.value.reason == "line_too_long"


def test_quotes_inside_a_field_that_is_not_quoted_are_kept() -> None:
    assert row(GOOD.replace(b"WHITE", b'7" WHITE')).line.description == '7" WHITE HANGING HEART'


@pytest.mark.parametrize("text", [b"", b"\r"])
def test_an_empty_line_is_no_record(text: bytes) -> None:
    assert parse(line(text), "a.csv") is None


def test_the_header_is_skipped_as_the_first_line_only() -> None:
    header = HEADER.encode()
    assert parse(line(header, 0), "a.csv") is None
    assert parse(line(b"\xef\xbb\xbf" + header + b"\r", 0), "a.csv") is None
    assert reason(header, 50) == "contract_violation"


def test_windows_line_ends_and_a_byte_order_mark_do_not_matter() -> None:
    assert row(GOOD + b"\r")._replace(line=row(GOOD).line) == row(GOOD)
    assert row(b"\xef\xbb\xbf" + GOOD, 0).order_id == "536365"


fields = st.one_of(
    st.text(max_size=70), st.sampled_from(["", "1", "-3", "2.55", "C1", "2011-10-30 01:30:00", "\x85"])
)


@given(st.dictionaries(st.sampled_from(COLUMNS), fields, max_size=3))
def test_whatever_is_accepted_keeps_the_contract(changes: dict[str, str]) -> None:
    values = dict(zip(COLUMNS, GOOD.decode().split(","), strict=True)) | changes
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values.values())
    data = text.getvalue().encode("utf-8", "surrogatepass").replace(b"\n", b" ")
    try:
        parsed = parse(line(data), "a.csv")
    except InvalidRecord:
        return
    assert parsed is not None
    (part,) = order.parts(
        order_id=parsed.order_id,
        source="shop",
        customer_id=parsed.customer_id,
        country=parsed.country,
        currency="GBP",
        kind=parsed.kind,
        lines=[parsed.line],
        ingested_at="2011-12-10T00:00:00.000Z",
    )
    assert codec.decoder("order", 1)(codec.encode(part)) == part


def test_the_first_lines_of_the_real_file_are_as_a_csv_reader_reads_them() -> None:
    with lzma.open(DATA) as file:
        data = file.read(1_000_000)
    lines = LineSplitter(0, 65_536).feed(data)
    assert len(lines) > 10_000
    reader = csv.reader(io.StringIO(data.decode("utf-8", "ignore"), newline=""))
    assert next(reader) == list(COLUMNS)
    for one, expected in zip(lines[1:], reader, strict=False):
        parsed = parse(one, "real.csv")
        assert parsed is not None
        assert [parsed.order_id, parsed.line.stock_code, parsed.line.description] == expected[:3]
        assert [str(parsed.line.quantity), parsed.line.unit_price] == [expected[3], expected[5]]
        assert [parsed.customer_id or "", parsed.country] == expected[6:]
