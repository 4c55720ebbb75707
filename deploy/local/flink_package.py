"""The zip of a Flink job for Managed Service for Apache Flink: `make flink-package`.

```
main.py                        what the service starts
lib/<connector>.jar            the one jar
packages/contracts, flink_jobs our code, pure Python, with the schemas and columns that it reads
application_properties.json    an example of the property groups that the service is given
requirements.txt               nothing beyond what Flink's own Python brings
```
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from deploy.local import flink_cluster
from deploy.local.engines import engine, flink_parts
from deploy.local.flink_cluster import NotInPlace
from deploy.local.layout import ROOT, Layout

JOB = "order_rate_alarm"
_MAIN = """\
import sys
from pathlib import Path

PACKAGES = Path(__file__).resolve().parent / "packages"
sys.path.insert(0, str(PACKAGES))

if __name__ == "__main__":
    from flink_jobs.{job}.job import main

    main(PACKAGES)
"""
# What a job uses of Python beyond its standard library comes with Flink (tzdata, through pandas).
_REQUIREMENTS = "tzdata\n"
# One time for all: the same code gives the same bytes.
_MOMENT = (1980, 1, 1, 0, 0, 0)


def write(target: Path, job: str = JOB, connector: Path | None = None) -> Path:
    """Write the package of a job.

    Args:
        target: the zip; replaced if it is there.
        connector: jar of the Kinesis connector; None for the one that set-up brought.

    Raises:
        NotInPlace: Flink's own connector is not there; ours stands in on one machine only.
    """
    jar = connector or next(iter(flink_parts.jars(engine.ENGINES, flink_parts.CONNECTOR)), None)
    if jar is None:
        raise NotInPlace(
            f"it needs Flink's own Kinesis connector: run make setup with {flink_parts.CONNECTOR_VARIABLE}=<jar>"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, "main.py", _MAIN.format(job=job).encode())
        _put(archive, "requirements.txt", _REQUIREMENTS.encode())
        _put(archive, "application_properties.json", _example(job, jar.name).encode())
        _put(archive, f"lib/{jar.name}", jar.read_bytes())
        for path in sorted(_files(job)):
            _put(archive, f"packages/{path.relative_to(ROOT)}", path.read_bytes())
    return part.replace(target)


def _put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data, zipfile.ZIP_DEFLATED)


def _example(job: str, jar: str) -> str:
    groups = flink_cluster.groups(job, "us-east-1", "cadabra", connector=jar)
    rows = [{"PropertyGroupId": name, "PropertyMap": values} for name, values in groups.items()]
    return json.dumps(rows, indent=2) + "\n"


def _files(job: str) -> Iterator[Path]:
    """What the job imports of ours, and the documents that it reads: no command's code, nothing compiled."""
    yield from modules(f"flink_jobs.{job}.job")
    contracts = ROOT / "contracts"
    yield from (contracts / "schemas").glob("*/*.json")
    yield from (contracts / "generated" / "flink").glob("*.json")


def modules(name: str) -> set[Path]:
    """The files of a module and of every module of ours that it imports, packages included."""
    found: set[Path] = set()
    waiting = [name]
    while waiting:
        for path in _on_the_way(waiting.pop()) - found:
            found.add(path)
            waiting += _imported(path)
    return found


def _on_the_way(name: str) -> set[Path]:
    """The files that importing this dotted name runs; none where it is no module of ours."""
    parts = name.split(".")
    if parts[0] not in ("contracts", "flink_jobs"):
        return set()
    folders = [ROOT.joinpath(*parts[:end]) for end in range(1, len(parts) + 1)]
    found = [folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py") for folder in folders]
    return {path for path in found if path.is_file()}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def main(arguments: list[str] | None = None) -> int:
    """Write the package and say where it is; 1 with one line where a part is missing."""
    parser = argparse.ArgumentParser(prog="deploy.local.flink_package", description=main.__doc__)
    default = Layout.current().folder / f"{JOB}.zip"
    parser.add_argument("--out", type=Path, default=default, help=f"the zip (default: {default})")
    options = parser.parse_args(arguments)
    try:
        written = write(options.out)
    except NotInPlace as error:
        print(f"no package: {error}", file=sys.stderr)
        return 1
    print(f"{written} ({written.stat().st_size / 2**20:.1f} MiB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
