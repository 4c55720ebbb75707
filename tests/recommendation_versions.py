"""Versions of recommendations, small ones, written as the training writes them, and what the table holds of them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from services.kernel.adapters.dynamodb import DynamoDB, Key
from services.kernel.adapters.s3 import S3

PREFIX = "recommendations/v1/"
TRAINED_UNTIL = "2011-12-10T00:00:00.000Z"
RECIPE = {
    "you_may_like": "ease",
    "buy_again": "next_purchase",
    "also_bought": "cosine",
    "popular": "country_30d",
}
MEASURED = {
    "you_may_like": {"popularity_all": 0.04, "popularity_30d": 0.05, "als": 0.11, "ease": 0.12},
    "buy_again": {"popularity_30d": 0.1, "frequency": 0.3, "next_purchase": 0.35},
    "also_bought": {"popularity_all": 0.02, "co_occurrence": 0.1, "cosine": 0.15},
    "popular": {"popularity_all": 0.05, "popularity_30d": 0.06, "country_30d": 0.07},
}
Records = dict[str, bytes]
"""Bodies by subject."""


@dataclass
class MadeVersion:
    """A version: change what is to be wrong with it, then write it.

    Args:
        records: in any order.
        other: what the manifest says instead.
    """

    name: str
    records: Records
    recipe: dict[str, str] = field(default_factory=lambda: dict(RECIPE))
    measured: dict[str, dict[str, float]] = field(
        default_factory=lambda: {name: dict(methods) for name, methods in MEASURED.items()}
    )
    trained_until: str = TRAINED_UNTIL
    other: dict[str, Any] = field(default_factory=dict)
    files: int = 2

    @property
    def prefix(self) -> str:
        """Of its keys in S3."""
        return f"{PREFIX}{self.name}/"

    def names(self) -> list[str]:
        """Of its files, below the prefix."""
        return [f"lists/part-{number:05}.zstd.parquet" for number in range(self.files)]

    def rows(self) -> list[tuple[str, bytes]]:
        """Its records in order of subject."""
        return sorted(self.records.items())

    def parts(self) -> list[bytes]:
        """Its files' bytes."""
        rows = self.rows()
        size = -(-len(rows) // self.files)
        return [parquet_of(rows[at * size : (at + 1) * size]) for at in range(self.files)]

    def manifest(self) -> dict[str, Any]:
        """What the training writes last."""
        kinds = [subject.partition(":")[0] for subject in self.records]
        lists = {
            name: {
                "winner": self.recipe[name],
                "candidates": {method: {"ndcg": ndcg, "users": 100} for method, ndcg in methods.items()},
            }
            for name, methods in self.measured.items()
        }
        return {
            "version": self.name,
            "created_at": TRAINED_UNTIL,
            "trained_until": self.trained_until,
            "snapshots": {"sales.order_lines": 1, "sales.dim_product": 2},
            "seed": 1,
            "recipe": self.recipe,
            "parameters": {},
            "choice": {"cut": "2011-10-31", "end": "2011-12-10", "window_days": 40, "lists": lists},
            "subjects": {
                kind: kinds.count(kind) for kind in ("customer", "product", "country", "everywhere")
            },
            "digest": digest_of(self.rows()),
            "files": self.names(),
            "figures": {"seconds": {}, "events": 0},
            **self.other,
        }


def version_name(number: int) -> str:
    """Name of the version of a day."""
    return f"201112{10 + number:02}T000000Z-{number:08x}"


def article(code: str, **other: Any) -> dict[str, Any]:
    """An article of a list."""
    return {
        "stock_code": code,
        "description": f"TEXT OF {code} £",
        "score": 0.5,
        "times": None,
        "last_on": None,
        "because": None,
        "because_description": None,
        **other,
    }


def body(
    subject: str,
    country: str | None = None,
    description: str | None = None,
    **lists: Sequence[str | Mapping[str, Any]],
) -> bytes:
    """A record in JSON.

    Args:
        lists: by name, articles or their stock codes.
    """
    made = [
        {"name": name, "items": [article(one) if isinstance(one, str) else dict(one) for one in items]}
        for name, items in lists.items()
    ]
    record = {"subject": subject, "description": description, "country": country, "lists": made}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def small(mark: str = "A", customers: int = 40, products: int = 20) -> Records:
    """Records of a small shop with two countries.

    Args:
        mark: in every stock code, so that records of two versions are told apart: `<mark><number>`.
    """
    codes = [f"{mark}{number}" for number in range(10)]
    own = [article(code, times=3, last_on="2011-11-17") for code in codes[:3]]
    records = {}
    for number in range(customers):
        subject, country = f"customer:{12_346 + number}", "EIRE" if number % 3 else "United Kingdom"
        records[subject] = body(subject, country, you_may_like=codes[3:], buy_again=own)
    for number in range(products):
        subject = f"product:{mark}{number}"
        records[subject] = body(subject, None, f"TEXT {number}", also_bought=codes[:5])
    for subject in ("country:EIRE", "country:United Kingdom", "everywhere"):
        records[subject] = body(subject, popular=[article(code, times=9) for code in codes])
    return records


def made(number: int = 0, records: Records | None = None, **other: Any) -> MadeVersion:
    """The version of a day; by default a small one whose stock codes hold its number, as `<letter><number>`."""
    return MadeVersion(version_name(number), records or small(chr(ord("A") + number)), **other)


def parquet_of(rows: Sequence[tuple[str, bytes]]) -> bytes:
    """Records as one Parquet file."""
    sink = io.BytesIO()
    columns = pa.schema([("subject", pa.string()), ("body", pa.binary())])
    table = pa.Table.from_pydict({"subject": [s for s, _ in rows], "body": [b for _, b in rows]}, columns)
    parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def digest_of(rows: Sequence[tuple[str, bytes]]) -> str:
    """SHA-256 over subject, NUL, body, LF, in this order."""
    return hashlib.sha256(
        b"".join(subject.encode() + b"\0" + body + b"\n" for subject, body in rows)
    ).hexdigest()


async def write(s3: S3, bucket: str, version: MadeVersion, manifest: bool = True) -> None:
    """Write a version into S3.

    Args:
        manifest: whether its training came to its end.
    """
    for name, part in zip(version.names(), version.parts(), strict=True):
        await s3.put(bucket, f"{version.prefix}{name}", part)
    await s3.put(bucket, f"{version.prefix}lists/_SUCCESS", b"")
    await s3.put(bucket, f"{version.prefix}model.npz", b"weights")
    if manifest:
        text = json.dumps(version.manifest())
        await s3.put(bucket, f"{version.prefix}manifest.json", text.encode())


async def create_table(dynamodb: DynamoDB, table: str) -> None:
    """Make the table, as `contracts/tables/recommendations.toml` has it."""
    await dynamodb.create_table(table, Key("subject"), Key("version"))


async def put_items(dynamodb: DynamoDB, table: str, version: MadeVersion) -> None:
    """Put a version's items into the table, without bringing it into service."""
    items = [
        {"subject": {"S": subject}, "version": {"S": version.name}, "body": {"B": one}}
        for subject, one in version.rows()
    ]
    for at in range(0, len(items), 25):
        left, _ = await dynamodb.batch_write(table, items[at : at + 25])
        assert not left


async def point(
    dynamodb: DynamoDB,
    table: str,
    version: MadeVersion,
    generation: int = 1,
    previous: str | None = None,
    trained_until: str | None = None,
) -> None:
    """Bring a version into service, whatever is."""
    item: dict[str, Any] = {
        "subject": {"S": "current"},
        "version": {"S": "current"},
        "serving": {"S": version.name},
        "generation": {"N": str(generation)},
        "trained_until": {"S": trained_until or version.trained_until},
        "flipped_at": {"S": "2011-12-10T01:00:00.000Z"},
        "forced": {"BOOL": False},
    }
    if previous is not None:
        item["previous"] = {"S": previous}
    await dynamodb.put_item(table, item)
