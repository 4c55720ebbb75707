"""The comparison finds nothing where all is right, and every kind of difference where it is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.local.compare import compare
from deploy.local.ledger import Ledger
from deploy.local.stored import Part, Parts, read
from tests.unit.local.tiny_shop import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_right_store_has_no_difference(world: World) -> None:
    report = world.report()
    assert report.told == []
    assert report.ok
    counts = report.as_json()
    assert (counts["sent"], counts["acknowledged"], counts["stored"]) == (7, 7, 7)
    assert counts["stored_figures"] == counts["raw_figures"]
    assert counts["stored_figures"]["populations"]["lines equal to an earlier one"] == 1


def test_a_price_is_compared_as_a_number_and_parts_may_overlap(world: World) -> None:
    body = world.body("4", "files")
    body["lines"][0]["unit_price"] = "3.000"
    second = {**body, "lines": body["lines"][1:]}
    world.bodies["files", "4"].append((999, second))
    assert world.report().told == []


def miss_a_line(world: World) -> None:
    world.body("1")["lines"].pop()


def miss_an_order(world: World) -> None:
    del world.bodies["shop", "C3"]


def miss_a_file_line(world: World) -> None:
    world.body("4", "files")["lines"].pop(0)


def double_a_line(world: World) -> None:
    lines = world.body("2")["lines"]
    lines.append({**lines[0], "line_id": "3"})


def double_a_file(world: World) -> None:
    lines = world.body("4", "files")["lines"]
    lines += [{**line, "line_id": line["line_id"].replace("week", "copy")} for line in lines]


def alter(field: str, value: object) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.body("2")["lines"][0][field] = value

    return change


def alter_the_customer(world: World) -> None:
    world.body("2")["customer_id"] = "17850"


def add_a_foreign_line(world: World) -> None:
    lines = world.body("1")["lines"]
    lines.append({**lines[0], "line_id": "x", "stock_code": "ELSE"})


def add_a_foreign_order(world: World) -> None:
    world.bodies["shop", "99"] = [(5, {**world.body("1"), "order_id": "99"})]


def store_a_conflict(world: World) -> None:
    body = world.body("1")
    late = {**body, "lines": [{**body["lines"][0], "quantity": 7}]}
    world.bodies["shop", "1"].append((900, late))


def break_an_attribute(world: World) -> None:
    world.body("1")["ordered_at"] = "2010-11-30T00:00:00.000Z"


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (miss_a_line, "missing"),
        (miss_an_order, "missing"),
        (miss_a_file_line, "missing"),
        (double_a_line, "doubled"),
        (double_a_file, "doubled"),
        (alter("quantity", 2), "altered"),
        (alter("unit_price", "0.002"), "altered"),
        (alter("description", "BOX, SMALL "), "altered"),
        (alter("description", None), "altered"),
        (alter("ordered_at", "2011-07-01T08:00:01.000Z"), "altered"),
        (alter_the_customer, "altered"),
        (add_a_foreign_line, "foreign"),
        (add_a_foreign_order, "foreign"),
        (store_a_conflict, "conflicting"),
        (break_an_attribute, "altered"),
    ],
)
def test_every_damage_is_found_and_told(world: World, damage: Callable[[World], None], kind: str) -> None:
    damage(world)
    report = world.report()
    assert not report.ok
    assert report.counts[kind] > 0
    assert any(sentence.startswith(kind) for sentence in report.told)


def test_the_first_content_wins_a_conflict(world: World) -> None:
    body = world.body("1")
    early = {**body, "lines": [{**body["lines"][0], "quantity": 7}]}
    world.bodies["shop", "1"].append((1, early))
    assert any("quantity was sent as 6, is stored as 7" in sentence for sentence in world.report().told)


def test_a_refused_order_is_a_difference_of_a_whole_run(world: World) -> None:
    del world.bodies["shop", "C3"]
    world.ledger.order("shop", "C3", 1, "refused", "contract_violation")
    world.ledger.close()
    assert any(sentence.startswith("figures") for sentence in world.report().told)


def test_a_refused_order_that_is_stored_is_foreign(world: World) -> None:
    world.ledger.order("shop", "C3", 1, "refused", "contract_violation")
    world.ledger.close()
    assert world.report().counts["foreign"] == 1


@pytest.mark.parametrize("stored", [True, False])
def test_an_order_of_unknown_outcome_may_be_stored_or_not(tmp_path: Path, stored: bool) -> None:
    world = World(tmp_path)
    world.ledger = Ledger(tmp_path / "other.jsonl", "run")
    world.ledger.order("shop", "1", 2, "acknowledged")
    world.ledger.order("shop", "2", 2, "unknown")
    world.ledger.close()
    kept = {("shop", "1"), ("shop", "2")} if stored else {("shop", "1")}
    world.bodies = {key: held for key, held in world.bodies.items() if key in kept}
    report = world.report(complete=False)
    assert report.told == []
    assert (report.counts["unknown"], report.counts["never_sent"]) == (2, 3)
    assert not world.report(complete=True).ok


def test_other_senders_are_counted_and_not_judged(world: World) -> None:
    world.bodies["elsewhere", "1"] = [(5, {**world.body("1"), "source": "elsewhere"})]
    report = world.report()
    assert report.ok
    assert report.counts["other_senders"] == 2


def test_an_item_that_cannot_be_unpacked_is_told(world: World, tmp_path: Path) -> None:
    parts: Parts = {("shop", "1"): [Part(1, b"junk", {})]}
    report = compare(parts, world.ledger, world.raw)
    assert any("cannot be read" in sentence for sentence in report.told)
    assert report.counts["missing"] == 7


async def test_all_segments_of_the_table_are_read() -> None:
    class Table:
        async def scan(
            self, table: str, segment: int | None = None, total: int | None = None
        ) -> AsyncIterator[Mapping[str, Any]]:
            assert total == 3
            yield {
                "order_id": {"S": str(segment)},
                "source": {"S": "shop"},
                "sequence_number": {"S": "0007"},
                "body": {"B": table.encode()},
            }

    parts = await read(Table(), "orders", segments=3)
    assert sorted(parts) == [("shop", "0"), ("shop", "1"), ("shop", "2")]
    assert parts["shop", "1"][0] == Part(
        7, b"orders", {"order_id": {"S": "1"}, "source": {"S": "shop"}, "sequence_number": {"S": "0007"}}
    )
