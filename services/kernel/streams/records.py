"""The words of a stream: record, shard, position, fetch and the outcome of a put."""

from __future__ import annotations

from dataclasses import dataclass, field

TRIM_HORIZON = "TRIM_HORIZON"
LATEST = "LATEST"


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the stream holds it.

    Args:
        shard_id: the shard it was read from.
        sequence_number: its position in the shard; larger is later, comparable across a shard and its children.
        partition_key: what the producer partitioned by.
        data: the bytes, as produced.
        arrived_at_ms: when the stream took it, UTC milliseconds since the epoch.
        sub_sequence: ordinal inside an aggregated record, 0 for a record of its own.
    """

    shard_id: str
    sequence_number: int
    partition_key: str
    data: bytes
    arrived_at_ms: int
    sub_sequence: int = 0


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of a stream, open or closed.

    Args:
        parents: ids of the shards it came from: none, one after a split, two after a merge.
        starting_hash_key, ending_hash_key: decimal numbers of 128 bits, both inclusive.
        closed: whether it has an ending sequence number, so that it takes no more records.
    """

    shard_id: str
    parents: tuple[str, ...] = ()
    starting_hash_key: str = "0"
    ending_hash_key: str = str(2**128 - 1)
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Where to read from: TRIM_HORIZON, LATEST, AFTER_SEQUENCE_NUMBER, AT_SEQUENCE_NUMBER or AT_TIMESTAMP.

    Args:
        sequence_number: for the two kinds that name one.
        timestamp_ms: for AT_TIMESTAMP, UTC milliseconds since the epoch.
    """

    kind: str
    sequence_number: int | None = None
    timestamp_ms: int | None = None

    @classmethod
    def trim_horizon(cls) -> Position:
        """The oldest record that the stream still has."""
        return cls(TRIM_HORIZON)

    @classmethod
    def after(cls, sequence_number: int) -> Position:
        """The first record past this one."""
        return cls("AFTER_SEQUENCE_NUMBER", sequence_number)

    @classmethod
    def at_timestamp(cls, timestamp_ms: int) -> Position:
        """The first record that arrived at or after this time."""
        return cls("AT_TIMESTAMP", timestamp_ms=timestamp_ms)


@dataclass(frozen=True, slots=True)
class Fetch:
    """What one read of a shard gave.

    Args:
        next_iterator: None once a closed shard has been read to its end.
        millis_behind_latest: how far this read was behind the tip, in milliseconds.
        child_shards: ids of the shards that follow, given with the last read of a closed shard.
    """

    records: list[Record]
    next_iterator: str | None
    millis_behind_latest: int
    child_shards: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stored:
    """The stream has the record."""

    shard_id: str
    sequence_number: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The stream refused this record of a batch; `code` is the service's own, such as
    ProvisionedThroughputExceededException."""

    code: str
    message: str


Put = Stored | Failed
