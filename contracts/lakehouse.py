"""Where records rest for questions: landing objects in S3, Iceberg tables of the lake, tables of the warehouse."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.model import Array, Contract, Date, Field, Struct, Timestamp
from contracts.profile import ProfileError
from contracts.values import Values

HOURLY = "ingested_hour"
"""How landing objects are laid out: `<prefix>ingested_hour=2026-11-27T05/<object>`, by the hour of arrival in UTC."""
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,62}\.[a-z][a-z0-9_]{0,62}")
_TRANSFORM = re.compile(r"(years|months|days|hours)\(([a-z][a-z0-9_]*)\)")
_MAX_SORT_KEYS = 400
"""Source: Amazon Redshift takes at most 400 columns in a compound sort key."""


@dataclass(frozen=True)
class Landing:
    """Parquet objects of one record type, as they arrived: a record may be there more than once.

    Args:
        prefix: of every object's key: `landing/<name>/v<version>/`.
        partition: how keys go on: `HOURLY`.
        writers, readers: services, jobs, or `operator`.
    """

    name: str
    description: str
    contract: str
    version: int
    prefix: str
    partition: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True)
class LakeTable:
    """An Iceberg table and the records that are its rows.

    Args:
        name: `<namespace>.<table>`; a deployment puts its own prefix before the namespace.
        identity: required columns that no two rows share.
        partition: an Iceberg transform of one column, such as `months(ordered_at)`; None without partitions.
        sort: columns that a file's rows are sorted by.
        writers, readers: services, jobs, or `operator`.
    """

    name: str
    description: str
    contract: str
    version: int
    identity: tuple[str, ...]
    partition: str | None
    sort: tuple[str, ...]
    writers: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True)
class WarehouseTable:
    """A table of Amazon Redshift and the records that are its rows.

    Args:
        identity: required columns that no two rows share.
        dist_style: where rows lie: `all` (whole on every node), `even`, or `key` (by `dist_key`).
        sort_keys: columns that rows are stored in the order of.
        writers, readers: services, jobs, or `operator`.
    """

    name: str
    description: str
    contract: str
    version: int
    identity: tuple[str, ...]
    dist_style: str
    dist_key: str | None
    sort_keys: tuple[str, ...]
    writers: tuple[str, ...]
    readers: tuple[str, ...]


def landing(stem: str, values: Values) -> Landing:
    """Read one file of `landing/`.

    Raises:
        ProfileError: saying what is wrong.
    """
    name, version = values.text("name", stem), values.number("version", 1, 10_000)
    return Landing(
        name=name,
        description=values.text("description"),
        contract=values.text("contract"),
        version=version,
        prefix=values.text("prefix", f"landing/{name}/v{version}/"),
        partition=values.text("partition", HOURLY),
        writers=values.names("writers"),
        readers=values.names("readers"),
    )


def lake_table(stem: str, values: Values) -> LakeTable:
    """Read one file of `lake/`.

    Raises:
        ProfileError: saying what is wrong.
    """
    if not _TABLE.fullmatch(stem):
        raise ProfileError("the file's name must be <namespace>.<table>.toml")
    return LakeTable(
        name=values.text("name", stem),
        description=values.text("description"),
        contract=values.text("contract"),
        version=values.number("version", 1, 10_000),
        identity=values.names("identity"),
        partition=values.optional("partition"),
        sort=values.optional_names("sort"),
        writers=values.names("writers"),
        readers=values.names("readers"),
    )


def warehouse_table(stem: str, values: Values) -> WarehouseTable:
    """Read one file of `warehouse/`.

    Raises:
        ProfileError: saying what is wrong.
    """
    style = values.text("dist_style", "all", "even", "key")
    return WarehouseTable(
        name=values.text("name", stem),
        description=values.text("description"),
        contract=values.text("contract"),
        version=values.number("version", 1, 10_000),
        identity=values.names("identity"),
        dist_style=style,
        dist_key=values.text("dist_key") if style == "key" else None,
        sort_keys=values.optional_names("sort_keys"),
        writers=values.names("writers"),
        readers=values.names("readers"),
    )


def hold_lake_table(table: LakeTable, contract: Contract) -> None:
    """Refuse a table that names what its contract does not have.

    Raises:
        ProfileError: saying what is wrong.
    """
    _hold_identity(table.identity, contract)
    _hold_columns("sort", table.sort, contract)
    if table.partition is None:
        return
    match = _TRANSFORM.fullmatch(table.partition)
    column = match[2] if match else table.partition
    field = _always(contract).get(column)
    if field is None or bool(match) != isinstance(field.type, Date | Timestamp):
        raise ProfileError(
            "partition must be a required column, of a time years, months, days or hours(column)"
        )


def hold_warehouse_table(table: WarehouseTable, contract: Contract) -> None:
    """Refuse a table that names what its contract does not have, or holds what Redshift has no column for.

    Raises:
        ProfileError: saying what is wrong.
    """
    _hold_identity(table.identity, contract)
    _hold_columns("sort_keys", table.sort_keys, contract)
    _hold_columns("dist_key", [table.dist_key] if table.dist_key else [], contract)
    if len(table.sort_keys) > _MAX_SORT_KEYS:
        raise ProfileError(f"sort_keys are at most {_MAX_SORT_KEYS}")
    nested = [field.name for field in contract.struct.fields if isinstance(field.type, Array | Struct)]
    if nested:
        raise ProfileError(f"a column holds one value, and {', '.join(nested)} several")


def _hold_identity(identity: Iterable[str], contract: Contract) -> None:
    if not set(identity) <= _always(contract).keys():
        raise ProfileError("identity must name required columns of the contract that are never null")


def _hold_columns(key: str, names: Iterable[str], contract: Contract) -> None:
    if not set(names) <= {field.name for field in contract.struct.fields}:
        raise ProfileError(f"{key} must name columns of the contract")


def _always(contract: Contract) -> dict[str, Field]:
    return {field.name: field for field in contract.struct.fields if field.always}
