"""The catalogue as a Markdown page: every contract, where its records flow and rest, and who writes and reads there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from contracts.catalog import OPERATOR, Catalog
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
        "# Catalogue of contracts, streams, tables, indices and topics",
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


def _flow_as_text(catalog: Catalog) -> Iterator[str]:
    rows = [
        (
            ", ".join(stream.producers),
            f"stream {stream.name} ({stream.contract}/{stream.version})",
            stream.consumers,
        )
        for stream in catalog.streams.values()
    ] + [
        (", ".join(table.writers), f"table {table.name}", table.readers) for table in catalog.tables.values()
    ]
    rows += [
        (", ".join(index.writers), f"index {index.name} ({index.contract}/{index.version})", index.readers)
        for index in catalog.indices.values()
    ]
    rows += [
        (", ".join(topic.publishers), f"topic {topic.name}", ("people",)) for topic in catalog.topics.values()
    ]
    left = max((len(row[0]) for row in rows), default=0)
    middle = max((len(row[1]) for row in rows), default=0)
    yield "```text"
    for writers, place, readers in rows:
        yield f"{writers:>{left}} --> {place:<{middle}} --> {', '.join(readers)}"
    yield "```"


def _flow_as_diagram(catalog: Catalog) -> Iterator[str]:
    yield "```mermaid"
    yield "flowchart LR"
    for party in sorted(catalog.parties()):
        yield f"  {party}([{party}])" if party == OPERATOR else f"  {party}[{party}]"
    for stream in catalog.streams.values():
        node = f"stream_{stream.name}".replace("-", "_")
        yield f'  {node}[/"{stream.name}: {stream.contract}/{stream.version}"/]'
        yield from _arrows(node, stream.producers, stream.consumers)
    for table in catalog.tables.values():
        node = f"table_{table.name}"
        yield f"  {node}[({table.name})]"
        yield from _arrows(node, table.writers, table.readers)
    for index in catalog.indices.values():
        node = f"index_{index.name}".replace("-", "_")
        yield f'  {node}[["{index.name}: {index.contract}/{index.version}"]]'
        yield from _arrows(node, index.writers, index.readers)
    for topic in catalog.topics.values():
        node = f"topic_{topic.name}".replace("-", "_")
        yield f"  {node}>{topic.name}]"
        yield from _arrows(node, topic.publishers, ())
    yield "```"


def _arrows(node: str, before: Iterable[str], after: Iterable[str]) -> Iterator[str]:
    yield from (f"  {party} --> {node}" for party in before)
    yield from (f"  {node} --> {party}" for party in after)


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
