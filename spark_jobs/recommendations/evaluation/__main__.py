"""Measure what was handed over and say it: `python -m spark_jobs.recommendations.evaluation FOLDER`. Needs no Spark.

FOLDER holds a folder for each cut-off, as the Spark part and the peers have filled it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spark_jobs.recommendations.evaluation import findings, table
from spark_jobs.recommendations.evaluation.judging import judge
from spark_jobs.recommendations.evaluation.page import page

PEERS, TOOK = "peers.json", "took.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m spark_jobs.recommendations.evaluation", description=__doc__
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--page", type=Path, help="write the report as one HTML file")
    parser.add_argument("--json", action="store_true", help="print everything as one JSON document")
    options = parser.parse_args(arguments)
    chosen, took = _read(options.folder / PEERS), _read(options.folder / TOOK)
    days = sorted(path.parent.name for path in options.folder.glob("*/facts.json"))
    cuts = [judge(options.folder / day, peers_words(chosen.get(day, {}))) for day in days]
    judged = findings.verdicts(cuts)
    if options.page:
        made_on = datetime.now(UTC).date().isoformat()
        options.page.write_text(page(made_on, cuts, judged, took), encoding="utf-8")
    if options.json:
        print(json.dumps(findings.as_json(cuts, judged, {"took": took})))
    else:
        print("\n".join([*table.rows(cuts), *table.steps(took), "", *table.told(judged)]))
    return 0 if all(one.met for one in judged) else 1


def peers_words(chosen: Mapping[str, Any]) -> dict[str, str]:
    """What each peer's grid picked, as a sentence."""
    return {method: _sentence(found) for method, found in chosen.items()}


def _sentence(found: Mapping[str, Any]) -> str:
    ways = "; ".join(f"{split.upper()} {_settings(found[split])}" for split in ("all", "new"))
    return f"best of {found['grid']} on the validation window: {ways}"


def _settings(best: Mapping[str, Any]) -> str:
    own = {name: value for name, value in best["settings"].items() if name != "method" and value is not None}
    words = [f"{name} {value}" for name, value in own.items()]
    return ", ".join([*words, f"trend^{best['exponent']:g}", best["way"].replace("_", " ")])


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


if __name__ == "__main__":
    sys.exit(main())
