"""The recommendations' Spark job: `python -m spark_jobs.recommendations train|evaluate`, see the README beside it."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from services.kernel.core import settings
from spark_jobs import exit_codes, runtime
from spark_jobs.java_errors import translated
from spark_jobs.objects import Objects
from spark_jobs.progress import Progress
from spark_jobs.recommendations import errors, events, on_spark, order_lines
from spark_jobs.recommendations.order_lines import OrderLines
from spark_jobs.recommendations.ranking.recipe import METHODS
from spark_jobs.recommendations.settings import RecommendationSettings
from spark_jobs.recommendations.train import train

# ALS takes half as long once the JVM's second compiler has been at it: an evaluation trains it dozens of times; a
# release mostly once, and is over before that is made up for.
_BOTH_COMPILERS = {"train": False, "evaluate": True}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spark_jobs.recommendations",
        description="Recommendations of what was ordered: a new version in S3, or what the methods are worth.",
        epilog="Exit codes: 0 done, 65 no usable order lines, 69 no bucket, 70 a bug, 75 try again, 78 misconfigured.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    text = (
        "choose the best method of each list, fit it, write a version; nobody sees it before it is published"
    )
    one = commands.add_parser("train", help=text, description=text)
    one.add_argument("--lines", metavar="FILE", help="Parquet of order lines to read instead of the lake")
    one.add_argument("--until", metavar="DAY", type=date.fromisoformat, help="first day that does not count")
    one.add_argument("--only", metavar="METHODS", type=_methods, help="methods that may compete, with commas")
    text = "rank at several cut-off dates, with what was known then, for whoever measures"
    other = commands.add_parser("evaluate", help=text, description=text)
    other.add_argument("--lines", metavar="FILE", help="Parquet of order lines to read instead of the lake")
    other.add_argument("--cutoffs", metavar="DAYS", type=_days, required=True, help="days, with commas")
    other.add_argument(
        "--folder", metavar="FOLDER", type=Path, required=True, help="what is found goes there"
    )
    for command in (one, other):
        command.add_argument("--json", action="store_true", help="print what was done as JSON on stdout")
    return parser


def _days(text: str) -> list[str]:
    return [date.fromisoformat(day).isoformat() for day in text.split(",")]


def _methods(text: str) -> set[str]:
    names = set(text.split(","))
    unknown = names - {method for methods in METHODS.values() for method in methods}
    if unknown:
        raise argparse.ArgumentTypeError(f"no such method: {', '.join(sorted(unknown))}")
    return names


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    try:
        result = _run(options, progress)
    except Exception as error:  # noqa: BLE001 - the one place where every way to fail becomes an exit code
        known = translated(error)
        if known is None:
            traceback.print_exc()
            return exit_codes.BUG
        print(f"{type(known).__name__}: {known}", file=sys.stderr)
        return errors.exit_code(known)
    if options.json:
        print(json.dumps(result))
    return 0


def _run(options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    found = settings.load(RecommendationSettings)
    commands: dict[str, Callable[..., dict[str, Any]]] = {"train": _train, "evaluate": _evaluate}
    with progress.phase("session"):
        name = f"recommendations {options.command}"
        spark = runtime.session(
            name, found, on_spark.OPTIONS, both_compilers=_BOTH_COMPILERS[options.command]
        )
    try:
        return commands[options.command](spark, found, options, progress)
    finally:
        spark.stop()


def _train(
    spark: SparkSession, found: RecommendationSettings, options: argparse.Namespace, progress: Progress
) -> dict[str, Any]:
    read = _read(spark, found, options)
    return train(read, found, Objects(found), progress, options.until, options.only)


def _evaluate(
    spark: SparkSession, found: RecommendationSettings, options: argparse.Namespace, progress: Progress
) -> dict[str, Any]:
    # Only here: nothing that makes a version depends on how methods are compared.
    from spark_jobs.recommendations.evaluation import run
    from spark_jobs.recommendations.trainers import trainers

    with progress.phase("read"):
        prepared = events.prepare(_read(spark, found, options), found.max_articles, events.tomorrow())
    lying = on_spark.OnSpark(prepared.histories)
    trained = trainers(lying, len(prepared.articles), found)
    blocks = on_spark.near(lying, prepared.customers, found.near_rows)
    baskets = on_spark.near(on_spark.OnSpark(prepared.baskets), prepared.orders, found.near_rows)
    return dict(
        run.run(blocks, baskets, prepared.articles, trained, options.cutoffs, options.folder, progress)
    )


def _read(spark: SparkSession, found: RecommendationSettings, options: argparse.Namespace) -> OrderLines:
    return (
        order_lines.from_file(spark, options.lines) if options.lines else order_lines.from_lake(spark, found)
    )


if __name__ == "__main__":
    sys.exit(main())
