"""What may change within a version, and what may not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from contracts import catalog, profile
from contracts.compatibility import breaks

RELEASED = catalog.contract("order", 1)


@dataclass
class Fields:
    """The fields of a schema of `order/1`, to change in place."""

    order: Any
    line: Any


Change = Callable[[Fields], object]


def changed(change: Change) -> list[str]:
    """What a change of `order/1` breaks."""
    schema = copy.deepcopy(dict(RELEASED.schema))
    fields: Any = schema["properties"]
    change(Fields(fields, fields["lines"]["items"]["properties"]))
    return breaks(RELEASED, profile.contract("order", 1, schema))


ALLOWED: dict[str, Change] = {
    "nothing": lambda _: None,
    "a new optional field": lambda of: of.line.update(gift={"type": "boolean", "description": "A present."}),
    "other words": lambda of: of.order["country"].update(description="Where to."),
    "longer texts": lambda of: of.line["stock_code"].update(maxLength=65),
    "shorter texts": lambda of: of.line["stock_code"].update(minLength=0),
    "more lines": lambda of: of.order["lines"].update(maxItems=30_000),
    "one more enum value": lambda of: of.order["kind"].update(
        enum=["sale", "gift", "cancellation", "adjustment"]
    ),
    "no pattern": lambda of: of.order["country"].pop("pattern"),
}
REFUSED: dict[str, tuple[Change, str]] = {
    "removed": (lambda of: of.line.pop("description"), "/lines/-/description was removed"),
    "new and required": (lambda _: None, "/gift is new and required"),
    "type": (lambda of: of.line["quantity"].update(format="int64"), "its type from Int32 to Int64"),
    "decimal": (lambda of: of.line["unit_price"].update(scale=3), "precision or scale"),
    "narrower text": (lambda of: of.order["country"].update(maxLength=63), "allowed 1 to 64 characters, now 1 to 63"),
    "narrower number": (lambda of: of.line["quantity"].update(minimum=0), "allowed -2147483648 to"),
    "fewer lines": (lambda of: of.order["lines"].update(maxItems=10), "allowed 1 to 20000 items"),
    "pattern": (lambda of: of.order["country"].update(pattern="^[A-Z]$"), "/country changed its pattern"),
    "lost enum value": (lambda of: of.order["kind"].update(enum=["sale"]), "lost the enum values cancellation"),
    "an enum now": (
        lambda of: of.order.update(country={"type": "string", "enum": ["UK"], "description": "C."}),
        "/country is an enum now",
    ),
    "null now": (lambda of: of.order["country"].update(type=["string", "null"]), "could not be null before"),
    "never null": (lambda of: of.order["customer_id"].update(type="string"), "could be null before"),
    "unit": (lambda of: of.line["quantity"].update(unit="boxes"), "changed its unit from pieces to boxes"),
    "unique key": (lambda of: of.order["lines"].pop("uniqueKey"), "changed its uniqueKey"),
}  # fmt: skip


@pytest.mark.parametrize("case", ALLOWED)
def test_what_readers_can_live_with(case: str) -> None:
    """Wider is no break."""
    assert changed(ALLOWED[case]) == []


@pytest.mark.parametrize("case", REFUSED)
def test_what_breaks_readers_or_writers(case: str) -> None:
    """Each break is named with its place."""
    change, says = REFUSED[case]
    schema = copy.deepcopy(dict(RELEASED.schema))
    fields: Any = schema["properties"]
    items: Any = fields["lines"]["items"]
    change(Fields(fields, items["properties"]))
    if case == "removed":
        items["required"].remove("description")
    if case == "new and required":
        fields["gift"] = {"type": "boolean", "description": "A present."}
        schema["required"] = [*schema["required"], "gift"]  # type: ignore[misc]
    problems = breaks(RELEASED, profile.contract("order", 1, schema))
    assert any(says in problem for problem in problems), problems


def test_presence_cannot_change() -> None:
    """Neither may a field be left out from now on, nor must one be there that was optional."""
    schema = copy.deepcopy(dict(RELEASED.schema))
    required: Any = schema["required"]
    schema["required"] = [name for name in required if name != "kind"] + ["trace"]
    problems = breaks(RELEASED, profile.contract("order", 1, schema))
    assert problems == ["/kind was required and no longer is", "/trace was optional and no longer is"]
