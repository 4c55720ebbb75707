"""Histories that lie in Spark: the same work for each block of customers, wherever the block is.

A function travels as a pickle of `cloudpickle`, what it gives as a parcel of pieces. A block has at most 512 rows; no
executor holds more than one at once, and none of the rows' events is touched by a loop of Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from itertools import groupby
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark import Broadcast, TaskContext, cloudpickle
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.udf import UserDefinedFunction
from pyspark.util import PythonEvalType

from spark_jobs.recommendations.parcels import Piece, pack, unpack
from spark_jobs.recommendations.ranking.histories import Blocks, Histories, InProcess, S

T = TypeVar("T")
Numbers = NDArray[np.int32]
Columns = Mapping[str, Any]
BLOCK_ROWS = 512
BATCH_ROWS = 64
"""Rows of an Arrow batch, both ways: with pieces of `parcels` one has at most 16 MB."""
OPTIONS = {
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(BATCH_ROWS),
    # Rows brought together as arrays are held by a task, not sorted, up to so many arrays.
    "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "65536",
    # Every task has a core; a linear algebra that took all of them would only stand in the others' way.
    "spark.executorEnv.OPENBLAS_NUM_THREADS": "1",
    "spark.executorEnv.OMP_NUM_THREADS": "1",
}
"""Options that a session must have."""
_FAN_IN = 8
_PIECES = "place int, part int, parts int, size bigint, body binary"


class OnSpark:
    """`Blocks` over a frame with a row for each customer.

    Args:
        rows: customer, country, number (int), events (array of day, order, article, units, all int), in as many
            partitions as they shall be worked at in, sorted within each by customer; kept by Spark.
    """

    def __init__(self, rows: DataFrame) -> None:
        self._rows = rows
        self.partitions: int = rows.rdd.getNumPartitions()

    @property
    def spark(self) -> SparkSession:
        """The session that the rows lie in."""
        return self._rows.sparkSession

    def map(self, work: Callable[[Histories], T]) -> Iterator[T]:
        """As `Blocks.map`; what the work gives for all blocks comes to the driver, compressed."""
        sent = _send(self.spark, work)

        def each(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            done = sent.value
            for histories, _ in blocks(batches):
                yield from _written(0, pack(done(histories)))

        try:
            yield from unpack(_read(_map(self._rows, each, _PIECES)))
        finally:
            sent.destroy()

    def sum(self, work: Callable[[Histories], S]) -> S:
        """As `Blocks.sum`: within each partition, then within eight of them, until the driver has at most eight."""
        sent = _send(self.spark, work)

        def added(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            done = sent.value
            context = TaskContext.get()
            place = context.partitionId() if context else 0
            total: Any = None
            for histories, _ in blocks(batches):
                total = done(histories) if total is None else total + done(histories)
            if total is not None:
                yield from _written(place, pack(total))

        try:
            sums = _map(self._rows, added, _PIECES)
            left = self.partitions
            while left > _FAN_IN:
                left = math.ceil(left / _FAN_IN)
                sums = _added_up(sums, left)
            found: list[S] = list(unpack(_read(sums)))
        finally:
            sent.destroy()
        if not found:
            raise ValueError("there is no block")
        return reduce(lambda one, other: one + other, found)

    def frame(self, work: Callable[[Histories, Numbers], Columns], schema: str) -> DataFrame:
        """What the work gives for each block as rows of Spark, which do not pass through the driver.

        Args:
            work: is given the block and its customers' numbers; gives arrays of one length, by name.
            schema: of the rows, as Spark's DDL.

        Returns:
            rows that are worked out anew by each action, in the blocks' order within each partition.
        """
        sent = _send(self.spark, work)

        def each(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            done = sent.value
            for histories, numbers in blocks(batches):
                yield pa.RecordBatch.from_pydict(dict(done(histories, numbers)))

        return _map(self._rows, each, schema)


def near(there: OnSpark, rows: int, most: int) -> Blocks:
    """Bring blocks of few rows into this process, where work on them is not handed over; others stay where they are.

    Args:
        rows: that the blocks have.
        most: rows that are few.
    """
    return there if rows > most else InProcess(there.map(_itself))


def _itself(histories: Histories) -> Histories:
    return histories


def blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Histories, Numbers]]:
    """Blocks of at most `BLOCK_ROWS` customers, with their numbers, of batches of any size."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            piece = batch.slice(start, BATCH_ROWS)
            if count + piece.num_rows > BLOCK_ROWS:
                yield block(waiting)
                waiting, count = [], 0
            waiting.append(piece)
            count += piece.num_rows
    if count:
        yield block(waiting)


def block(batches: list[pa.RecordBatch]) -> tuple[Histories, Numbers]:
    """Rows as histories, and the numbers of their customers."""
    table = pa.Table.from_batches(batches).combine_chunks()
    lists = table.column("events").combine_chunks()
    events = dict(
        zip([field.name for field in lists.type.value_type], lists.flatten().flatten(), strict=True)
    )
    lengths = lists.value_lengths().to_numpy(zero_copy_only=False)

    def column(name: str) -> Numbers:
        return np.asarray(events[name].to_numpy(zero_copy_only=False), np.int32)

    histories = Histories(
        tuple(table.column("customer").to_pylist()),
        tuple(table.column("country").to_pylist()),
        np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        column("article"),
        column("day"),
        column("order"),
        column("units"),
    )
    return histories, table.column("number").to_numpy().astype(np.int32)


def _added_up(sums: DataFrame, groups: int) -> DataFrame:
    """Sums of sums: those at places 0 to 7 together, 8 to 15, and so on; always in the order of places."""

    def added(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        def pieces() -> Iterator[tuple[int, Piece]]:
            for batch in batches:
                yield from zip(batch.column("place").to_pylist(), _pieces(batch), strict=True)

        for group, members in groupby(pieces(), lambda one: one[0] // _FAN_IN):
            values = unpack(piece for _, piece in members)
            yield from _written(group, pack(reduce(lambda one, other: one + other, values)))

    numbered = sums.selectExpr("*", "monotonically_increasing_id() AS at", f"place DIV {_FAN_IN} AS together")
    gathered = numbered.repartition(groups, "together").sortWithinPartitions("together", "place", "at")
    return _map(gathered.drop("together", "at"), added, _PIECES)


def _map(
    rows: DataFrame, work: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]], schema: str
) -> DataFrame:
    """As `DataFrame.mapInArrow`, which asks for pandas (60 MB) and then makes no use of it."""
    function = UserDefinedFunction(work, returnType=schema, evalType=PythonEvalType.SQL_MAP_ARROW_ITER_UDF)
    mapped = rows._jdf.mapInArrow(function(*(rows[name] for name in rows.columns))._jc, False, None)
    return DataFrame(mapped, rows.sparkSession)


class _Function:
    """A function that is a pickle on its way, and itself again when the pickle is read."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self._work = work

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[bytes]]:
        return cloudpickle.loads, (cloudpickle.dumps(self._work, protocol=5),)


def _send(spark: SparkSession, work: Callable[..., Any]) -> Broadcast[Any]:
    """A function with everything that it refers to, once to each executor however many tasks it has.

    Its value is the function; a process of an executor reads it once.
    """
    return spark.sparkContext.broadcast(_Function(work))


def _written(place: int, pieces: Iterable[Piece]) -> Iterator[pa.RecordBatch]:
    for piece in pieces:
        yield pa.RecordBatch.from_pydict(
            {
                "place": pa.array([place], pa.int32()),
                "part": pa.array([piece.part], pa.int32()),
                "parts": pa.array([piece.parts], pa.int32()),
                "size": pa.array([piece.size], pa.int64()),
                "body": pa.array([piece.body], pa.binary()),
            }
        )


def _read(rows: DataFrame) -> Iterator[Piece]:
    for batch in rows.toArrow().to_batches():
        yield from _pieces(batch)


def _pieces(batch: pa.RecordBatch) -> Iterator[Piece]:
    columns = [batch.column(name) for name in ("part", "parts", "size", "body")]
    for row in range(batch.num_rows):
        part, parts, size, body = (column[row].as_py() for column in columns)
        yield Piece(part, parts, size, body)
