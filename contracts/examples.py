"""Examples named by verdict: `<case>.valid.json` is a record, `<case>.invalid.json` says what is wrong with one.

An invalid example is `{"expect": [{"pointer", "reason"}, ...], "record": ...}` with the codes of every fault in
document order; or, for what is no JSON at all, `{"expect": "invalid_json", "text": "..."}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.catalog import Catalog
from contracts.model import Contract
from contracts.validate import ContractViolation, check

Expected = str | list[tuple[str, str]] | None
"""None: valid; a text: that reason for the whole; a list: pointer and code of every fault."""


@dataclass(frozen=True)
class Example:
    """One document and its verdict."""

    path: Path
    data: bytes
    expected: Expected


def load(contract: Contract, root: Path) -> list[Example]:
    """Read a contract's examples, by name.

    Raises:
        ValueError: a file is neither kind, or not in the form above.
    """
    folder = root / "examples" / contract.name / str(contract.version)
    return [_example(path) for path in sorted(folder.iterdir())] if folder.is_dir() else []


def verdict(contract: Contract, data: bytes) -> Expected:
    """Give the reference's verdict in the form of an example's expectation."""
    try:
        check(contract, data)
    except ContractViolation as violation:
        return [(fault.pointer, fault.code) for fault in violation.details] or violation.reason
    return None


def problems(catalog: Catalog, root: Path) -> Iterator[str]:
    """Say which examples get another verdict than their name, and which contracts lack examples."""
    for contract in catalog.contracts.values():
        examples = load(contract, root)
        for verdict_name, count in (
            ("valid", sum(example.expected is None for example in examples)),
            ("invalid", sum(example.expected is not None for example in examples)),
        ):
            if not count:
                yield f"{contract.title}: no {verdict_name} example"
        for example in examples:
            found = verdict(contract, example.data)
            if found != example.expected:
                yield f"{contract.title}: {example.path.name} expects {example.expected}, found {found}"


def _example(path: Path) -> Example:
    data = path.read_bytes()
    if path.name.endswith(".valid.json"):
        return Example(path, data, None)
    if not path.name.endswith(".invalid.json"):
        raise ValueError(f"{path}: an example ends in .valid.json or .invalid.json")
    case: Any = json.loads(data)
    match case:
        case {"expect": str(reason), "text": str(text), **rest} if not rest:
            return Example(path, text.encode(), reason)
        case {"expect": [*faults], "record": record, **rest} if not rest:
            return Example(path, json.dumps(record).encode(), [(f["pointer"], f["reason"]) for f in faults])
    raise ValueError(f"{path}: an invalid example is {{expect, record}} or {{expect, text}}")
