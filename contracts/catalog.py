"""Reads every contract of this folder and every place of its records into one catalogue, or refuses it as a whole."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

from contracts import lakehouse, profile
from contracts.lakehouse import LakeTable, Landing, WarehouseTable
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
from contracts.values import Values

ROOT = Path(__file__).resolve().parent
OPERATOR = "operator"
"""The one reader that is a person: tools run by hand."""
_T = TypeVar("_T")
_TEMPLATE_FIELD = re.compile(r"\{([a-z0-9_]+)\}")


def party(application: str) -> str:
    """The service or job behind a consumer's name: all of it, or what stands before its hyphen.

    One that reads several streams is an application of its own in each, with leases of its own: `lake_writer` and
    `lake_writer-rejected`. No folder's name has a hyphen.
    """
    return application.partition("-")[0]


class Place(Protocol):
    """Where records of one contract flow or rest."""

    @property
    def contract(self) -> str:
        """The contract's name."""
        ...

    @property
    def version(self) -> int:
        """The contract's version."""
        ...


@dataclass(frozen=True)
class Catalog:
    """Everything that flows and rests.

    Args:
        contracts: by name and version.
        streams, tables, topics, indices, landings, lake_tables, warehouse_tables: by logical name, without the
            namespace of a deployment.
    """

    contracts: Mapping[tuple[str, int], Contract]
    streams: Mapping[str, Stream]
    tables: Mapping[str, Table]
    topics: Mapping[str, Topic] = field(default_factory=dict)
    indices: Mapping[str, SearchIndex] = field(default_factory=dict)
    landings: Mapping[str, Landing] = field(default_factory=dict)
    lake_tables: Mapping[str, LakeTable] = field(default_factory=dict)
    warehouse_tables: Mapping[str, WarehouseTable] = field(default_factory=dict)

    def contract_of(self, place: Place) -> Contract:
        """The contract of a place's records: a stream's, an index's, a landing's, a table's of lake or warehouse."""
        return self.contracts[place.contract, place.version]

    def parties(self) -> set[str]:
        """Every name that writes or reads one of these, or publishes to a topic, `operator` among them."""
        names: set[str] = set()
        for stream in self.streams.values():
            names.update(stream.producers, map(party, stream.consumers))
        for table in self.tables.values():
            names.update(table.writers, table.readers)
        resting: list[SearchIndex | Landing | LakeTable | WarehouseTable] = [
            *self.indices.values(),
            *self.landings.values(),
            *self.lake_tables.values(),
            *self.warehouse_tables.values(),
        ]
        for place in resting:
            names.update(place.writers, place.readers)
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
    catalog = Catalog(
        contracts,
        streams=_all(root / "streams", _stream),
        tables=_all(root / "tables", _table),
        topics=_all(root / "topics", _topic),
        indices=_all(root / "indices", _search_index),
        landings=_all(root / "landing", lakehouse.landing),
        lake_tables=_all(root / "lake", lakehouse.lake_table),
        warehouse_tables=_all(root / "warehouse", lakehouse.warehouse_table),
    )
    for stream in catalog.streams.values():
        _hold_stream(stream, catalog)
    for index in catalog.indices.values():
        _hold_index(index, catalog)
    for landing in catalog.landings.values():
        _contract_there(f"landing/{landing.name}.toml", landing, catalog)
    for table in catalog.lake_tables.values():
        _hold_columns(f"lake/{table.name}.toml", table, lakehouse.hold_lake_table, catalog)
    for stored in catalog.warehouse_tables.values():
        _hold_columns(f"warehouse/{stored.name}.toml", stored, lakehouse.hold_warehouse_table, catalog)
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


def _all(folder: Path, build: Callable[[str, Values], _T]) -> dict[str, _T]:
    return {path.name.removesuffix(".toml"): _read(path, build) for path in sorted(folder.glob("*.toml"))}


def _read(path: Path, build: Callable[[str, Values], _T]) -> _T:
    try:
        values = Values(tomllib.loads(path.read_text("utf-8")))
        built = build(path.name.removesuffix(".toml"), values)
        values.end()
    except (ValueError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"{path.parent.name}/{path.name}: {error}") from None
    return built


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
    contract = _contract_there(place, stream, catalog)
    for name in _TEMPLATE_FIELD.findall(stream.partition_key) or [""]:
        if not any(field.name == name and _is_key_part(field) for field in contract.struct.fields):
            raise ProfileError(f"{place}: partition_key must name required string fields of the contract")
    if stream.dead_letter is not None and stream.dead_letter not in catalog.streams:
        raise ProfileError(f"{place}: there is no stream {stream.dead_letter}")


def _hold_index(index: SearchIndex, catalog: Catalog) -> None:
    place = f"indices/{index.name}.toml"
    contract = _contract_there(place, index, catalog)
    days = (field for field in contract.struct.fields if isinstance(field.type, Date) and field.required)
    if index.day_field not in {field.name for field in days}:
        raise ProfileError(f"{place}: day_field must name a required date of the contract")


_P = TypeVar("_P", bound=Place)


def _hold_columns(file: str, place: _P, hold: Callable[[_P, Contract], None], catalog: Catalog) -> None:
    contract = _contract_there(file, place, catalog)
    try:
        hold(place, contract)
    except ProfileError as error:
        raise ProfileError(f"{file}: {error}") from None


def _contract_there(file: str, place: Place, catalog: Catalog) -> Contract:
    contract = catalog.contracts.get((place.contract, place.version))
    if contract is None:
        raise ProfileError(f"{file}: there is no contract {place.contract}/{place.version}")
    return contract


def _is_key_part(field: Field) -> bool:
    return field.always and isinstance(field.type, String)
