"""Orders as rows: every value as the record has it, typed; what a newer writer adds kept as it was written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import catalog, codec
from services.kernel.core.errors import InvalidRecord
from services.kernel.streams.records import Record
from services.lake_writer import columns, order_lines, unknown
from services.lake_writer.rows import Columns
from tests.orders import a_line, a_record, one_part
from tests.unit.lake_writer.landed import MIB, read

EXAMPLES = sorted((catalog.ROOT / "examples" / "order" / "1").glob("*.valid.json"))


def rows_of(*records: Record) -> list[dict[str, Any]]:
    """What a file of these records gives back."""
    return list(table_of(*records).to_pylist())


def table_of(*records: Record) -> pa.Table:
    grown = Columns(order_lines.FORMAT)
    for record in records:
        grown.add(order_lines.decode(record))
    return read(columns.encode(grown.table()))


def record_of(data: bytes, number: int = 7) -> Record:
    return Record("shardId-000000000002", number, "k", data, 1_795_755_600_123, 3)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def expected(record: Record, order: dict[str, Any], line: dict[str, Any]) -> dict[str, Any]:
    """A row by its contract, from the record's own JSON."""
    return {
        "source": order["source"],
        "order_id": order["order_id"],
        "line_id": line["line_id"],
        "event_id": order["event_id"],
        "kind": order["kind"],
        "customer_id": order["customer_id"],
        "country": order["country"],
        "currency": order["currency"],
        "order_ordered_at": instant(order["ordered_at"]),
        "ordered_at": instant(line["ordered_at"]),
        "ingested_at": instant(order["ingested_at"]),
        "stock_code": line["stock_code"],
        "description": line["description"],
        "quantity": line["quantity"],
        "unit_price": Decimal(line["unit_price"]),
        "arrived_at": datetime.fromtimestamp(record.arrived_at_ms // 1000, UTC).replace(
            microsecond=record.arrived_at_ms % 1000 * 1000
        ),
        "shard_id": record.shard_id,
        "sequence_number": str(record.sequence_number).zfill(56),
        "sub_sequence": record.sub_sequence,
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name.split(".")[0])
def test_every_example_is_in_the_file_as_it_was_sent(path: Any) -> None:
    order = json.loads(path.read_text("utf-8"))
    record = record_of(path.read_bytes())
    found = rows_of(record)
    assert len(found) == len(order["lines"])
    for row, line in zip(found, order["lines"], strict=True):
        assert {**row, "unknown": None} == {**expected(record, order, line), "unknown": None}


def test_the_file_has_the_contracts_columns_and_types() -> None:
    schema = table_of(a_record(one_part("1"), 1)).schema
    contract = catalog.contract("order_line", 1)
    assert schema.names == [field.name for field in contract.struct.fields]
    for name in ("order_ordered_at", "ordered_at", "ingested_at", "arrived_at"):
        assert schema.field(name).type == pa.timestamp("ms", "UTC")
    assert schema.field("unit_price").type == pa.decimal128(18, 4)
    assert schema.field("quantity").type == schema.field("sub_sequence").type == pa.int32()
    assert {field.name for field in schema if field.nullable} == {"customer_id", "description", "unknown"}


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(
    st.lists(
        st.tuples(
            texts,
            st.integers(-(2**31), 2**31 - 1),
            st.decimals(
                allow_nan=False, allow_infinity=False, places=4, min_value=-(10**13), max_value=10**13
            ),
        ),
        min_size=1,
        max_size=5,
    ),
    st.none() | st.just("c-1"),
)
@settings(max_examples=50)
def test_whatever_the_contract_allows_comes_back(
    lines: list[tuple[str, int, Decimal]], customer: str | None
) -> None:
    made = [
        a_line(str(at), description=text, quantity=quantity, unit_price=f"{price:f}")
        for at, (text, quantity, price) in enumerate(lines)
    ]
    record = record_of(codec.encode(one_part("1", made, customer_id=customer)))
    order = json.loads(record.data)
    assert rows_of(record) == [{**expected(record, order, line), "unknown": None} for line in order["lines"]]


def test_rows_are_in_the_streams_order_over_many_records() -> None:
    records = [
        a_record(one_part(f"o{at}", [a_line(str(n)) for n in range(at % 40 + 1)]), at) for at in range(600)
    ]
    found = rows_of(*records)
    assert [(int(row["sequence_number"]), row["line_id"]) for row in found] == [
        (at, str(n)) for at in range(600) for n in range(at % 40 + 1)
    ]
    assert [row["order_id"] for row in found] == [f"o{at}" for at in range(600) for _ in range(at % 40 + 1)]


def test_a_record_of_20000_lines_is_20000_rows() -> None:
    lines = [a_line(str(at), quantity=at, description="Ü" * 3) for at in range(1, 20_001)]
    part = one_part("long", lines, max_bytes=10 * MIB)
    found = table_of(a_record(part, 1))
    assert found.num_rows == 20_000
    assert found.column("quantity").to_pylist() == list(range(1, 20_001))


@pytest.mark.parametrize("size_bytes", [MIB, 10 * MIB])
def test_records_as_large_as_a_stream_takes(size_bytes: int) -> None:
    """1 MiB, and what a stream may be raised to, 10 MiB. Source: Kinesis Data Streams, quotas and limits."""
    texts = ["d" * 1_000] * (size_bytes // 1_200)
    record = record_of(
        codec.encode(
            one_part(
                "1",
                [a_line(str(at), description=text) for at, text in enumerate(texts)],
                max_bytes=size_bytes,
            )
        )
    )
    assert size_bytes * 0.85 < len(record.data) <= size_bytes
    assert len(rows_of(record)) == len(texts)


def test_what_breaks_the_contract_is_no_row_and_says_why() -> None:
    data = codec.encode(one_part("1")).replace(b'"GBP"', b'"pounds"')
    with pytest.raises(InvalidRecord) as raised:
        order_lines.decode(record_of(data))
    assert raised.value.reason == "contract_violation"
    assert [detail.pointer for detail in raised.value.details] == ["/currency"]


def with_unknown(order: dict[str, str], lines: list[dict[str, str]]) -> bytes:
    """An order with further fields; the values are JSON."""
    part = one_part("1", [a_line(str(at)) for at in range(len(lines))], max_bytes=10 * MIB)
    data = codec.encode(part).decode()
    head, _, rest = data.partition('"lines":[{')
    pieces = rest.split("},{")
    more = ["".join(f'"{name}":{value},' for name, value in line.items()) for line in lines]
    first = "".join(f'"{name}":{value},' for name, value in order.items())
    return (head + first + '"lines":[{' + "},{".join(map("".join, zip(more, pieces, strict=True)))).encode()


def test_what_a_newer_writer_adds_is_kept_in_its_own_digits() -> None:
    data = with_unknown(
        {"channel": '"web"', "ratio": "1.10"},
        [{"gift": '{"wrap": true, "n": 1e2}'}, {}, {"gift": '"\\u00e9"'}],
    )
    found = [row["unknown"] for row in rows_of(record_of(data))]
    order = '{"order":{"channel":"web","ratio":1.10}'
    assert found == [
        order + ',"line":{"gift":{"wrap": true, "n": 1e2}}}',
        order + "}",
        order + ',"line":{"gift":"\\u00e9"}}',
    ]


def test_where_only_a_line_has_more_only_that_line_says_so() -> None:
    data = with_unknown({}, [{}, {"gift": "true"}])
    assert [row["unknown"] for row in rows_of(record_of(data))] == [None, '{"line":{"gift":true}}']


@pytest.mark.parametrize(
    "data",
    [
        codec.encode(one_part("1")),
        json.dumps(json.loads(codec.encode(one_part("1"))), indent=2).encode(),
        codec.encode(one_part("1")).replace(b',"trace":null', b""),
        codec.encode(one_part("1")).replace(b'"kind":', b'"kind":"sale","kind":'),
    ],
    ids=["as our encoder writes", "with blanks", "without what may be absent", "a name twice"],
)
def test_a_record_that_only_looks_different_has_nothing_unknown(data: bytes) -> None:
    assert [row["unknown"] for row in rows_of(record_of(data))] == [None]


def test_large_unknown_fields_of_an_order_do_not_grow_with_its_lines() -> None:
    """500 KB on an order of 5,000 lines would be 2.5 GB on every line."""
    data = with_unknown({"note": f'"{"n" * 500_000}"'}, [{}] * 5_000)
    found = unknown.of_lines(data)
    assert found is not None
    assert json.loads(found[0] or "") == {"order": {"note": "n" * 500_000}}
    assert set(found[1:]) == {None}
    small = unknown.of_lines(with_unknown({"note": '"n"'}, [{}] * 5_000))
    assert small == ['{"order":{"note":"n"}}'] * 5_000


def test_rows_with_and_without_unknown_fields_go_into_one_file() -> None:
    found = rows_of(
        a_record(one_part("0"), 1), record_of(with_unknown({"a": "1"}, [{}, {}])), a_record(one_part("2"), 9)
    )
    assert [row["unknown"] for row in found] == [None, '{"order":{"a":1}}', '{"order":{"a":1}}', None]
