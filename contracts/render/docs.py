"""The catalogue as a Markdown page: every contract, where its records flow and rest, and who writes and reads there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from contracts.catalog import OPERATOR, Catalog, Place, party
from contracts.lakehouse import LakeTable, Landing, WarehouseTable
from contracts.model import (
    Array,
    Contract,
    Decimal,
    Field,
    Index,
    Int32,
    Int64,
    KeyAttribute,
    SearchIndex,
    Stream,
    String,
    Struct,
    Table,
    Topic,
    Type,
)

PATH = "docs/catalogue.md"


def pages(catalog: Catalog) -> Mapping[str, str]:
    """The one page, by its path below `generated/`."""
    return {PATH: render(catalog)}


def render(catalog: Catalog) -> str:
    """Write the page."""
    lines = [
        "# Catalogue of contracts and the places of their records",
        "",
        "Generated from `contracts/` by `python -m contracts render`. Do not edit: `check` fails on a difference.",
        "",
        "## Flow",
        "",
        *_flow_as_text(catalog),
        "",
        "The same as a diagram:",
        "",
        *_flow_as_diagram(catalog),
        "",
        "## Streams",
        "",
        *[line for stream in catalog.streams.values() for line in _stream(stream)],
        "## Tables",
        "",
        *[line for table in catalog.tables.values() for line in _table(table)],
        "## Indices",
        "",
        *[line for index in catalog.indices.values() for line in _search_index(index)],
        "## Landing",
        "",
        *[line for landing in catalog.landings.values() for line in _landing(landing)],
        "## Lake",
        "",
        *[line for table in catalog.lake_tables.values() for line in _lake_table(table)],
        "## Warehouse",
        "",
        *[line for table in catalog.warehouse_tables.values() for line in _warehouse_table(table)],
        "## Topics",
        "",
        *[line for topic in catalog.topics.values() for line in _topic(topic)],
        "## Contracts",
        "",
        "`timestamp` is always `YYYY-MM-DDTHH:MM:SS.mmmZ`. `decimal(p,s)` is a string of at most p-s digits, a point",
        "and s digits, without exponent. Fields that a contract does not name are accepted and ignored.",
        "",
        *[line for contract in catalog.contracts.values() for line in _contract(contract)],
    ]
    return "\n".join(lines).rstrip() + "\n"


@dataclass(frozen=True)
class _Flow:
    """One place with those before and behind it; `shape` is how the diagram draws it."""

    kind: str
    name: str
    shape: tuple[str, str]
    before: tuple[str, ...]
    behind: tuple[str, ...]
    holds: str = ""

    @property
    def node(self) -> str:
        return f"{self.kind}_{self.name}".replace("-", "_").replace(" ", "_").replace(".", "_")


def _flows(catalog: Catalog) -> Iterator[_Flow]:
    for stream in catalog.streams.values():
        shape = ('[/"', '"/]')
        yield _Flow("stream", stream.name, shape, stream.producers, stream.consumers, _record(stream))
    for table in catalog.tables.values():
        yield _Flow("table", table.name, ("[(", ")]"), table.writers, table.readers)
    for index in catalog.indices.values():
        yield _Flow("index", index.name, ('[["', '"]]'), index.writers, index.readers, _record(index))
    for landing in catalog.landings.values():
        yield _Flow(
            "landing", landing.name, ('[("', '")]'), landing.writers, landing.readers, _record(landing)
        )
    for lake in catalog.lake_tables.values():
        yield _Flow("lake table", lake.name, ('[("', '")]'), lake.writers, lake.readers, _record(lake))
    for stored in catalog.warehouse_tables.values():
        yield _Flow(
            "warehouse table", stored.name, ('[("', '")]'), stored.writers, stored.readers, _record(stored)
        )
    for topic in catalog.topics.values():
        yield _Flow("topic", topic.name, (">", "]"), topic.publishers, ())


def _record(place: Place) -> str:
    return f"{place.contract}/{place.version}"


def _flow_as_text(catalog: Catalog) -> Iterator[str]:
    rows = [
        (
            ", ".join(flow.before),
            f"{flow.kind} {flow.name}" + (f" ({flow.holds})" if flow.holds else ""),
            ", ".join(flow.behind or ("people",)),
        )
        for flow in _flows(catalog)
    ]
    left = max((len(row[0]) for row in rows), default=0)
    middle = max((len(row[1]) for row in rows), default=0)
    yield "```text"
    for writers, place, readers in rows:
        yield f"{writers:>{left}} --> {place:<{middle}} --> {readers}"
    yield "```"


def _flow_as_diagram(catalog: Catalog) -> Iterator[str]:
    yield "```mermaid"
    yield "flowchart LR"
    for one in sorted(catalog.parties()):
        yield f"  {one}([{one}])" if one == OPERATOR else f"  {one}[{one}]"
    for flow in _flows(catalog):
        opened, closed = flow.shape
        yield f"  {flow.node}{opened}{flow.name}{f': {flow.holds}' if flow.holds else ''}{closed}"
        yield from (f"  {one} --> {flow.node}" for one in flow.before)
        yield from (f"  {flow.node} --> {party(one)}" for one in flow.behind)
    yield "```"


def _stream(stream: Stream) -> Iterator[str]:
    yield f"### {stream.name}"
    yield ""
    yield stream.description
    yield ""
    yield from _grid(
        ("what", "value"),
        [
            ("record", f"`{stream.contract}/{stream.version}`"),
            ("partition key", f"`{stream.partition_key}`"),
            ("kept", f"{stream.retention_hours} h"),
            ("planned peak of a shard", f"{stream.peak_write_bytes_per_s:,} bytes/s"),
            ("shards on one machine", str(stream.shards_local)),
            ("producers", _names(stream.producers)),
            ("consumers", _names(stream.consumers)),
            (
                "dead letters go to",
                f"`{stream.dead_letter}`" if stream.dead_letter else "nowhere: this is the end",
            ),
        ],
    )


def _table(table: Table) -> Iterator[str]:
    yield f"### {table.name}"
    yield ""
    yield table.description
    yield ""
    rows = [("key: hash", _key(table.hash)), *([("key: range", _key(table.range))] if table.range else [])]
    for index in table.indexes:
        rows += _index(index)
    rows += [
        ("billing", table.billing),
        ("writers", _names(table.writers)),
        ("readers", _names(table.readers)),
    ]
    yield from _grid(("what", "value"), rows)


def _search_index(index: SearchIndex) -> Iterator[str]:
    yield f"### {index.name}"
    yield ""
    yield index.description
    yield ""
    yield from _grid(
        ("what", "value"),
        [
            ("document", f"`{index.contract}/{index.version}`"),
            ("one index a day, by", f"`{index.day_field}`"),
            ("kept", f"{index.retention_days} days"),
            ("shards of a day", str(index.shards)),
            ("a document is found after", f"{index.refresh_interval_s} s"),
            ("writers", _names(index.writers)),
            ("readers", _names(index.readers)),
        ],
    )


def _landing(landing: Landing) -> Iterator[str]:
    yield f"### {landing.prefix}"
    yield ""
    yield landing.description
    yield ""
    yield from _grid(
        ("what", "value"),
        [
            ("row", f"`{_record(landing)}`"),
            ("keys go on with", f"`{landing.partition}=2026-11-27T05/`"),
            ("writers", _names(landing.writers)),
            ("readers", _names(landing.readers)),
        ],
    )


def _lake_table(table: LakeTable) -> Iterator[str]:
    yield f"### {table.name}"
    yield ""
    yield table.description
    yield ""
    yield from _grid(
        ("what", "value"),
        [
            ("row", f"`{_record(table)}`"),
            ("identity", _names(table.identity)),
            ("partition", f"`{table.partition}`" if table.partition else "none"),
            ("sorted by", _names(table.sort) or "nothing"),
            ("writers", _names(table.writers)),
            ("readers", _names(table.readers)),
        ],
    )


def _warehouse_table(table: WarehouseTable) -> Iterator[str]:
    yield f"### {table.name} (warehouse)"
    yield ""
    yield table.description
    yield ""
    yield from _grid(
        ("what", "value"),
        [
            ("row", f"`{_record(table)}`"),
            ("identity", _names(table.identity)),
            ("lies", f"{table.dist_style} `{table.dist_key}`" if table.dist_key else table.dist_style),
            ("sorted by", _names(table.sort_keys) or "nothing"),
            ("writers", _names(table.writers)),
            ("readers", _names(table.readers)),
        ],
    )


def _topic(topic: Topic) -> Iterator[str]:
    yield f"### {topic.name}"
    yield ""
    yield topic.description
    yield ""
    yield from _grid(("what", "value"), [("publishers", _names(topic.publishers))])


def _index(index: Index) -> Iterator[tuple[str, str]]:
    name = f"index `{index.name}` ({index.projection})"
    yield f"{name}: hash", _key(index.hash)
    if index.range:
        yield f"{name}: range", _key(index.range)


def _key(key: KeyAttribute) -> str:
    return f"`{key.name}` ({key.type}): {key.description}"


def _contract(contract: Contract) -> Iterator[str]:
    yield f"### {contract.title}"
    yield ""
    yield contract.description
    yield ""
    rows = [_field(path, field) for path, field in fields(contract.struct)]
    yield from _grid(("field", "type", "may be", "unit", "limits", "meaning"), rows)


def fields(struct: Struct, prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Walk all fields depth first, each with its path; `[]` stands for an array's items."""
    for field in struct.fields:
        path = f"{prefix}{field.name}"
        yield path, field
        inner = field.type
        while isinstance(inner, Array):
            path, inner = f"{path}[]", inner.items
        if isinstance(inner, Struct):
            yield from fields(inner, f"{path}.")


def _field(path: str, field: Field) -> tuple[str, ...]:
    presence = " or ".join(["absent"] * (not field.required) + ["null"] * field.nullable)
    return f"`{path}`", _type(field.type), presence, field.unit or "", _limits(field.type), field.description


def _type(type_: Type) -> str:
    if isinstance(type_, Array):
        return f"array of {_type(type_.items)}"
    if isinstance(type_, Decimal):
        return f"decimal({type_.precision},{type_.scale})"
    return type(type_).__name__.lower()


def _limits(type_: Type) -> str:
    match type_:
        case String(enum=enum) if enum:
            return ", ".join(f"`{text}`" for text in enum)
        case String(min_length=low, max_length=high, pattern=pattern):
            size = f"{high} characters" if low == high else f"{low} to {high} characters"
            return size + (f", `{pattern}`" if pattern else "")
        case Array(min_items=low, max_items=high, unique_key=key):
            return f"{low} to {high} items" + (f", `{key}` unique" if key else "")
        case Int32() | Int64():
            whole = type(type_)()
            minimum = [f"at least {type_.minimum}"] * (type_.minimum > whole.minimum)
            maximum = [f"at most {type_.maximum}"] * (type_.maximum < whole.maximum)
            return ", ".join(minimum + maximum)
    return ""


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _grid(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""
