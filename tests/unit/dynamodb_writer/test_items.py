"""A part becomes an item that DynamoDB can hold, and comes back byte for byte."""

from __future__ import annotations

import random
import zlib

import pytest

from contracts import codec
from contracts.order import MAX_PART_BYTES, parts
from services.dynamodb_writer import items
from services.kernel.adapters.dynamodb import MAX_ITEM_BYTES, Item
from services.kernel.core.errors import InvalidRecord
from services.kernel.streams.records import Record

TIME = "2011-11-20T10:00:00.000Z"


def an_order(lines: int = 1, customer_id: str | None = "17850", description: str = "LANTERN") -> codec.Order:
    made = [
        codec.OrderLine(
            line_id=str(at + 1),
            stock_code="85123A",
            description=description,
            quantity=6,
            unit_price="2.55",
            ordered_at=TIME,
        )
        for at in range(lines)
    ]
    return parts(
        order_id="536365",
        source="shop",
        customer_id=customer_id,
        country="France",
        currency="EUR",
        kind="sale",
        lines=made,
        ingested_at=TIME,
    )[0]


def a_record(data: bytes, sequence_number: int = 7) -> Record:
    return Record("shardId-000000000003", sequence_number, "shop/536365", data, 0)


def size_bytes(item: Item) -> int:
    """Source: Item sizes and formats, DynamoDB Developer Guide: names and values, a number at most 21 bytes."""
    return sum(len(name) + len(*value.values()) for name, value in item.items())


def test_an_item_holds_keys_facts_and_the_bytes_as_read() -> None:
    order = an_order(2)
    data = codec.encode(order).replace(b'"kind"', b'"not_in_the_contract": 1, "kind"')
    item = items.item(a_record(data), items.decode(data))
    assert {name: value for name, value in item.items() if name != "body"} == {
        "order_id": {"S": "536365"},
        "part": {"S": "shop#"},
        "event_id": {"S": order.event_id},
        "source": {"S": "shop"},
        "sequence_number": {"S": "7".zfill(56)},
        "shard_id": {"S": "shardId-000000000003"},
        "ordered_at": {"S": TIME},
        "ingested_at": {"S": TIME},
        "lines": {"N": "2"},
        "customer_id": {"S": "17850"},
        "customer_sort": {"S": f"{TIME}#shop#536365"},
    }
    assert items.body(item) == data
    assert items.sequence_number(item) == 7
    assert items.as_further_part(item)["part"] == {"S": f"shop#{order.event_id}"}


def test_a_guest_is_kept_and_stays_out_of_the_index() -> None:
    order = an_order(customer_id=None)
    item = items.item(a_record(codec.encode(order)), order)
    assert "customer_id" not in item
    assert "customer_sort" not in item


def test_no_part_of_our_own_senders_is_too_large() -> None:
    """200 KiB that zlib cannot shrink at all grow by 5 bytes for each 16 KiB and 11 more: far below the limit."""
    worst = random.Random(1).randbytes(MAX_PART_BYTES)
    assert len(zlib.compress(worst, 6)) <= MAX_PART_BYTES + 5 * (MAX_PART_BYTES // 16384 + 1) + 11
    assert len(zlib.compress(worst, 6)) < items.MAX_BODY_BYTES


def test_everything_beside_the_body_stays_within_its_allowance() -> None:
    longest = "x" * 64
    order = codec.Order(
        order_id=longest,
        source=longest,
        event_id="f" * 32,
        ordered_at=TIME,
        ingested_at=TIME,
        customer_id=longest,
        country="F",
        currency="EUR",
        kind="sale",
        lines=an_order().lines,
    )
    record = Record("s" * 128, 10**56 - 1, "key", codec.encode(order), 0)
    item = items.as_further_part(items.item(record, order))
    assert size_bytes({name: value for name, value in item.items() if name != "body"}) < (
        items.OTHER_ATTRIBUTES_BYTES
    )
    assert items.MAX_BODY_BYTES + items.OTHER_ATTRIBUTES_BYTES <= MAX_ITEM_BYTES


def test_a_foreign_record_over_the_item_limit_is_too_large() -> None:
    noise = random.Random(2).randbytes(500_000).hex()
    order = an_order()
    data = codec.encode(order)[:-1] + b', "noise": "' + noise.encode() + b'"}'
    with pytest.raises(InvalidRecord, match="too_large"):
        items.item(a_record(data), items.decode(data))


@pytest.mark.parametrize(
    ("data", "reason"), [(b"\xff\x00 junk", "invalid_json"), (b'{"order_id": 5}', "contract_violation")]
)
def test_a_broken_record_is_invalid_by_the_contracts_own_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        items.decode(data)
    assert caught.value.reason == reason
    assert caught.value.details or reason == "invalid_json"


def test_padded_numbers_sort_as_numbers() -> None:
    numbers = [9, 10, 49_600_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_001, 0]
    assert sorted(numbers) == [int(text) for text in sorted(map(items.padded, numbers))]
