"""The quick reader and the reference give the same verdict on everything."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import catalog, quick, validate
from contracts.validate import ContractViolation

CONTRACTS = sorted(catalog.load().contracts)
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    10**25,
    1.0,
    1e400,
    float("nan"),
    "",
    " ",
    "x" * 2000,
    "\ud800",
    "£\x00",
    "2011-02-30T00:00:00.000Z",
    "1e5",
    [],
    {},
    [[]],
    {"a": {"b": []}},
]


def examples(name: str, version: int) -> list[bytes]:
    return [
        path.read_bytes() for path in sorted((catalog.ROOT / "examples" / name / str(version)).glob("*.json"))
    ]


def verdict(read: Any, data: bytes) -> Any:
    try:
        return read(data)
    except ContractViolation as violation:
        return (violation.reason, violation.message, violation.details)


def strict(data: bytes) -> Any:
    """A parser as `quick.reader` may be given: it refuses more than ours, and says less of why."""
    value = json.loads(data.decode("utf-8"), parse_constant=_refuse)
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(constant)


PARSERS = pytest.mark.parametrize("parser", [None, strict], ids=["own", "strict"])


def same(name: str, version: int, data: bytes, read: Any) -> None:
    contract = catalog.contract(name, version)
    expected = verdict(lambda given: validate.check(contract, given), data)
    # Twice: what was remembered the first time must not change the verdict of the second.
    assert repr(verdict(read, data)) == repr(expected)
    assert repr(verdict(read, data)) == repr(expected)


@PARSERS
@pytest.mark.parametrize(("name", "version"), CONTRACTS)
def test_examples(name: str, version: int, parser: quick.Parser | None) -> None:
    read = quick.reader(catalog.contract(name, version), parser)
    for data in examples(name, version):
        same(name, version, data, read)


@PARSERS
@pytest.mark.parametrize(("name", "version"), CONTRACTS)
def test_documents_with_an_odd_value_somewhere(name: str, version: int, parser: quick.Parser | None) -> None:
    rng = random.Random(f"{name}/{version}")
    read = quick.reader(catalog.contract(name, version), parser)
    valid = [json.loads(data) for data in examples(name, version) if _is_json(data)]
    for _ in range(1500):
        document = copy.deepcopy(rng.choice(valid))
        _spoil(document, rng)
        same(
            name,
            version,
            json.dumps(document, ensure_ascii=rng.random() < 0.5).encode("utf-8", "replace"),
            read,
        )


@PARSERS
@pytest.mark.parametrize(("name", "version"), CONTRACTS)
def test_bytes_that_were_changed_anywhere(name: str, version: int, parser: quick.Parser | None) -> None:
    rng = random.Random(f"bytes {name}/{version}")
    read = quick.reader(catalog.contract(name, version), parser)
    for _ in range(1500):
        data = bytearray(rng.choice(examples(name, version)))
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.choice(b'\xff\x00\\"{}[]:,0159eENI-ut ')
        same(name, version, bytes(data), read)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_anything(data: bytes) -> None:
    same("order", 1, data, quick.reader(catalog.contract("order", 1)))


@PARSERS
@pytest.mark.parametrize("depth", [30, 31, 32, 33, 2000])
def test_deep_values_in_fields_that_nobody_names(depth: int, parser: quick.Parser | None) -> None:
    valid = next(data for data in examples("order", 1) if _is_json(data) and b'"lines"' in data)
    document = json.loads(valid)
    data = json.dumps(document)[:-1] + ', "unknown": ' + "[" * depth + "]" * depth + "}"
    same("order", 1, data.encode(), quick.reader(catalog.contract("order", 1), parser))


def _is_json(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


def _spoil(document: Any, rng: random.Random) -> None:
    """Put something odd into a random place, or take something out of it."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        entries = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for key, inner in entries:
            places.append((value, key))
            walk(inner)

    walk(document)
    for container, key in rng.sample(places, min(len(places), rng.randrange(0, 3))):
        if isinstance(container, dict) and rng.random() < 0.3:
            container.pop(key, None)
        elif isinstance(container, dict) and key in container:
            container[key] = rng.choice(ODD)
        elif isinstance(container, list) and rng.random() < 0.5:
            container.append(copy.deepcopy(container[0]))
