"""What may change within a version: what was valid stays valid, and what readers count on stays there.

Allowed: a new optional field, wider limits, more enum values, other words. Readers are released before writers.
"""

from __future__ import annotations

from collections.abc import Iterator

from contracts.model import Array, Contract, Decimal, Field, Int32, Int64, String, Struct, Type


def breaks(released: Contract, current: Contract) -> list[str]:
    """List every incompatible change, each with the JSON Pointer of the field (`/-` stands for an array's items)."""
    return list(_struct(released.struct, current.struct, ""))


def _struct(old: Struct, new: Struct, pointer: str) -> Iterator[str]:
    before = {field.name: field for field in old.fields}
    after = {field.name: field for field in new.fields}
    for name, field in before.items():
        place = f"{pointer}/{name}"
        if name not in after:
            yield f"{place} was removed"
        else:
            yield from _field(field, after[name], place)
    for name, field in after.items():
        if name not in before and field.required:
            yield f"{pointer}/{name} is new and required"


def _field(old: Field, new: Field, pointer: str) -> Iterator[str]:
    if old.required != new.required:
        yield f"{pointer} was {'required' if old.required else 'optional'} and no longer is"
    if old.nullable != new.nullable:
        yield f"{pointer} {'could not' if new.nullable else 'could'} be null before"
    if old.unit != new.unit:
        yield f"{pointer} changed its unit from {old.unit} to {new.unit}"
    yield from _type(old.type, new.type, pointer)


def _type(old: Type, new: Type, pointer: str) -> Iterator[str]:
    match old, new:
        case Struct(), Struct():
            yield from _struct(old, new, pointer)
        case Array(), Array():
            yield from _narrowed(
                pointer, "items", (old.min_items, old.max_items), (new.min_items, new.max_items)
            )
            if old.unique_key != new.unique_key:
                yield f"{pointer} changed its uniqueKey"
            yield from _type(old.items, new.items, f"{pointer}/-")
        case String(), String():
            yield from _string(old, new, pointer)
        case Int32(low, high), Int32(new_low, new_high):
            yield from _narrowed(pointer, "values", (low, high), (new_low, new_high))
        case Int64(low, high), Int64(new_low, new_high):
            yield from _narrowed(pointer, "values", (low, high), (new_low, new_high))
        case Decimal(), Decimal():
            if old != new:
                yield f"{pointer} changed its precision or scale"
        case _:
            if type(old) is not type(new):
                yield f"{pointer} changed its type from {type(old).__name__} to {type(new).__name__}"


def _string(old: String, new: String, pointer: str) -> Iterator[str]:
    if bool(old.enum) != bool(new.enum):
        yield f"{pointer} {'is an enum now' if new.enum else 'is no enum any more'}"
        return
    lost = [text for text in old.enum if text not in new.enum]
    if lost:
        yield f"{pointer} lost the enum values {', '.join(lost)}"
    if old.pattern != new.pattern and new.pattern is not None:
        # Whether one expression accepts all that another does cannot be told in general.
        yield f"{pointer} changed its pattern"
    if old.max_length is not None and new.max_length is not None:
        low_high = (new.min_length, new.max_length)
        yield from _narrowed(pointer, "characters", (old.min_length, old.max_length), low_high)


def _narrowed(pointer: str, what: str, old: tuple[int, int], new: tuple[int, int]) -> Iterator[str]:
    if new[0] > old[0] or new[1] < old[1]:
        yield f"{pointer} allowed {old[0]} to {old[1]} {what}, now {new[0]} to {new[1]}"
