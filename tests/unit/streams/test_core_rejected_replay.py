"""A dead letter goes back under the identity that it had, or the refusal says what helps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts import catalog, codec, order
from services.kernel.core.errors import Throttled
from services.kernel.core.retry import Retry
from services.kernel.streams.records import Stored
from services.kernel.streams.rejected_replay import NotReplayable, Replay, prepare, put
from tests.memory.kinesis import MemoryKinesis
from tests.orders import a_line, one_part

CATALOG = catalog.load()
GOOD = codec.encode(one_part("1", source="shop"))
KEY = order.partition_key("shop", "1")
ADVICE = "; correct it (`rejected show`) and replay it with --data FILE"


def letter(data: bytes = GOOD, **fields: Any) -> dict[str, Any]:
    return {"stream": "t-orders", "file": None, "source": None, "data": data, **fields}


def prepared(letter: dict[str, Any], corrected: bytes | None = None) -> Replay:
    return prepare(letter, CATALOG, "t", corrected)


def refusal(letter: dict[str, Any], corrected: bytes | None = None) -> str:
    with pytest.raises(NotReplayable) as refused:
        prepared(letter, corrected)
    return str(refused.value)


def document(**fields: Any) -> bytes:
    """The good order with other fields; None leaves one out."""
    changed = json.loads(GOOD) | fields
    return json.dumps({name: value for name, value in changed.items() if value is not None}).encode()


def test_what_was_right_after_all_goes_back_byte_for_byte() -> None:
    spaced = json.dumps(json.loads(GOOD), indent=1).encode()
    assert prepared(letter(spaced)) == Replay("t-orders", KEY, spaced)


def test_a_corrected_order_keeps_its_identity_and_is_new_to_the_store() -> None:
    corrected = codec.encode(one_part("1", [a_line(quantity=7)], source="shop"))
    stale = json.dumps(json.loads(corrected) | {"event_id": "0" * 32}).encode()
    replay = prepared(letter(document(lines=[])), stale)
    assert (replay.stream, replay.partition_key, replay.data) == ("t-orders", KEY, corrected)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"stream": None}, "from no stream, not"),
        ({"stream": None, "file": "till.csv"}, "from till.csv, not"),
        ({"stream": "other-orders"}, "from other-orders, not"),
        ({"stream": "orders"}, "from orders, not"),
        ({"stream": "t-unheard"}, "from t-unheard, not"),
        ({"stream": "t-rejected"}, "only orders are"),
    ],
)
def test_only_orders_from_a_stream_of_the_namespace_go_back(fields: dict[str, Any], why: str) -> None:
    assert why in refusal(letter(**fields))


def test_what_breaks_the_contract_is_told_with_every_place_and_what_helps() -> None:
    wrong = document(country=1, currency=2)
    told = refusal(letter(), wrong)
    assert " /country: " in told
    assert "; /currency: " in told
    assert refusal(letter(wrong)) == told + ADVICE


def test_what_is_no_object_is_told_by_its_root() -> None:
    assert " /: " in refusal(letter(b"[1]"))


def test_of_many_faults_twenty_are_told() -> None:
    told = refusal(letter(document(lines=[{} for _ in range(30)])))
    assert told.count("/lines/") == 20


@pytest.mark.parametrize(
    ("old", "corrected"),
    [
        (letter(document(order_id="2")), GOOD),
        (letter(document(source="till")), GOOD),
        (letter(b"no JSON", source="till"), GOOD),
        (letter(b"[1]", source="till"), GOOD),
        (letter(document(source=None), source="till"), GOOD),
    ],
)
def test_a_correction_cannot_make_it_another_order(old: dict[str, Any], corrected: bytes) -> None:
    assert "another order's record" in refusal(old, corrected)


@pytest.mark.parametrize(
    "old",
    [
        letter(b"no JSON"),
        letter(b"[1]", source="shop"),
        letter(document(order_id=5)),
        letter(document(order_id=None, source=None), source="shop"),
        letter(GOOD, source="till"),  # the record's own word counts before the sender's
    ],
)
def test_what_could_not_be_known_of_the_old_record_is_no_objection(old: dict[str, Any]) -> None:
    assert prepared(old, GOOD).partition_key == KEY


async def test_it_is_put_until_the_stream_has_it() -> None:
    kinesis = MemoryKinesis()
    await kinesis.create_stream("t-orders", 1)
    kinesis.failures = ["ProvisionedThroughputExceededException"]
    stored = await put(kinesis, Replay("t-orders", KEY, GOOD), Retry(base_s=0.001))
    [record] = kinesis.records("t-orders")
    assert (record.partition_key, record.data) == (KEY, GOOD)
    assert stored == Stored(record.shard_id, record.sequence_number)


async def test_a_stream_that_is_full_for_too_long_is_told_as_such() -> None:
    kinesis = MemoryKinesis()
    await kinesis.create_stream("t-orders", 1)
    kinesis.failures = ["ProvisionedThroughputExceededException"] * 100
    with pytest.raises(Throttled, match="ProvisionedThroughputExceededException"):
        await put(kinesis, Replay("t-orders", KEY, GOOD), Retry(base_s=0.001, budget_s=0.0))
