"""Reads every contract, stream, table, index and topic of this folder into one catalogue, or refuses it as a whole."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from contracts import profile
from contracts.model import (
    Contract,
    Date,
    Field,
    Index,
    KeyAttribute,
    SearchIndex,
    Stream,
    String,
    Table,
    Topic,
)
from contracts.profile import ProfileError

ROOT = Path(__file__).resolve().parent
OPERATOR = "operator"
"""The one reader that is a person: tools run by hand."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_T = TypeVar("_T")
_TEMPLATE_FIELD = re.compile(r"\{([a-z0-9_]+)\}")


@dataclass(frozen=True)
class Catalog:
    """Everything that flows and rests.

    Args:
        contracts: by name and version.
        streams, tables, topics, indices: by logical name, without the namespace.
    """

    contracts: Mapping[tuple[str, int], Contract]
    streams: Mapping[str, Stream]
    tables: Mapping[str, Table]
    topics: Mapping[str, Topic] = field(default_factory=dict)
    indices: Mapping[str, SearchIndex] = field(default_factory=dict)

    def contract_of(self, place: Stream | SearchIndex) -> Contract:
        """The contract of a stream's records, or an index's documents."""
        return self.contracts[place.contract, place.version]

    def parties(self) -> set[str]:
        """Every name that writes or reads one of these, or publishes to a topic, `operator` among them."""
        names: set[str] = set()
        for stream in self.streams.values():
            names.update(stream.producers, stream.consumers)
        for table in self.tables.values():
            names.update(table.writers, table.readers)
        for index in self.indices.values():
            names.update(index.writers, index.readers)
        for topic in self.topics.values():
            names.update(topic.publishers)
        return names


def load(root: Path = ROOT) -> Catalog:
    """Read the catalogue under `root`.

    Raises:
        ProfileError: a file says what the profile does not know, or names what is not there.
    """
    contracts = {
        (contract.name, contract.version): contract
        for path in sorted((root / "schemas").glob("*/*.json"))
        for contract in [_contract(path)]
    }
    streams = {path.stem: _read(path, _stream) for path in sorted((root / "streams").glob("*.toml"))}
    tables = {path.stem: _read(path, _table) for path in sorted((root / "tables").glob("*.toml"))}
    topics = {path.stem: _read(path, _topic) for path in sorted((root / "topics").glob("*.toml"))}
    indices = {path.stem: _read(path, _search_index) for path in sorted((root / "indices").glob("*.toml"))}
    catalog = Catalog(contracts, streams, tables, topics, indices)
    for stream in streams.values():
        _hold_stream(stream, catalog)
    for index in indices.values():
        _hold_index(index, catalog)
    return catalog


@cache
def contract(name: str, version: int) -> Contract:
    """Read one contract of this package, once per process.

    Raises:
        KeyError: there is no such contract.
        ProfileError: its file is outside the profile.
    """
    path = ROOT / "schemas" / name / f"{version}.json"
    if not path.is_file():
        raise KeyError(f"{name}/{version}")
    return _contract(path)


def _contract(path: Path) -> Contract:
    if not re.fullmatch(r"[1-9][0-9]*", path.stem):
        raise ProfileError(f"{path}: a schema's file is named by its version")
    return profile.contract(path.parent.name, int(path.stem), json.loads(path.read_text("utf-8")))


def _read(path: Path, build: Callable[[str, Values], _T]) -> _T:
    try:
        values = Values(tomllib.loads(path.read_text("utf-8")))
        built = build(path.stem, values)
        values.end()
    except (ValueError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"{path.parent.name}/{path.name}: {error}") from None
    return built


class Values:
    """The keys of one TOML table, each taken once; what nobody took is an error."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = dict(values)

    def text(self, key: str, *allowed: str) -> str:
        """Take a text, one of `allowed` if any are given."""
        value = self._take(key, str)
        if not value.strip() or (allowed and value not in allowed):
            raise ProfileError(f"{key} must be {' or '.join(allowed) or 'a text'}")
        return str(value)

    def optional(self, key: str) -> str | None:
        """Take a text that may be left out."""
        return self.text(key) if key in self._values else None

    def number(self, key: str, low: int, high: int) -> int:
        """Take a whole number from `low` to `high`."""
        value = self._take(key, int)
        if isinstance(value, bool) or not low <= value <= high:
            raise ProfileError(f"{key} must be {low} to {high}")
        return int(value)

    def names(self, key: str) -> tuple[str, ...]:
        """Take a list of different names, at least one."""
        value = self._take(key, list)
        if (
            not value
            or len(set(value)) != len(value)
            or not all(_NAME.fullmatch(str(name)) for name in value)
        ):
            raise ProfileError(f"{key} must be a list of different names")
        return tuple(value)

    def table(self, key: str) -> Values:
        """Take a table of its own."""
        return Values(self._take(key, dict))

    def tables(self, key: str) -> list[Values]:
        """Take a list of tables that may be left out."""
        return [Values(value) for value in self._take(key, list)] if key in self._values else []

    def has(self, key: str) -> bool:
        """Say whether the key is there and not taken yet."""
        return key in self._values

    def end(self) -> None:
        """Refuse what nobody took."""
        if self._values:
            raise ProfileError(f"unknown: {', '.join(sorted(self._values))}")

    def _take(self, key: str, kind: type) -> Any:
        if key not in self._values:
            raise ProfileError(f"{key} is missing")
        value = self._values.pop(key)
        if not isinstance(value, kind):
            raise ProfileError(f"{key} must be a {kind.__name__}")
        return value


def _stream(stem: str, values: Values) -> Stream:
    return Stream(
        name=values.text("name", stem),
        description=values.text("description"),
        contract=values.text("contract"),
        version=values.number("version", 1, 10_000),
        partition_key=values.text("partition_key"),
        shards_local=values.number("shards_local", 1, 100),
        # Source: Kinesis keeps records for 24 hours to 365 days.
        retention_hours=values.number("retention_hours", 24, 8760),
        # Source: a shard takes 1 MB/s.
        peak_write_bytes_per_s=values.number("peak_write_bytes_per_s", 1, 1_000_000),
        producers=values.names("producers"),
        consumers=values.names("consumers"),
        dead_letter=values.optional("dead_letter"),
    )


def _table(stem: str, values: Values) -> Table:
    table = Table(
        name=values.text("name", stem),
        description=values.text("description"),
        hash=_key(values.table("hash")),
        range=_key(values.table("range")) if values.has("range") else None,
        indexes=tuple(_index(index) for index in values.tables("indexes")),
        billing=values.text("billing", "on_demand"),
        writers=values.names("writers"),
        readers=values.names("readers"),
    )
    if len({index.name for index in table.indexes}) != len(table.indexes):
        raise ProfileError("two indexes of one name")
    return table


def _topic(stem: str, values: Values) -> Topic:
    return Topic(values.text("name", stem), values.text("description"), values.names("publishers"))


def _search_index(stem: str, values: Values) -> SearchIndex:
    return SearchIndex(
        name=values.text("name", stem),
        description=values.text("description"),
        contract=values.text("contract"),
        version=values.number("version", 1, 10_000),
        day_field=values.text("day_field"),
        retention_days=values.number("retention_days", 1, 3650),
        shards=values.number("shards", 1, 100),
        refresh_interval_s=values.number("refresh_interval_s", 1, 3600),
        writers=values.names("writers"),
        readers=values.names("readers"),
    )


def _key(values: Values) -> KeyAttribute:
    key = KeyAttribute(values.text("name"), values.text("type", "S", "N", "B"), values.text("description"))
    values.end()
    return key


def _index(values: Values) -> Index:
    index = Index(
        name=values.text("name"),
        hash=_key(values.table("hash")),
        range=_key(values.table("range")) if values.has("range") else None,
        projection=values.text("projection", "KEYS_ONLY", "ALL"),
    )
    values.end()
    return index


def _hold_stream(stream: Stream, catalog: Catalog) -> None:
    place = f"streams/{stream.name}.toml"
    contract = catalog.contracts.get((stream.contract, stream.version))
    if contract is None:
        raise ProfileError(f"{place}: there is no contract {stream.contract}/{stream.version}")
    for name in _TEMPLATE_FIELD.findall(stream.partition_key) or [""]:
        if not any(field.name == name and _is_key_part(field) for field in contract.struct.fields):
            raise ProfileError(f"{place}: partition_key must name required string fields of the contract")
    if stream.dead_letter is not None and stream.dead_letter not in catalog.streams:
        raise ProfileError(f"{place}: there is no stream {stream.dead_letter}")


def _hold_index(index: SearchIndex, catalog: Catalog) -> None:
    place = f"indices/{index.name}.toml"
    contract = catalog.contracts.get((index.contract, index.version))
    if contract is None:
        raise ProfileError(f"{place}: there is no contract {index.contract}/{index.version}")
    days = (field for field in contract.struct.fields if isinstance(field.type, Date) and field.required)
    if index.day_field not in {field.name for field in days}:
        raise ProfileError(f"{place}: day_field must name a required date of the contract")


def _is_key_part(field: Field) -> bool:
    return field.required and not field.nullable and isinstance(field.type, String)
