"""`python -m contracts`: render, check and release the catalogue, and validate documents.

Exit codes: 0 all is well, 1 something was found, 2 the call or a file cannot be used.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from contracts import catalog, check, generation
from contracts.model import Contract
from contracts.validate import ContractViolation, Fault, faults, parse

OK, FOUND, UNUSABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Returns:
        the exit code.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (OSError, ValueError) as error:
        print(f"contracts: {error}", file=sys.stderr)
        return UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m contracts",
        description="Contracts: what a record is, where records flow and rest.",
        epilog="exit codes: 0 all is well, 1 something was found, 2 the call or a file cannot be used",
    )
    parser.add_argument(
        "--root", type=Path, default=catalog.ROOT, help="folder of contracts (default: this one)"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("render", _render, "write generated/ from the contracts"),
        ("check", _check, "fail on stale output, incompatible changes, wrong examples, unknown parties"),
        ("release", _release, "keep the contracts as they are: from here on they change compatibly"),
    ):
        commands.add_parser(name, help=text, description=text).set_defaults(run=run)
    text = "print every fault of documents against one contract"
    validate = commands.add_parser("validate", help=text, description=text)
    validate.add_argument("contract", metavar="NAME/VERSION", help="for example order/1")
    validate.add_argument(
        "files", metavar="FILE", nargs="*", help="documents; without one, or for -, standard input"
    )
    validate.add_argument("--lines", action="store_true", help="each line of a file is one document (NDJSON)")
    validate.add_argument("--json", action="store_true", help="one JSON line a document")
    validate.set_defaults(run=_validate)
    return parser


def _render(options: argparse.Namespace) -> int:
    for name in generation.write(catalog.load(options.root), options.root):
        print(f"generated/{name}")
    return OK


def _check(options: argparse.Namespace) -> int:
    loaded = catalog.load(options.root)
    found = list(check.problems(loaded, options.root, options.root.parent))
    for problem in found:
        print(f"contracts: {problem}", file=sys.stderr)
    if not found:
        counts = (
            f"{len(loaded.contracts)} contracts, {len(loaded.streams)} streams, {len(loaded.tables)} tables, "
            f"{len(loaded.indices)} indices, {len(loaded.topics)} topics, {len(loaded.landings)} landings, "
            f"{len(loaded.lake_tables)} lake tables, {len(loaded.warehouse_tables)} warehouse tables"
        )
        print(f"contracts: {counts}: all is well")
    return FOUND if found else OK


def _release(options: argparse.Namespace) -> int:
    loaded = catalog.load(options.root)
    broken = list(generation.incompatible(loaded, options.root))
    for problem in broken:
        print(f"contracts: {problem}", file=sys.stderr)
    if broken:
        return FOUND
    for title in generation.release(loaded, options.root):
        print(f"released {title}")
    return OK


def _validate(options: argparse.Namespace) -> int:
    name, _, version = options.contract.partition("/")
    loaded = catalog.load(options.root).contracts
    if not version.isdecimal() or (name, int(version)) not in loaded:
        known = ", ".join(contract.title for contract in loaded.values())
        raise ValueError(f"there is no contract {options.contract}; there are {known}")
    contract = loaded[name, int(version)]
    worst = OK
    for place, data in _documents(options.files or ["-"], options.lines):
        reason, message, details = _verdict(contract, data)
        if options.json:
            _print_json(place, reason, message, details)
        else:
            _print_text(place, contract, reason, message, details)
        worst = max(worst, FOUND if reason else OK)
    return worst


def _documents(files: Sequence[str], lines: bool) -> Iterator[tuple[str, bytes]]:
    for file in files:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        if not lines:
            yield file, data
            continue
        for number, line in enumerate(data.split(b"\n"), start=1):
            if line.strip():
                yield f"{file}:{number}", line


def _verdict(contract: Contract, data: bytes) -> tuple[str | None, str, list[Fault]]:
    try:
        found = faults(contract, parse(data))
    except ContractViolation as violation:
        return violation.reason, violation.message, []
    return ("contract_violation" if found else None), "", found


def _print_json(place: str, reason: str | None, message: str, details: Sequence[Fault]) -> None:
    listed = [{"pointer": fault.pointer, "reason": fault.reason} for fault in details]
    print(
        json.dumps(
            {"file": place, "valid": reason is None, "reason": reason, "message": message, "faults": listed}
        )
    )


def _print_text(
    place: str, contract: Contract, reason: str | None, message: str, details: Sequence[Fault]
) -> None:
    if reason is None:
        print(f"{place}: a valid {contract.title}")
    elif not details:
        print(f"{place}: {reason}: {message}")
    for fault in details:
        print(f"{place}: {fault.pointer or 'the whole document'}: {fault.reason}")


if __name__ == "__main__":
    sys.exit(main())
