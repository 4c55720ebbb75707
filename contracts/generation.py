"""Everything that is made from the catalogue: written by `render`, compared by `check`; and released snapshots."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from contracts import profile
from contracts.catalog import Catalog
from contracts.compatibility import breaks
from contracts.model import Contract
from contracts.profile import ProfileError
from contracts.render import docs, flink, glue, opensearch, redshift, spark

RENDERERS = (docs.pages, flink.render, glue.render, opensearch.render, redshift.render, spark.render)
RELEASED = "released"


def outputs(catalog: Catalog) -> Mapping[str, str]:
    """Make every generated file: its path below `generated/`, and its text."""
    return {path: text for render in RENDERERS for path, text in render(catalog).items()}


def write(catalog: Catalog, root: Path) -> list[str]:
    """Bring `generated/` up to date; what no renderer makes any more is removed.

    Returns:
        the paths below `generated/` that changed.
    """
    wanted = outputs(catalog)
    changed = list(stale(catalog, root))
    for name in changed:
        path = root / "generated" / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], "utf-8")
        else:
            path.unlink()
    return changed


def stale(catalog: Catalog, root: Path) -> Iterator[str]:
    """Name the files below `generated/` that are missing, different, or made by nothing."""
    wanted = outputs(catalog)
    folder = root / "generated"
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    there = {name: path for name, path in there.items() if not name.startswith(f"{RELEASED}/")}
    for name in sorted(wanted.keys() | there.keys()):
        if name not in there or name not in wanted or there[name].read_text("utf-8") != wanted[name]:
            yield name


def release(catalog: Catalog, root: Path) -> list[str]:
    """Keep each contract as it is now: from here on its version changes only compatibly.

    Returns:
        titles of the contracts whose snapshot is new or changed.

    Raises:
        ProfileError: an incompatible change; nothing was written.
    """
    problems = list(incompatible(catalog, root))
    if problems:
        raise ProfileError("; ".join(problems))
    changed = []
    for contract in catalog.contracts.values():
        path = _snapshot(contract, root)
        text = json.dumps(contract.schema, indent=2, ensure_ascii=False) + "\n"
        if not path.is_file() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            changed.append(contract.title)
    return changed


def incompatible(catalog: Catalog, root: Path) -> Iterator[str]:
    """Say what records of the released versions would no longer be read, or no longer be written."""
    for path in sorted((root / "generated" / RELEASED).glob("*/*.json")):
        name, version = path.parent.name, int(path.stem)
        current = catalog.contracts.get((name, version))
        if current is None:
            yield f"{name}/{version}: a released version was removed"
            continue
        released = profile.contract(name, version, json.loads(path.read_text("utf-8")))
        yield from (f"{current.title}: {problem}" for problem in breaks(released, current))


def _snapshot(contract: Contract, root: Path) -> Path:
    return root / "generated" / RELEASED / contract.name / f"{contract.version}.json"
