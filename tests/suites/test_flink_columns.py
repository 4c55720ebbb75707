"""The rendered columns in the real Flink: every valid example of every contract goes in and comes out the same."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from contracts import catalog
from contracts.model import Array, Struct, Type
from contracts.validate import check
from deploy.local.flink_cluster import Cluster
from deploy.local.layout import ROOT

PROGRAM = ROOT / "tests" / "flink_programs" / "load_columns.py"


def documents(name: str, version: int) -> list[Any]:
    """The valid examples of a contract."""
    folder = catalog.ROOT / "examples" / name / str(version)
    contract = catalog.contract(name, version)
    return [check(contract, path.read_bytes()) for path in sorted(folder.glob("*.valid.json"))]


def known(type_: Type, value: Any) -> Any:
    """What the contract names of a document; what is absent is null."""
    if isinstance(type_, Struct) and value is not None:
        return {field.name: known(field.type, value.get(field.name)) for field in type_.fields}
    if isinstance(type_, Array) and value is not None:
        return [known(type_.items, item) for item in value]
    return value


def test_every_example_goes_in_and_comes_out_the_same(tmp_path: Path) -> None:
    whole = catalog.load()
    expected = {}
    for stream in whole.streams.values():
        struct = whole.contract_of(stream).struct
        given = documents(stream.contract, stream.version)
        expected[stream.name] = [known(struct, one) for one in given]
        source = tmp_path / "data" / stream.name / "in"
        source.mkdir(parents=True)
        (source / "part.json").write_text("".join(json.dumps(one) + "\n" for one in given))
    cluster = Cluster("columns", tmp_path / "flink")
    environment, _ = cluster.write({}, 10, None)

    result = subprocess.run(
        [cluster.environment / "bin" / "python", PROGRAM, tmp_path / "data"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    for name, wanted in expected.items():
        files = [path for path in (tmp_path / "data" / name / "out").rglob("*") if path.is_file()]
        found = [json.loads(line) for path in files for line in path.read_text().splitlines()]
        assert sorted(found, key=json.dumps) == sorted(wanted, key=json.dumps)
