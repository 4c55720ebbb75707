"""Ours as a process: `python -m bench.recommendations.ours FOLDER [--recipe JSON] [--records FILE]`.

Chooses, unless it is told what; fits; makes every record, block by block. Prints seconds and CPU seconds of each.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from bench.recommendations import shop
from spark_jobs.recommendations.ranking import pipeline
from spark_jobs.recommendations.ranking.recipe import Recipe


def main() -> int:
    """Print what it took as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.recommendations.ours", description=__doc__)
    parser.add_argument("folder", type=Path, help="a shop, as bench.recommendations.shop writes it")
    parser.add_argument("--recipe", type=json.loads, help="do not choose: the method of each list")
    parser.add_argument(
        "--records", type=Path, help="write the records, one a line; they are made in any case"
    )
    options = parser.parse_args()
    blocks = shop.InFiles(options.folder, "customers")
    orders = shop.InFiles(options.folder, "orders")
    articles, at = shop.articles(options.folder), shop.last_day(options.folder)
    took: dict[str, dict[str, float]] = {}
    recipe = Recipe(**options.recipe) if options.recipe else None
    if recipe is None:
        with _timed(took, "choose"):
            recipe = pipeline.choose(blocks, orders, articles, at, None, _say).recipe()
    with _timed(took, "fit"):
        model = pipeline.fit(blocks, orders, articles, at, recipe, None, _say)
    with _timed(took, "lists"):
        count, size = _records(model, blocks, options.records)
    print(json.dumps({"took": took, "recipe": recipe.as_json(), "records": count, "bytes": size}))
    return 0


def _records(model: pipeline.Model, blocks: shop.InFiles, path: Path | None) -> tuple[int, int]:
    """Every record as the release has it; how many, and their bytes."""
    count = size = 0
    with (path or Path("/dev/null")).open("w", encoding="utf-8") as file:
        others = (model.product_records(), model.country_records())
        for made in chain(blocks.map(model.records), others):  # a block's records are gone with it
            for record in made:
                text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
                size += len(text.encode())
                count += 1
                file.write(text + "\n")
    return count, size


@contextmanager
def _timed(took: dict[str, dict[str, float]], name: str) -> Iterator[None]:
    begun, used = time.monotonic(), time.process_time()
    yield
    took[name] = {"elapsed_s": time.monotonic() - begun, "cpu_s": time.process_time() - used}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
