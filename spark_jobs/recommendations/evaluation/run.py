"""The part of an evaluation that needs the lake's engine: train, rank, and hand over to whoever measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spark_jobs.progress import Progress
from spark_jobs.recommendations.ranking.factors import TrainFactors
from spark_jobs.recommendations.ranking.histories import Articles, Blocks


def run(
    blocks: Blocks,
    baskets: Blocks,
    articles: Articles,
    factors: Mapping[str, TrainFactors],
    cuts: Sequence[str],
    folder: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Rank with everything that is at home here, at each cut-off, and write what the rest of the evaluation needs.

    Args:
        blocks: all customers, with all that they did, also after the cut-offs; what is trained never sees that.
        baskets: all orders, guests' included.
        factors: what trains ALS on purchases before a day and gives articles' factors: `ours` as `train` has it, `plain`
            by `plain_als.PLAIN`, `course` by `plain_als.COURSE`; an absent one is a method that is not measured.
        cuts: days as YYYY-MM-DD: what was ordered before is known, what was ordered from then on is asked for.
        folder: where a folder for each cut-off is written.

    Returns:
        by cut-off: seconds by phase, the recipe that was chosen, users and truth in numbers; JSON-able.
    """
    raise NotImplementedError
