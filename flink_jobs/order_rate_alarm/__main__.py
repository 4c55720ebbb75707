"""`python -m flink_jobs.order_rate_alarm run`: the job, in the cluster that its surroundings give it."""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> int:
    """Carry out one command."""
    if arguments == ["run"]:
        from flink_jobs.order_rate_alarm import job

        job.main()
        return 0
    print("usage: python -m flink_jobs.order_rate_alarm run", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
