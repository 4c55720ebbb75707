"""The backtest on a slice of the recorded orders: injections, walk-forward, curve, bound, picture."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from contracts import validate
from flink_jobs.order_rate_alarm.__main__ import main
from flink_jobs.order_rate_alarm.backtest import bound, goals
from flink_jobs.order_rate_alarm.backtest.curve import Level, outcome, scaled
from flink_jobs.order_rate_alarm.backtest.injection import apply, plan
from flink_jobs.order_rate_alarm.backtest.picture import picture
from flink_jobs.order_rate_alarm.backtest.replay import run
from flink_jobs.order_rate_alarm.backtest.shop import Shop, joined
from flink_jobs.order_rate_alarm.baseline import Baseline
from flink_jobs.order_rate_alarm.distribution import CountLaw
from flink_jobs.order_rate_alarm.recorded import COLUMNS, RecordedOrder, WrongFile, read
from flink_jobs.order_rate_alarm.rules import Rules
from flink_jobs.order_rate_alarm.training import Trainer
from tests.unit.order_rate_alarm.scenes import CONTRACT, at, final, told

DATA = Path(__file__).resolve().parents[3] / "data" / "online_retail.csv.xz"
UNTIL = at("2011-02-20 00:00")


@pytest.fixture(scope="module")
def orders() -> list[RecordedOrder]:
    """The first twelve weeks of the recorded year."""
    return [order for order in read(DATA) if order.ordered_at_ms < UNTIL]


@pytest.fixture(scope="module")
def shop(orders: list[RecordedOrder]) -> Shop:
    return Shop("slice", orders, "Europe/London", "GBP")


def test_orders_are_read_as_they_were(orders: list[RecordedOrder]) -> None:
    first = orders[0]
    assert (first.order_id, first.ordered_at_ms) == ("536365", at("2010-12-01 08:26"))
    assert first.value == pytest.approx(139.12)
    assert {order.kind for order in orders} == {"sale", "cancellation"}
    assert all(a.ordered_at_ms <= b.ordered_at_ms for a, b in pairwise(orders))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "orders.csv"
    wrong.write_text("a,b\n")
    with pytest.raises(WrongFile):
        read(wrong)
    wrong.write_text(",".join(COLUMNS) + "\n1,A,x,many,2011-01-01 10:00:00,1.0,,UK\n")
    with pytest.raises(WrongFile, match="line 2"):
        read(wrong)
    assert main(["train", "--orders", str(wrong), "--out", str(tmp_path / "baseline.json")]) == 66


def test_a_baseline_knows_only_what_was_before_it(shop: Shop, orders: list[RecordedOrder]) -> None:
    since_ms, third = shop.baselines[2]
    before = Shop(
        "before", [order for order in orders if order.ordered_at_ms < since_ms], "Europe/London", "GBP"
    )
    assert since_ms == third.trained_until_ms
    assert Trainer(before.history).train(date(2011, 2, 9)).save() == third.save()
    assert shop.begin_ms == at("2011-01-26 00:00"), "8 weeks of warm-up"


def test_injections_follow_the_seed_and_keep_apart(shop: Shop) -> None:
    injections = plan(shop, 7)
    assert injections == plan(shop, 7) != plan(shop, 8)
    assert {each.kind for each in injections} == {"surge", "drop"}
    assert all(a.end_ms < b.start_ms for a, b in pairwise(injections))
    assert apply(shop, injections, 7) == apply(shop, injections, 7)


def test_an_injected_interval_holds_what_was_drawn(shop: Shop) -> None:
    injections = plan(shop, 7)
    seen = apply(shop, injections, 7)

    def count(many: list[RecordedOrder], start_ms: int, end_ms: int) -> int:
        return sum(start_ms <= order.ordered_at_ms < end_ms for order in many)

    for each in injections:
        before, after = (count(many, each.start_ms, each.end_ms) for many in (shop.orders, seen))
        assert after >= before if each.kind == "surge" else after <= before
        assert after == 0 if each.factor == 0 else True
    outside = len(seen) - sum(count(seen, each.start_ms, each.end_ms) for each in injections)
    assert outside == len(shop.orders) - sum(
        count(shop.orders, each.start_ms, each.end_ms) for each in injections
    )


def test_the_curve_says_of_a_sensitivity_what_the_detector_finds_at_it(shop: Shop) -> None:
    injections = plan(shop, 7)
    seen = apply(shop, injections, 7)
    loose, strict = scaled(Rules(), 6.0), scaled(Rules(), 0.5)
    by_curve = outcome(run(shop, seen, loose).found, Level(0.5, 0.5 / 6.0), injections, strict)
    itself = run(shop, seen, strict)
    by_itself = outcome(itself.found, Level(0.5), injections, strict)
    assert by_curve.delays_ms == by_itself.delays_ms
    assert by_curve.false == by_itself.false
    assert any(delay is not None for delay in by_curve.delays_ms)
    starts = {(each["rule"], each["key"], each["started_at"]) for each in final(itself.records).values()}
    assert len(starts) >= sum(delay is not None for delay in by_curve.delays_ms) // 2


def test_a_larger_shop_has_the_same_hours_and_days(orders: list[RecordedOrder]) -> None:
    larger = joined(orders, 3, "Europe/London")
    assert 2 * len(orders) < len(larger) < 3 * len(orders)
    assert len({order.order_id for order in larger}) == len(larger)
    shop = Shop("larger", larger, "Europe/London", "GBP")
    assert all(day % 7 != 6 for day in shop.history.days), "no Saturday"
    assert min(n for counts in shop.history.days.values() for n, c in enumerate(counts) if c) >= 6 * 6


def test_the_bound_is_the_tail_of_a_known_law() -> None:
    poisson = CountLaw(0.0, 0.0)
    size = poisson.at_least(8, 2.0)
    assert bound.power(2.0, poisson, 3.0, size) == pytest.approx(poisson.at_least(8, 6.0), abs=1e-6)
    assert bound.power(12.0, poisson, 0.0, poisson.at_most(0, 12.0)) == pytest.approx(1.0)
    assert bound.power(1.0, poisson, 0.0, 0.01) == pytest.approx(0.01 / poisson.mass(0, 1.0))
    assert bound.power(2.0, CountLaw(0.4, 0.05), 1.0001, 0.01) == pytest.approx(0.01, rel=0.01)
    windows = [bound.Seen(2.0, 4.0)] * 3
    one = bound.power(2.0, poisson, 4.0, 0.01)
    assert bound.recall(windows, poisson, 0.01) == pytest.approx(1 - (1 - one) ** 3)
    together = bound.recall(windows, CountLaw(0.2, 0.3), 0.01)
    apart = 1 - (1 - bound.power(2.0, CountLaw(0.2, 0.3), 4.0, 0.01)) ** 3
    assert together <= apart + 0.02


def test_closed_time_is_known(shop: Shop) -> None:
    assert goals.in_closed_time(shop, at("2011-02-05 12:00")), "a Saturday"
    assert goals.in_closed_time(shop, at("2011-02-08 23:00")), "a night"
    assert not goals.in_closed_time(shop, at("2011-02-08 12:00"))


def test_the_command_writes_contract_records_a_picture_and_figures(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "orders.csv"
    rows = [
        f"{order.order_id},1,x,1,{_wall_clock(order.ordered_at_ms)},{order.value:.2f},,{order.country}\n"
        for order in shop.orders
        if order.kind == "sale" and '"' not in order.country
    ]
    file.write_text(",".join(COLUMNS) + "\n" + "".join(rows))
    out, svg = tmp_path / "alarms.jsonl", tmp_path / "week.svg"
    assert main(["backtest", "--orders", str(file), "--out", str(out), "--svg", str(svg), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert figures["default_rules"]["records"] == len(records) > 0
    for line in out.read_bytes().splitlines():
        validate.check(CONTRACT, line)
    assert {resolution for _, _, _, resolution in told(records)} <= {None, "recovered", "merged"}
    assert ElementTree.fromstring(svg.read_text()).tag.endswith("svg")  # noqa: S314 - our own file
    baseline = tmp_path / "baseline.json"
    assert main(["train", "--orders", str(file), "--out", str(baseline), "--until", "2011-02-01"]) == 0
    assert Baseline.load(baseline.read_bytes()).version.startswith("2011-02-01.")


def test_a_picture_of_a_week_without_incidents_is_one_too(shop: Shop) -> None:
    drawn = picture(shop, shop.orders, [], [])
    assert ElementTree.fromstring(drawn) is not None  # noqa: S314 - our own file
    assert "NaN" not in drawn


def _wall_clock(moment_ms: int) -> str:
    """The slice is in winter: London's clock is UTC."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
