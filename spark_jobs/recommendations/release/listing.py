"""What there is: every version, its state, and what it reached at its choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from services.kernel.core.errors import MissingResource
from services.kernel.streams.printing import table as printed
from spark_jobs.recommendations.release.errors import Unfit
from spark_jobs.recommendations.release.manifest import EXPIRING, LISTS, MANIFEST, Manifest
from spark_jobs.recommendations.release.pointer import Pointer
from spark_jobs.recommendations.release.versions import Version, Versions

IN_SERVICE, PREVIOUS, WITHDRAWN, PUBLISHED, HALF, READY, TRAINING, EXPIRES = (
    "in service",
    "previous",
    "withdrawn",
    "published",
    "half published",
    "ready",
    "training",
    "expiring",
)


@dataclass(frozen=True)
class Listed:
    """One version.

    Args:
        subjects: number of records by kind; empty where there is no manifest, as are those that follow.
        recipe: method by list.
        ndcg: NDCG@10 of these methods by list.
        fault: why its manifest cannot be read.
    """

    version: str
    state: str
    trained_until: str | None
    subjects: Mapping[str, int]
    recipe: Mapping[str, str]
    ndcg: Mapping[str, float | None]
    fault: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return asdict(self)


async def listed(versions: Versions, serving: Pointer | None) -> list[Listed]:
    """Every version, the newest first."""
    found = []
    for one in reversed((await versions.all()).values()):
        manifest, fault = None, None
        if MANIFEST in one.documents:
            try:
                manifest = await versions.manifest(one.name)
            except (Unfit, MissingResource) as error:
                fault = str(error)
        found.append(_listed(one, state(one, serving), manifest, fault))
    return found


def state(version: Version, serving: Pointer | None) -> str:
    """The one word that says most about a version."""
    said = {
        IN_SERVICE: serving is not None and serving.serving == version.name,
        EXPIRES: EXPIRING in version.documents,
        TRAINING: MANIFEST not in version.documents,
        PREVIOUS: serving is not None and serving.previous == version.name,
        WITHDRAWN: serving is not None and version.name in serving.withdrawn,
        PUBLISHED: version.published,
        HALF: version.begun,
    }
    return next((word for word, holds in said.items() if holds), READY)


def lines(versions: Sequence[Listed]) -> list[str]:
    """A table for people."""
    titles = ["version", "state", "trained until", "customers", "products", *LISTS]
    rows = [
        [
            one.version,
            one.state,
            one.trained_until and one.trained_until[:10],
            one.subjects.get("customer"),
            one.subjects.get("product"),
            *(_reached(one, name) for name in LISTS),
        ]
        for one in versions
    ]
    return printed(titles, rows) if rows else ["no version yet"]


def _reached(one: Listed, name: str) -> str | None:
    ndcg = one.ndcg.get(name)
    return None if ndcg is None else f"{ndcg:.3f} {one.recipe[name]}"


def _listed(version: Version, state: str, manifest: Manifest | None, fault: str | None) -> Listed:
    if manifest is None:
        return Listed(version.name, state, None, {}, {}, {}, fault)
    ndcg = {name: manifest.ndcg(name) for name in LISTS}
    return Listed(version.name, state, manifest.trained_until, manifest.subjects, manifest.recipe, ndcg, None)
