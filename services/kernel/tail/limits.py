"""What may be followed, and what is counted on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TailLimits:
    """What is followed and within which bounds.

    Args:
        globs: absolute patterns.
        max_files: generations that are kept; past it new files wait.
        max_open_files: descriptors; past it files are closed that can be found again by their names.
        max_line_bytes: longer lines are given with so many of their first bytes.
        block_bytes: how much of one file is read before the next one has its turn.
        rotated_quiet_s: a renamed or deleted file that did not grow for so long is finished.
        copy_grace_s: how long a file that begins like another one waits for a truncation of that one.
        save_interval_s: how often positions are written.
    """

    globs: Sequence[str]
    max_files: int = 4096
    max_open_files: int = 512
    max_line_bytes: int = 32_768
    block_bytes: int = 65_536
    rotated_quiet_s: float = 5.0
    copy_grace_s: float = 10.0
    save_interval_s: float = 1.0


@dataclass(slots=True)
class TailCounts:
    """What happened since the start.

    Args:
        rotations: by kind: renamed, copied, truncated, deleted.
        lost_bytes: bytes that were seen and could not be read any more.
        lost_possible: files that were gone or truncated while nobody looked.
        save_failures: writes of the state that failed.
        file_errors: opens and reads that failed.
    """

    rotations: Counter[str] = field(default_factory=Counter)
    lost_bytes: int = 0
    lost_possible: int = 0
    save_failures: int = 0
    file_errors: int = 0
