"""GetItem and Query as the service answers them: items out of its JSON, bytes out of base64."""

from __future__ import annotations

from binascii import Error, a2b_base64
from typing import Any

import msgspec
from botocore.parsers import ResponseParserError

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""A page of 1 MB of items, escaped at worst."""

Item = dict[str, Any]
answers = msgspec.json.Decoder(dict[str, Any])


def found(answer: Item) -> Item | None:
    """The item of an answer to GetItem; None where there is none.

    Raises:
        ResponseParserError: it is no item.
    """
    return item(answer.get("Item"))


def item(wire: Item | None) -> Item | None:
    """An item with its bytes; None where there is none.

    Raises:
        ResponseParserError: it is no item.
    """
    if wire is None:
        return None
    try:
        return {name: _value(value) for name, value in wire.items()}
    except (AttributeError, TypeError, ValueError, Error) as error:
        raise ResponseParserError("an answer whose item is none") from error


def items(wires: list[Item] | None) -> list[Item]:
    """The items of a page.

    Raises:
        ResponseParserError: one is none.
    """
    return [read for wire in wires or () if (read := item(wire)) is not None]


def _value(wire: dict[str, Any]) -> dict[str, Any]:
    ((kind, value),) = wire.items()
    match kind:
        case "B":
            return {kind: a2b_base64(value)}
        case "BS":
            return {kind: [a2b_base64(one) for one in value]}
        case "L":
            return {kind: [_value(one) for one in value]}
        case "M":
            return {kind: {name: _value(one) for name, one in value.items()}}
    return wire
