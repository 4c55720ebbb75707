"""`python -m flink_jobs.order_rate_alarm run | train | backtest`.

`run` needs Flink and nothing of what the other commands import; they need the opposite.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given == ["run"]:
        from flink_jobs.order_rate_alarm import job

        job.main()
        return 0
    from flink_jobs.order_rate_alarm import commands

    return commands.main(given)


if __name__ == "__main__":
    sys.exit(main())
