"""A web server that writes its log without a pause and has it rotated, by rename and by copy, in turn.

`python -m tests.fault.log_writer FOLDER LINES` prints how often it rotated.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import time
from pathlib import Path

from tests.component.shipper_path import line


def main(folder: Path, lines: int) -> dict[str, int]:
    """Writes so many numbered lines into access.log and other.log, some of them in two pieces."""
    rng = random.Random(lines)
    counts = {"renamed": 0, "copied": 0}
    number = 0
    while number < lines:
        name = rng.choice(["access.log", "other.log"])
        with (folder / name).open("ab", buffering=0) as file:
            for _ in range(min(rng.randrange(1, 60), lines - number)):
                text = line(number).encode()
                cut = rng.randrange(len(text))
                file.write(text[:cut])
                if rng.random() < 0.02:
                    time.sleep(0.01)  # the world's pace, not a test's wait: half a line can be seen
                file.write(text[cut:])
                number += 1
            if rng.random() < 0.1:
                _rotate(folder, name, counts)
        time.sleep(0.1)  # likewise: about 300 lines a second
    return counts


def _rotate(folder: Path, name: str, counts: dict[str, int]) -> None:
    number = sum(counts.values())
    if number % 2:
        shutil.copy(folder / name, folder / f"{name}.{number}")
        os.truncate(folder / name, 0)
        counts["copied"] += 1
    else:
        (folder / name).rename(folder / f"{name}.{number}")
        counts["renamed"] += 1


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
