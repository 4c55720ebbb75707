"""Commands of the alarm that need no Flink: learn a baseline, and run the detector over recorded orders.

python -m flink_jobs.order_rate_alarm train --orders FILE --out baseline.json [--until 2011-12-01]
python -m flink_jobs.order_rate_alarm backtest --orders FILE [--inject SEED] --out alarms.jsonl [--svg FILE]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from flink_jobs.order_rate_alarm.backtest.report import Options, backtest
from flink_jobs.order_rate_alarm.history import History
from flink_jobs.order_rate_alarm.recorded import SHOP_CURRENCY, SHOP_TIME_ZONE, WrongFile, read
from flink_jobs.order_rate_alarm.training import TooLittle, Trainer

MISUSED = 64
NO_INPUT = 66


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, or 66 if the file cannot be read or has too little in it.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.command == "train":
            return _train(options.orders, options.out, options.until, options.holidays)
        backtest(Options(options.orders, options.out, options.inject, options.svg, options.json))
    except (OSError, WrongFile, TooLittle) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return NO_INPUT
    return 0


def _train(orders: Path, out: Path, until: date | None, holidays: Path | None) -> int:
    history = History(SHOP_TIME_ZONE)
    newest_ms = 0
    for order in read(orders):
        newest_ms = max(newest_ms, order.ordered_at_ms)
        if order.kind == "sale":
            history.add(order.ordered_at_ms, order.country, order.value, SHOP_CURRENCY)
    newest = datetime.fromtimestamp(newest_ms / 1000, ZoneInfo(SHOP_TIME_ZONE)).date()
    trainer = Trainer(history)
    if holidays is not None:
        days = [
            date.fromisoformat(line.strip()) for line in holidays.read_text().splitlines() if line.strip()
        ]
        trainer = Trainer(history, lambda year: [day for day in days if day.year == year])
    baseline = trainer.train(until or newest + timedelta(1))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(baseline.save())
    print(f"{out}: baseline {baseline.version}, {len(baseline.keys) - 1} countries")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flink_jobs.order_rate_alarm", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser(
        "train",
        help="learn a baseline from recorded orders",
        description="Learn a baseline from a file with the data set's CSV columns, .xz too."
        " (From the lake it is to be learned once there is one.)",
    )
    train.add_argument("--orders", type=Path, required=True, help="the file")
    train.add_argument("--out", type=Path, required=True, help="where the baseline goes, JSON")
    train.add_argument(
        "--until", type=date.fromisoformat, help="learn from the local days before this one; all"
    )
    train.add_argument(
        "--holidays", type=Path, help="days on which the shop may be closed, one ISO date a line; England's"
    )
    test = commands.add_parser("backtest", help="run the detector over recorded orders at full speed")
    test.add_argument(
        "--orders", type=Path, required=True, help="a file with the data set's CSV columns, .xz too"
    )
    test.add_argument(
        "--inject", type=int, metavar="SEED", help="hide surges and drops in it, drawn by this seed"
    )
    test.add_argument(
        "--out", type=Path, required=True, help="where the alarms go, one contract record a line"
    )
    test.add_argument("--svg", type=Path, help="where a picture of a week goes")
    test.add_argument("--json", action="store_true", help="print the figures as one JSON document")
    return parser
