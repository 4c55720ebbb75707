"""Reads documents of every stream with the columns that the contracts render, and writes them with the same ones.

Run by the Python that holds Flink: `load_columns.py <folder>`; the folder holds `<stream>/in/*.json`, one document a
line, and gets `<stream>/out/`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flink_jobs import properties, runtime, tables


def main(folder: Path) -> None:
    """Copy every stream's documents."""
    options = {"execution.runtime-mode": "BATCH", "pipeline.name": "columns"}
    _, session = runtime.environment(options, properties.cluster_options())
    statements = session.create_statement_set()
    for path in sorted(folder.iterdir()):
        stream = path.name
        for end in ("in", "out"):
            where = {"connector": "filesystem", "path": (path / end).as_uri(), "format": "json"}
            session.execute_sql(tables.create(f"{stream}-{end}", tables.columns(stream), where))
        statements.add_insert_sql(f"INSERT INTO `{stream}-out` SELECT * FROM `{stream}-in`")  # noqa: S608
    statements.execute().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
