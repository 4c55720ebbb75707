"""A new version: read, choose, fit, write. It is there once its manifest is, and not before."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from spark_jobs.objects import Objects
from spark_jobs.progress import Progress
from spark_jobs.recommendations import als, events, versions
from spark_jobs.recommendations.events import Prepared
from spark_jobs.recommendations.on_spark import OnSpark, near
from spark_jobs.recommendations.order_lines import OrderLines
from spark_jobs.recommendations.ranking.pipeline import Choice, choose, fit
from spark_jobs.recommendations.release.manifest import PREFIX
from spark_jobs.recommendations.settings import RecommendationSettings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def train(
    read: OrderLines,
    settings: RecommendationSettings,
    objects: Objects,
    progress: Progress,
    until: date | None = None,
    only: Collection[str] | None = None,
) -> dict[str, Any]:
    """Make a version of what was ordered before a day.

    Args:
        read: order lines and texts.
        until: the first day whose lines do not count; None for tomorrow.
        only: names of methods that may compete; None for all.

    Returns:
        what was made, for `--json`.

    Raises:
        Unfit: no line counts; there is no version.
        MissingResource: there is no bucket.
    """
    began = datetime.now(UTC)
    version = versions.Version(objects, settings.bucket, versions.name(began))
    with progress.phase("read"):
        objects.list(PREFIX + version.version)
        prepared = events.prepare(read, settings.max_articles, until or events.tomorrow())
    progress.say(
        f"{prepared.events} events of {prepared.customers} customers, {prepared.orders} orders, "
        f"{len(prepared.articles)} articles, before {_instant(prepared.at)[:10]}"
    )
    if prepared.after:
        progress.say(f"{prepared.after} orders of a later day are too few to count")
    lying = OnSpark(prepared.histories)
    factors = als.ItemFactors(
        lying, len(prepared.articles), settings.als_rank, settings.als_iterations, settings.seed
    )
    with progress.phase("blocks"):
        blocks = near(lying, prepared.customers, settings.near_rows)
        baskets = near(OnSpark(prepared.baskets), prepared.orders, settings.near_rows)
    with progress.phase("choose"):
        chosen = choose(blocks, baskets, prepared.articles, prepared.at, factors, progress.say, only)
    recipe = chosen.recipe()
    progress.say(", ".join(f"{name}: {method}" for name, method in recipe.as_json().items()))
    with progress.phase("fit"):
        model = fit(blocks, baskets, prepared.articles, prepared.at, recipe, factors, progress.say, chosen)
    with progress.phase("lists"):
        version.write_lists(lying, model)
    with progress.phase("model"):
        version.write_model(model.save())
    with progress.phase("read back"):
        told = version.read_back(lying)
    manifest = {
        **_manifest(version, began, read.snapshots, settings, prepared, chosen),
        "parameters": model.parameters(),
        "subjects": dict(told.subjects),
        "digest": told.digest,
        "figures": _figures(prepared, progress),
    }
    # What cannot be written down must fail before anybody could take the version for whole.
    json.dumps(manifest, allow_nan=False)
    with progress.phase("manifest"):
        version.finish(manifest)
    progress.say(f"{version.version} is there")
    kept = {name: manifest[name] for name in ("version", "digest", "subjects", "recipe", "choice")}
    return {**kept, "phases_s": progress.phases_s}


def _manifest(
    version: versions.Version,
    began: datetime,
    snapshots: Mapping[str, int],
    settings: RecommendationSettings,
    prepared: Prepared,
    chosen: Choice,
) -> dict[str, Any]:
    return {
        "version": version.version,
        "created_at": began.strftime("%Y-%m-%dT%H:%M:%S.") + f"{began.microsecond // 1000:03}Z",
        "trained_until": _instant(prepared.at),
        "snapshots": dict(snapshots),
        "seed": settings.seed,
        "recipe": chosen.recipe().as_json(),
        "choice": chosen.as_json(),
        "files": version.files(),
    }


def _figures(prepared: Prepared, progress: Progress) -> dict[str, Any]:
    return {
        "events": prepared.events,
        "customers": prepared.customers,
        "orders": prepared.orders,
        "articles": len(prepared.articles),
        "orders_after": prepared.after,
        "seconds": dict(progress.phases_s),
    }


def _instant(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
