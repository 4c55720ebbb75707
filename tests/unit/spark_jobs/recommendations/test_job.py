"""What the job is told, and what it ends with."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.kernel.core import settings
from services.kernel.core.errors import (
    CadabraError,
    Misconfigured,
    MissingResource,
    Refused,
    Throttled,
    Unavailable,
)
from spark_jobs.recommendations.errors import Unfit, exit_code
from spark_jobs.recommendations.settings import RecommendationSettings
from spark_jobs.settings import SparkSettings

README = (Path(__file__).parents[4] / "spark_jobs/recommendations/README.md").read_text("utf-8")


def test_the_readmes_settings_are_the_jobs() -> None:
    every = {row["env"] for row in settings.describe(SparkSettings)}
    own = [
        line
        for line in settings.markdown(RecommendationSettings).splitlines()
        if not any(f"`{name}`" in line for name in every)
    ]

    assert len(own) == 2 + 5
    assert all(line in README for line in own)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unfit("no lines"), 65),
        (MissingResource("no bucket"), 69),
        (Refused("ours"), 70),
        (Unavailable("away"), 75),
        (Throttled("slower"), 75),
        (Misconfigured("wrong"), 78),
    ],
)
def test_every_way_to_fail_has_its_code(error: CadabraError, code: int) -> None:
    assert exit_code(error) == code
    assert str(code) in README


def test_more_articles_than_memory_bears_are_refused() -> None:
    with pytest.raises(Misconfigured, match="CADABRA_RECOMMENDATIONS_MAX_ARTICLES"):
        settings.load(RecommendationSettings, {"CADABRA_RECOMMENDATIONS_MAX_ARTICLES": "1000000"})
