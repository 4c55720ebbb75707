"""From bytes to what is counted, and to dead letters."""

from __future__ import annotations

import pytest

from contracts import catalog, codec
from contracts.validate import ContractViolation, faults
from flink_jobs.order_rate_alarm.parsing import order_seen, rejected
from tests.orders import a_line, one_part

EXAMPLES = catalog.ROOT / "examples" / "order" / "1"


def test_an_order_is_counted_at_its_earliest_line() -> None:
    lines = [
        a_line("1", quantity=2, unit_price="2.50", ordered_at="2011-11-20T10:00:00.250Z"),
        a_line("2", quantity=-1, unit_price="1.00", ordered_at="2011-11-20T10:00:01.000Z"),
    ]

    seen = order_seen(codec.encode(one_part("o1", lines, ingested_at="2011-11-20T10:00:02.000Z")))

    assert (seen.source, seen.order_id, seen.kind, seen.country) == ("shop", "o1", "sale", "United Kingdom")
    assert (seen.ordered_at_ms, seen.ingested_at_ms) == (1_321_783_200_250, 1_321_783_202_000)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.invalid.json")), ids=lambda path: path.stem)
def test_what_breaks_the_contract_is_a_dead_letter_with_its_bytes(path) -> None:  # type: ignore[no-untyped-def]
    data = path.read_bytes()

    with pytest.raises(ContractViolation) as raised:
        order_seen(data)

    (letter,) = rejected(raised.value, data, "x-orders")
    assert faults(catalog.contract("rejected", 1), letter) == []
    assert (letter["stream"], letter["sequence_number"], letter["size_bytes"]) == (
        "x-orders",
        None,
        len(data),
    )


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.valid.json")), ids=lambda path: path.stem)
def test_every_valid_example_is_read(path) -> None:  # type: ignore[no-untyped-def]
    assert order_seen(path.read_bytes()).order_id
