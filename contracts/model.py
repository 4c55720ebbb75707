"""The vocabulary of contracts: a closed set of types, fields, and where their records flow and rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)
MAX_COMMENT = 255
"""Source: the comment of a column of the AWS Glue Data Catalog, in characters."""


@dataclass(frozen=True)
class String:
    """Unicode text.

    Args:
        min_length, max_length: in code points; max_length is None only with an enum.
        pattern: an expression that the whole text matches, in the syntax that ECMA-262 and Python share.
        enum: the only texts allowed; empty for any.
    """

    min_length: int = 0
    max_length: int | None = None
    pattern: str | None = None
    enum: tuple[str, ...] = ()

    @cached_property
    def matcher(self) -> re.Pattern[str] | None:
        """The pattern with `$` meaning the end alone, not also the place before a last newline."""
        return None if self.pattern is None else re.compile(self.pattern[:-1] + r"\Z")


@dataclass(frozen=True)
class Int32:
    """A whole number written without fraction and exponent, 32 bits signed; both limits are inclusive."""

    minimum: int = INT32[0]
    maximum: int = INT32[1]


@dataclass(frozen=True)
class Int64:
    """A whole number written without fraction and exponent, 64 bits signed; both limits are inclusive."""

    minimum: int = INT64[0]
    maximum: int = INT64[1]


@dataclass(frozen=True)
class Double:
    """A finite number of 64 bits."""


@dataclass(frozen=True)
class Boolean:
    """True or false."""


@dataclass(frozen=True)
class Date:
    """A calendar day, `YYYY-MM-DD`."""


@dataclass(frozen=True)
class Timestamp:
    """An instant in UTC to the millisecond, exactly `YYYY-MM-DDTHH:MM:SS.mmmZ`."""


@dataclass(frozen=True)
class Decimal:
    """An exact number as a string: at most `precision - scale` digits, a point and `scale` more."""

    precision: int
    scale: int


@dataclass(frozen=True)
class Field:
    """One field of a struct.

    Args:
        required: whether it must be present; null counts as present.
        nullable: whether it may be null.
        description: what it means.
        unit: what one of it is; never empty for numbers and times.
        search: how a search index treats it: `exact` (as one term), `words` (by its words), `both`, `address` (as an
            IP address), `none` (kept, not found by).
    """

    name: str
    type: Type
    required: bool
    nullable: bool
    description: str
    unit: str | None = None
    search: str = "exact"

    @property
    def always(self) -> bool:
        """Whether every record has a value here."""
        return self.required and not self.nullable

    @property
    def described(self) -> str:
        """What it means, and its unit."""
        return f"{self.description} Unit: {self.unit}." if self.unit else self.description

    @property
    def comment(self) -> str:
        """The same, as long as a column's comment may be."""
        text = self.described
        return text if len(text) <= MAX_COMMENT else text[: MAX_COMMENT - 1] + "…"


@dataclass(frozen=True)
class Struct:
    """An object. Fields that it does not name are accepted and ignored, so that writers may be newer."""

    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """The field of this name.

        Raises:
            KeyError: there is none.
        """
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)


@dataclass(frozen=True)
class Array:
    """A list of `min_items` to `max_items` items; no two share field `unique_key`, where one is named."""

    items: Type
    min_items: int
    max_items: int
    unique_key: str | None = None


Type = String | Int32 | Int64 | Double | Boolean | Date | Timestamp | Decimal | Array | Struct


@dataclass(frozen=True)
class Contract:
    """What a record is: one version of one name.

    Args:
        schema: the JSON Schema document it was read from.
    """

    name: str
    version: int
    description: str
    struct: Struct
    schema: Mapping[str, object] = field(repr=False, compare=False)

    @property
    def title(self) -> str:
        """`<name>/<version>`."""
        return f"{self.name}/{self.version}"


@dataclass(frozen=True)
class Stream:
    """A Kinesis stream and the records that flow in it.

    Args:
        partition_key: template over the record's fields.
        shards_local: how many shards it gets on one machine.
        retention_hours: how long it keeps a record.
        peak_write_bytes_per_s: planned peak of one shard.
        producers, consumers: services, jobs, or `operator`; a consumer may be one of several applications of its
            service, `<service>-<what>`.
        dead_letter: the stream that takes what a consumer rejects; None for the last one.
    """

    name: str
    description: str
    contract: str
    version: int
    partition_key: str
    shards_local: int
    retention_hours: int
    peak_write_bytes_per_s: int
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    dead_letter: str | None


@dataclass(frozen=True)
class Topic:
    """An SNS topic: messages for people and their programs, which subscribe by themselves."""

    name: str
    description: str
    publishers: tuple[str, ...]


@dataclass(frozen=True)
class SearchIndex:
    """A family of daily OpenSearch indices and the records that rest in them as documents.

    Args:
        day_field: the required date of a record that says which day's index holds it.
        retention_days: how many days are kept.
        shards: of one day's index.
        refresh_interval_s: after which a document can be found.
        writers, readers: services.
    """

    name: str
    description: str
    contract: str
    version: int
    day_field: str
    retention_days: int
    shards: int
    refresh_interval_s: int
    writers: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True)
class KeyAttribute:
    """One attribute of a table's or index's key; `type` is S, N or B."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Index:
    """A global secondary index; `projection` is KEYS_ONLY or ALL."""

    name: str
    hash: KeyAttribute
    range: KeyAttribute | None
    projection: str


@dataclass(frozen=True)
class Table:
    """A DynamoDB table; `billing` is on_demand."""

    name: str
    description: str
    hash: KeyAttribute
    range: KeyAttribute | None
    indexes: tuple[Index, ...]
    billing: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
