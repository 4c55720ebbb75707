"""A version as it lies in S3: lists as Parquet, the model, and last the manifest, without which it does not exist.

```
recommendations/v1/<version>/lists/*.parquet   subject, body: a record of recommendations/1 as JSON
recommendations/v1/<version>/model.npz         the model's arrays
recommendations/v1/<version>/manifest.json     everything that is known of the version
```
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from spark_jobs.objects import Objects
from spark_jobs.recommendations.on_spark import Columns, Numbers, OnSpark
from spark_jobs.recommendations.ranking.histories import Histories
from spark_jobs.recommendations.ranking.model import Model
from spark_jobs.recommendations.release.manifest import KINDS, MANIFEST, PREFIX

SCHEMA = "subject string, body string"
_OPTIONS = {
    # No marker objects, for a manifest says what there is, and one rename less: S3 renames by a copy.
    "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    "mapreduce.fileoutputcommitter.algorithm.version": "2",
    "compression": "zstd",
}


def name(now: datetime) -> str:
    """The name of a new version; names in order of text are in order of time, to the second."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def encode(record: Mapping[str, Any]) -> str:
    """A record as the one text that stands for it."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


@dataclass(frozen=True)
class Records:
    """A block's records, as work for `OnSpark.frame`."""

    model: Model

    def __call__(self, block: Histories, _numbers: Numbers) -> Columns:
        return columns(self.model.records(block))


def columns(records: Sequence[Mapping[str, Any]]) -> Columns:
    """Records in the columns of `SCHEMA`."""
    return {
        "subject": pa.array([record["subject"] for record in records], pa.string()),
        "body": pa.array([encode(record) for record in records], pa.string()),
    }


@dataclass(frozen=True)
class Told:
    """What was written of the lists: number of subjects by kind, and the digest of all of them."""

    subjects: Mapping[str, int]
    digest: str


class Version:
    """One version that is being written.

    Args:
        objects: the lake's bucket.
        bucket: its name.
        version: as `name` makes it.
    """

    def __init__(self, objects: Objects, bucket: str, version: str) -> None:
        self.version = version
        self._objects = objects
        self._prefix = f"{PREFIX}{version}/"
        self._lists = f"s3://{bucket}/{self._prefix}lists/"

    def write_lists(self, blocks: OnSpark, model: Model) -> None:
        """Write every subject's record; customers' do not pass through the driver."""
        customers = blocks.frame(Records(model), SCHEMA)
        others = columns([*model.product_records(), *model.country_records()])
        spark = customers.sparkSession
        rows = customers.unionAll(spark.createDataFrame(pa.table(dict(others)), SCHEMA))
        rows.write.mode("overwrite").options(**_OPTIONS).parquet(self._lists)

    def write_model(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write the model's arrays."""
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **dict(arrays))
        self._objects.put_bytes(f"{self._prefix}model.npz", file.getbuffer().tobytes())

    def read_back(self, blocks: OnSpark) -> Told:
        """Read the lists as they lie in S3, in order of subject."""
        written = blocks.spark.read.schema(SCHEMA).parquet(self._lists)
        return told(written)

    def files(self) -> list[str]:
        """Keys of the lists below the version's prefix, in order."""
        return [one.key.removeprefix(self._prefix) for one in self._objects.list(f"{self._prefix}lists/")]

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest: from now on there is a version."""
        text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True)
        self._objects.put(f"{self._prefix}{MANIFEST}", text)


def told(lists: DataFrame) -> Told:
    """Counts and digest of lists: sha256 over subject, NUL, body, LF of each record, in order of subject."""
    digest, subjects = hashlib.sha256(), Counter(dict.fromkeys(KINDS, 0))
    for row in lists.orderBy("subject").toLocalIterator(prefetchPartitions=True):
        digest.update(f"{row.subject}\0{row.body}\n".encode())
        subjects[row.subject.partition(":")[0]] += 1
    return Told(dict(subjects), digest.hexdigest())
