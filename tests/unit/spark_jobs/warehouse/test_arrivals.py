"""Which objects of the landing are loaded, and which are refused."""

from __future__ import annotations

import pytest

from spark_jobs.warehouse import arrivals
from spark_jobs.warehouse.arrivals import PREFIX, Arrival, Content

ONE = Arrival(
    f"{PREFIX}ingested_hour=2026-11-27T05/shardId-000000000000-{'0' * 56}-0-{'1' * 56}-0.parquet", 9
)
OTHER = Arrival(
    f"{PREFIX}ingested_hour=2026-11-27T04/shardId-000000000001-{'0' * 56}-0-{'1' * 56}-0.parquet", 9
)


def test_what_is_not_loaded_is_new_whenever_it_was_written() -> None:
    assert arrivals.new([OTHER, ONE], {ONE.key}) == [OTHER]
    assert arrivals.new([OTHER, ONE], {ONE.key, OTHER.key}) == []


def test_an_object_lies_in_the_folder_of_its_hour() -> None:
    assert ONE.folder == f"{PREFIX}ingested_hour=2026-11-27T05"


def test_objects_of_the_lake_writer_are_none_of_others() -> None:
    assert arrivals.foreign([ONE, OTHER]) == []


@pytest.mark.parametrize(
    "key",
    [
        f"{PREFIX}notes.txt",
        f"{PREFIX}ingested_hour=2026-11-27T05/",
        f"{PREFIX}ingested_hour=2026-11-27/one.parquet",
        f"{PREFIX}ingested_hour=2026-11-27T05/one.parquet.part",
        f"{PREFIX}ingested_hour=2026-11-27T05/below/one.parquet",
    ],
)
def test_another_key_is_refused_by_name(key: str) -> None:
    (fault,) = arrivals.foreign([ONE, Arrival(key, 1)])

    assert (fault.count, fault.rows) == (1, [key])


def test_an_object_of_which_no_line_was_found_is_refused() -> None:
    (fault,) = arrivals.unfit([ONE, OTHER], {ONE.key: Content(7, {})})

    assert fault.rows == [OTHER.key]


def test_rows_without_a_required_value_are_refused_by_object_and_column() -> None:
    (fault,) = arrivals.unfit([ONE], {ONE.key: Content(7, {"country": 2})})

    assert (fault.count, fault.rows) == (1, [f"{ONE.key}: country in 2 rows"])


def test_all_faults_are_counted_and_ten_named() -> None:
    (fault,) = arrivals.foreign([Arrival(f"{PREFIX}{number}", 1) for number in range(25)])

    assert (fault.count, len(fault.rows)) == (25, 10)
    assert str(fault).startswith("landing: a key that is no landing object's: 25 (landing/orders/v1/0; ")
