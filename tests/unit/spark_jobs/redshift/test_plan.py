"""Which exports are loaded, and when a load is refused because one is missing."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from spark_jobs.warehouse.export import TABLES, Export, ExportedTable
from spark_jobs.warehouse.redshift.plan import DataAtFault, choose, sequence
from tests.warehouse_exports import run_name


def day(number: int, whole: bool = False) -> Export:
    tables = {
        name: ExportedTable(f"exports/{number}/{name}/", whole or name != "fact_order_lines", 1, 1)
        for name in TABLES
    }
    before = run_name(number - 1) if number > 1 and not whole else None
    return Export(run_name(number), "2010-12-01T00:00:00Z", tables, before)


def chosen(loaded: int | None, exports: list[Export]) -> tuple[list[int], list[int]]:
    random.Random(1).shuffle(exports)
    plan = choose(None if loaded is None else run_name(loaded), exports)
    return [sequence(one.run) for one in plan.exports], [sequence(run) for run in plan.passed_over]


def test_an_empty_warehouse_begins_with_the_first() -> None:
    assert chosen(None, [day(2), day(1), day(3)]) == ([1, 2, 3], [])
    assert chosen(None, []) == ([], [])


def test_what_the_warehouse_has_is_left_alone() -> None:
    assert chosen(2, [day(1), day(2), day(3), day(4)]) == ([3, 4], [])
    assert chosen(4, [day(1, whole=True), day(4)]) == ([], [])


@pytest.mark.parametrize(("loaded", "there", "missing"), [(None, [2], 1), (1, [3, 4], 2), (1, [2, 4], 3)])
def test_a_gap_is_refused_and_named(loaded: int | None, there: list[int], missing: int) -> None:
    with pytest.raises(DataAtFault, match=f"export {run_name(missing)} is missing") as caught:
        chosen(loaded, [day(number) for number in there])
    assert caught.value.details["missing"] == run_name(missing)


def test_a_run_that_had_nothing_to_export_leaves_no_gap() -> None:
    assert chosen(1, [replace(day(4), after=run_name(2)), day(2)]) == ([2, 4], [])
    assert chosen(2, [replace(day(4), after=run_name(2))]) == ([4], [])


def test_an_export_of_all_rows_has_the_number_of_the_run_that_it_shows() -> None:
    third = replace(day(3, whole=True), run=f"{run_name(3)[:-8]}ffffffff")
    assert third.run > run_name(3)
    assert choose(None, [day(4), third, day(3)]).exports == (third, day(4))
    assert choose(run_name(3), [day(4), third, day(3)]).exports == (third, day(4))
    early = replace(third, run=f"{run_name(3)[:10]}19700101T000000Z-00000000")  # the clock went back
    assert choose(None, [day(3), day(4), early]).exports == (early, day(4))
    assert choose(run_name(3), [day(3), day(4), early]).exports == (day(4),)


def test_an_export_of_all_rows_makes_up_for_a_gap_and_for_what_came_between() -> None:
    assert chosen(None, [day(7, whole=True), day(8)]) == ([7, 8], [])
    assert chosen(1, [day(2), day(4), day(5), day(7, whole=True), day(8)]) == ([2, 7, 8], [4, 5])
    with pytest.raises(DataAtFault, match=f"export {run_name(9)} is missing"):
        chosen(1, [day(4), day(8, whole=True), day(10)])


def test_two_exports_of_one_number_are_no_sequence() -> None:
    twin = day(2)
    other = replace(twin, run=f"{run_name(2)[:-8]}ffffffff")
    with pytest.raises(DataAtFault, match=f"{other.run} comes after it"):
        choose(run_name(1), [twin, other])


@pytest.mark.parametrize("name", ["", "1", run_name(1) + "x", "000000001-20101202T082600Z-0000000G"])
def test_a_run_has_a_name_of_its_form(name: str) -> None:
    with pytest.raises(DataAtFault, match="not the name of a run"):
        sequence(name)
