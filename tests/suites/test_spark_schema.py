"""The rendered schemas and columns in Spark and Iceberg: every valid example goes in and comes out the same."""

from __future__ import annotations

import json
from decimal import Decimal as Number
from pathlib import Path
from typing import Any

from contracts import catalog
from contracts.model import Array, Decimal, Struct, Type
from contracts.validate import check
from tests import spark


def documents(title: str) -> list[Any]:
    """The valid examples of a contract."""
    name, _, version = title.partition("/")
    contract = catalog.contract(name, int(version))
    folder = catalog.ROOT / "examples" / title
    return [
        stored(contract.struct, check(contract, p.read_bytes())) for p in sorted(folder.glob("*.valid.json"))
    ]


def stored(type_: Type, value: Any) -> Any:
    """What the contract names of a document, as a column holds it: what is absent is null, a decimal has its scale."""
    match type_:
        case Struct(fields=fields) if value is not None:
            return {field.name: stored(field.type, value.get(field.name)) for field in fields}
        case Array(items=items) if value is not None:
            return [stored(items, item) for item in value]
        case Decimal(scale=scale) if value is not None:
            return str(Number(value).quantize(Number(1).scaleb(-scale)))
    return value


def in_order(rows: list[Any]) -> list[str]:
    """The rows as texts, in an order of their own."""
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


async def test_every_example_goes_in_and_comes_out_the_same(
    aws_endpoint: str, namespace: str, tmp_path: Path
) -> None:
    whole = catalog.load()
    places: list[catalog.Place] = [*whole.landings.values(), *whole.lake_tables.values()]
    resting = {whole.contract_of(place).title for place in places}
    given = {title: documents(title) for title in resting}
    for title, examples in given.items():
        path = tmp_path / f"{title}.json"
        path.parent.mkdir()
        path.write_text("".join(json.dumps(one) + "\n" for one in examples), encoding="utf-8")

    result = await spark.run("load_schemas.py", aws_endpoint, namespace, tmp_path)

    assert result["parquet"].keys() == given.keys()
    for title, rows in result["parquet"].items():
        assert in_order(rows) == in_order(given[title]), title
    assert result["tables"].keys() == whole.lake_tables.keys()
    for name, rows in result["tables"].items():
        assert in_order(rows) == in_order(given[whole.contract_of(whole.lake_tables[name]).title]), name
        registered = await spark.glue_table(aws_endpoint, *place(name, namespace))
        wanted = json.loads((catalog.ROOT / f"generated/glue/{name}.json").read_text(encoding="utf-8"))
        # What is rendered for Glue is what Iceberg registers there by itself.
        assert columns(registered) == columns(wanted), name


def place(table: str, namespace: str) -> tuple[str, str]:
    """Database and name of a lake table in Glue."""
    logical, _, name = table.partition(".")
    return f"{namespace}_{logical}".replace("-", "_"), name


def columns(table: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, type and comment of each column."""
    return [(one["Name"], one["Type"], one["Comment"]) for one in table["StorageDescriptor"]["Columns"]]
