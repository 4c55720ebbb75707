"""The Parquet objects of a version, as different writers make them."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from spark_jobs.recommendations.release import lists
from spark_jobs.recommendations.release.errors import Unfit
from tests import recommendation_versions as made
from tests.unit.spark_jobs.recommendations.release.stage import BUCKET, Stage


@pytest.fixture
async def stage() -> Stage:
    return await Stage().prepare()


async def published(stage: Stage, columns: dict[str, tuple[pa.DataType, list[Any]]], **options: Any) -> None:
    """Publish a version whose only object has these columns."""
    version = made.made(1, files=1)
    await stage.write(version)
    sink = io.BytesIO()
    schema = pa.schema([(name, type_) for name, (type_, _) in columns.items()])
    table = pa.Table.from_pydict({name: values for name, (_, values) in columns.items()}, schema)
    parquet.write_table(table, sink, **options)
    await stage.s3.put(BUCKET, f"{version.prefix}{version.names()[0]}", sink.getvalue())
    await stage.publish()


def columns(subject: pa.DataType, body: pa.DataType) -> dict[str, tuple[pa.DataType, list[Any]]]:
    rows = made.made(1).rows()
    text = pa.types.is_string(body) or pa.types.is_large_string(body)
    bodies = [one.decode() if text else one for _, one in rows]
    return {"subject": (subject, [one for one, _ in rows]), "body": (body, bodies)}


@pytest.mark.parametrize("body", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()])
@pytest.mark.parametrize("subject", [pa.string(), pa.large_string()])
async def test_text_is_as_good_as_bytes(stage: Stage, subject: pa.DataType, body: pa.DataType) -> None:
    await published(stage, columns(subject, body), compression="zstd", row_group_size=7)
    assert await stage.serving() == made.version_name(1)


async def test_further_columns_and_another_order_of_them_are_no_fault(stage: Stage) -> None:
    found = columns(pa.string(), pa.string())
    count = len(found["subject"][1])
    more = {"body": found["body"], "part": (pa.int32(), [1] * count), "subject": found["subject"]}
    await published(stage, more, compression="snappy")
    assert await stage.serving() == made.version_name(1)


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ({"subject": (pa.int64(), list(range(3)))}, "subject and body are needed"),
        ({"subject": (pa.string(), ["a"]), "body": (pa.int64(), [1])}, "subject and body are needed"),
        ({"subject": (pa.string(), ["a"]), "body": (pa.string(), [None])}, "without subject or body"),
        ({"subject": (pa.string(), [None]), "body": (pa.string(), ["{}"])}, "without subject or body"),
    ],
)
async def test_other_columns_are_refused(
    stage: Stage, spoilt: dict[str, tuple[pa.DataType, list[Any]]], words: str
) -> None:
    with pytest.raises(Unfit, match=words):
        await published(stage, spoilt)
    assert await stage.pointer() is None


async def test_an_object_larger_than_one_range_is_read_whole(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await stage.trained(1)
    size = len(version.parts()[0])
    for length in (size - 1, size, size + 1, 100):
        monkeypatch.setattr(lists, "_RANGE_BYTES", length)
        assert (await stage.publish(force=True)).items == len(version.records)
        assert await stage.serving() == version.name
