"""What a command tells while it works."""

from __future__ import annotations

import pytest

from spark_jobs.progress import Progress


def test_phases_are_told_and_timed() -> None:
    told: list[str] = []
    times = iter([1.0, 3.5, 10.0, 10.25])
    progress = Progress(told.append, lambda: next(times))

    with progress.phase("read"):
        progress.say("7 lines")
    with progress.phase("read"):
        pass

    assert told == ["read ...", "7 lines", "read: 2.5 s", "read ...", "read: 0.2 s"]
    assert progress.phases_s == {"read": 2.75}


def test_a_phase_that_fails_is_timed_and_not_told_as_done() -> None:
    told: list[str] = []
    times = iter([1.0, 2.0])
    progress = Progress(told.append, lambda: next(times))

    with pytest.raises(ValueError, match="no"), progress.phase("merge"):
        raise ValueError("no")

    assert told == ["merge ..."]
    assert progress.phases_s == {"merge": 1.0}
