"""The backtest's command: passes over the shops, what is printed of them, and the files that are written."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flink_jobs.order_rate_alarm.backtest import goals
from flink_jobs.order_rate_alarm.backtest.curve import Level, Outcome, outcome, scaled
from flink_jobs.order_rate_alarm.backtest.injection import Injection, apply, plan
from flink_jobs.order_rate_alarm.backtest.picture import picture
from flink_jobs.order_rate_alarm.backtest.replay import Run, run
from flink_jobs.order_rate_alarm.backtest.shop import Shop, joined
from flink_jobs.order_rate_alarm.record import Record
from flink_jobs.order_rate_alarm.recorded import SHOP_CURRENCY, SHOP_TIME_ZONE, read
from flink_jobs.order_rate_alarm.rules import Rules

SENSITIVITIES = (4.0, 2.8, 2.0, 1.4, 1.2, 1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""So many times the probabilities of the default rules, of all alike."""
JOINED_WEEKS = 6
JOINED_MOST = 0.6
"""The larger shop is looked at from this sensitivity on: it has its one false alarm a week well below."""
YEAR_S = 60.0
Print = Callable[[str], None]


@dataclass
class Curve:
    """What one pass says of each sensitivity of one shop."""

    shop: Shop
    injections: list[Injection]
    exposure: goals.Exposure
    outcomes: list[Outcome]

    @property
    def chosen(self) -> Outcome:
        """The highest sensitivity with at most one false alarm a week; the lowest if there is none."""
        quiet = [each for each in self.outcomes if each.false_a_week() <= goals.FALSE_A_WEEK]
        return quiet[0] if quiet else self.outcomes[-1]


@dataclass(frozen=True)
class Options:
    """What the command was asked for."""

    orders: Path
    out: Path
    seed: int | None = None
    svg: Path | None = None
    as_json: bool = False


def backtest(options: Options, say: Print = print) -> dict[str, Any]:
    """Run it; writes the alarms, and the picture if it was asked for.

    Returns:
        all figures, as they are printed with `--json`.
    """
    began = time.monotonic()
    orders = read(options.orders)
    shop = Shop("recorded", orders, SHOP_TIME_ZONE, SHOP_CURRENCY)
    injections = [] if options.seed is None else plan(shop, options.seed)
    seen = orders if options.seed is None else apply(shop, injections, options.seed)
    default = run(shop, seen, Rules())
    write(options.out, default.records)
    if options.svg is not None:
        options.svg.write_text(picture(shop, seen, default.records, injections), encoding="utf-8")
    figures: dict[str, Any] = {
        "orders": len(orders),
        "seed": options.seed,
        "on_order_us": round(default.order_us, 1),
        "default_rules": _default(shop, default, injections),
    }
    if options.seed is not None:
        larger = joined(orders, JOINED_WEEKS, SHOP_TIME_ZONE)
        shops = (
            (shop, SENSITIVITIES[0]),
            (Shop(f"{JOINED_WEEKS} times the size", larger, SHOP_TIME_ZONE, SHOP_CURRENCY), JOINED_MOST),
        )
        figures["shops"] = [_curve_figures(curve(each, options.seed, most)) for each, most in shops]
    figures["seconds"] = round(time.monotonic() - began, 1)
    figures["goals"] = list(_goals(figures))
    _print(figures, say, options.as_json)
    return figures


def write(path: Path, records: Sequence[Record]) -> None:
    """Write one record of the contract a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8")


def curve(shop: Shop, seed: int, most: float) -> Curve:
    """Hide injections in a shop and look for them at the highest sensitivity, and so at all lower ones."""
    injections = plan(shop, seed)
    found = run(shop, apply(shop, injections, seed), scaled(Rules(), most)).found
    exposure = goals.exposure(shop, injections)
    levels = [Level(each, each / most) for each in SENSITIVITIES if each <= most]
    return Curve(
        shop, injections, exposure, [_outcome(found, level, injections, exposure) for level in levels]
    )


def _outcome(found: Any, level: Level, injections: list[Injection], exposure: goals.Exposure) -> Outcome:
    result = outcome(found, level, injections, Rules())
    result.weeks = exposure.weeks
    return result


def _default(shop: Shop, default: Run, injections: list[Injection]) -> dict[str, Any]:
    exposure = goals.exposure(shop, injections)
    result = _outcome(default.found, Level(1.0), injections, exposure)
    zero = goals.zero_drops(shop, injections, result)
    closed = sum(goals.in_closed_time(shop, each.found_ms) for each in result.first_found(default.found))
    return {
        "records": len(default.records),
        "false_a_week": round(result.false_a_week(), 2),
        "false_in_closed_time": closed,
        "zero_drops": zero.long_enough,
        "zero_drops_in_time": zero.in_time,
        "zero_drops_worst_min": round(zero.worst_min, 1),
    }


def _curve_figures(curve: Curve) -> dict[str, Any]:
    levels = []
    for each in curve.outcomes:
        recall = {kind: _recall(curve.injections, each, kind) for kind in ("surge", "drop")}
        levels.append({"times": each.level.times, "false_a_week": round(each.false_a_week(), 2), **recall})
    chosen = curve.chosen
    rows = goals.rows(curve.shop, curve.injections, chosen, curve.exposure.windows)
    return {
        "shop": curve.shop.name,
        "orders": len(curve.shop.orders),
        "injections": len(curve.injections),
        "curve": levels,
        "at_one_false_alarm_a_week": {
            "times": chosen.level.times,
            "false_a_week": round(chosen.false_a_week(), 2),
            "rows": [goals.document(row) for row in rows],
        },
    }


def _recall(injections: list[Injection], result: Outcome, kind: str) -> dict[str, float]:
    found: dict[str, list[bool]] = {}
    for injection, delay in zip(injections, result.delays_ms, strict=True):
        if injection.kind == kind:
            found.setdefault(injection.stratum, []).append(delay is not None)
    return {stratum: round(sum(each) / len(each), 2) for stratum, each in found.items()}


def _goals(figures: dict[str, Any]) -> Any:
    default = figures["default_rules"]
    yield "default rules: at most one false alarm a week", default["false_a_week"] <= goals.FALSE_A_WEEK
    yield "nothing on nights, Saturdays, holidays", default["false_in_closed_time"] == 0
    yield f"a year in at most {YEAR_S:.0f} s", figures["seconds"] <= YEAR_S
    if figures["seed"] is None:
        return
    in_time = default["zero_drops_in_time"] == default["zero_drops"]
    yield "drops to zero found in the time that makes them less likely than 1 in 10,000", in_time
    for shop in figures["shops"]:
        for row in shop["at_one_false_alarm_a_week"]["rows"]:
            if row["within_0.05_of_bound"] is not None:
                text = f"{shop['shop']}, {row['kind']}, {row['stratum']}: recall within 0.05 of the bound"
                yield text, row["within_0.05_of_bound"]


def _print(figures: dict[str, Any], say: Print, as_json: bool) -> None:
    if as_json:
        say(json.dumps(figures))
        return
    default = figures["default_rules"]
    say(
        f"{figures['orders']:,} orders in {figures['seconds']} s, on_order {figures['on_order_us']} us;"
        f" {default['records']} records, {default['false_a_week']} false alarms a week"
        f" (seed {figures['seed']})"
    )
    if figures["seed"] is not None:
        say(
            f"drops to zero: {default['zero_drops_in_time']} of {default['zero_drops']} found in time,"
            f" the worst {default['zero_drops_worst_min']} min late"
        )
    for shop in figures.get("shops", ()):
        _print_shop(shop, say)
    say("\ngoals")
    for text, reached in figures["goals"]:
        say(f"  {'ok    ' if reached else 'MISSED'} {text}")


def _print_shop(shop: dict[str, Any], say: Print) -> None:
    say(f"\nshop: {shop['shop']}, {shop['orders']:,} orders, {shop['injections']} injections")
    say("  times default  false/week  recall of surges and drops by expected orders in 10 minutes")
    for level in shop["curve"]:
        parts = (
            f"{kind} "
            + ", ".join(f"{stratum} {recall:.2f}" for stratum, recall in sorted(level[kind].items()))
            for kind in ("surge", "drop")
        )
        say(f"  {level['times']:>13g}  {level['false_a_week']:>10.2f}  {'; '.join(parts)}")
    chosen = shop["at_one_false_alarm_a_week"]
    say(
        f"  at {chosen['false_a_week']} false alarms a week ({chosen['times']:g} times the default probabilities):"
    )
    say("  kind   stratum   injections  recall  bound  delay (median)")
    for row in chosen["rows"]:
        delay = "-" if row["delay_min"] is None else f"{row['delay_min']:.0f} min"
        say(
            f"  {row['kind']:<6} {row['stratum']:<9} {row['injections']:>10}  {row['recall']:>6.2f}"
            f"  {row['bound']:>5.2f}  {delay:>8}"
        )
