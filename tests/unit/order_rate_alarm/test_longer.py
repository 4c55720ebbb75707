"""The second look at surges, in a longer window: what it finds, and that it is one incident with the first."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from flink_jobs.order_rate_alarm.detector import OrderSeen
from flink_jobs.order_rate_alarm.distribution import CountLaw
from flink_jobs.order_rate_alarm.record import Record
from flink_jobs.order_rate_alarm.rules import Rules
from tests.unit.order_rate_alarm.scenes import (
    HOUR,
    LAW,
    MINUTE,
    NOON,
    UK,
    Stream,
    at,
    baseline,
    burst,
    order,
    steady,
)

RULES = Rules(threshold_count=0)
USUAL = steady(NOON - 2 * HOUR, NOON, 5 * MINUTE)
SLOW = [order(NOON + n * 75_000 + 7, f"slow-{n}") for n in range(32)]
"""Four times the usual rate, for 40 minutes: in no ten minutes it is odd."""
AFTER = steady(NOON + 40 * MINUTE, NOON + 2 * HOUR, 5 * MINUTE)


def fed(orders: list[OrderSeen], rules: Rules = RULES) -> Stream:
    stream = Stream(rules, baseline(2.0))
    stream.orders(orders)
    stream.clock(NOON + 3 * HOUR)
    return stream


def surges(stream: Stream) -> list[Record]:
    return [each for each in stream.final().values() if each["direction"] == "surge"]


def test_a_surge_that_no_ten_minutes_show_is_found_in_thirty() -> None:
    stream = fed(USUAL + SLOW + AFTER)
    (only,) = surges(stream)
    assert (only["rule"], only["key"], only["resolution"]) == ("learned", "total", "recovered")
    first = next(each for each in stream.records if each["direction"] == "surge")
    start, end, began = (at(first[name][:-1]) for name in ("window_start", "window_end", "started_at"))
    assert (end - start, end - began) == (30 * MINUTE, 10 * MINUTE)
    assert first["observed"] > first["expected_high"] > first["expected"] == pytest.approx(6)
    assert first["probability"] <= RULES.surge_window_probability
    assert end < at(first["detected_at"][:-1]) <= end + MINUTE, "once its end and the grace have passed"
    assert NOON < began < NOON + 40 * MINUTE
    assert only["observed"] <= only["expected_high"], "the window that ends it is a usual one again"


@pytest.mark.parametrize(
    "off", [replace(RULES, surge_window_s=0), replace(RULES, surge_window_probability=0.0)]
)
def test_it_is_off_where_it_is_asked_to_be(off: Rules) -> None:
    assert surges(fed(USUAL + SLOW + AFTER, off)) == []


def test_a_surge_that_both_find_keeps_its_identity() -> None:
    stream = fed(USUAL + burst(NOON, 60, 10_000) + AFTER)
    said = [each for each in stream.records if each["direction"] == "surge"]
    assert len({each["incident_id"] for each in said}) == 1
    assert said[0]["state"] == "firing"
    assert at(said[0]["detected_at"][:-1]) < NOON + 3 * MINUTE, "the shorter window finds it, at once"
    assert "merged" not in {each["resolution"] for each in said}


def test_what_the_longer_window_finds_first_keeps_its_identity_when_the_shorter_follows() -> None:
    stream = fed(USUAL + SLOW + burst(NOON + 40 * MINUTE, 30, 10_000) + AFTER)
    said = [each for each in stream.records if each["direction"] == "surge"]
    assert at(said[0]["window_end"][:-1]) < NOON + 40 * MINUTE
    assert len({each["incident_id"] for each in said}) == 1
    assert [each["severity"] for each in said if each["state"] == "firing"] == ["warning", "critical"]
    assert said[1]["probability"] <= RULES.critical_probability, "it tells of the odder of the two windows"
    ranks = [each["rank"] for each in said]
    assert ranks == sorted(set(ranks))


@pytest.mark.parametrize("seed", range(12))
def test_any_arrival_and_any_restore_end_in_the_same_surges(seed: int) -> None:
    """A third comes late, by up to 50 minutes; the detector is killed at three places."""
    chance = random.Random(seed)
    orders = USUAL + SLOW + burst(NOON + 50 * MINUTE, 12, 20_000) + AFTER
    expected = fed(sorted(orders, key=lambda seen: seen.ordered_at_ms))
    arrivals = sorted(
        (seen.ordered_at_ms + (chance.random() < 1 / 3) * chance.randrange(50 * MINUTE), seen.order_id, seen)
        for seen in orders
    )
    stream = Stream(RULES, baseline(2.0))
    kills = set(chance.sample(range(len(arrivals)), 3))
    for number, (moment, _, seen) in enumerate(arrivals):
        stream.clock(moment)
        if number in kills:
            stream.restore()
        stream.order(seen, now_ms=max(moment, stream.now_ms))
    stream.clock(NOON + 5 * HOUR)
    facts = ("incident_id", "resolution", "started_at", "window_end")
    assert [[each[name] for name in facts] for each in surges(stream)] == [
        [each[name] for name in facts] for each in surges(expected)
    ]


def test_a_late_order_completes_a_surge() -> None:
    held_back, others = SLOW[10:13], SLOW[:10] + SLOW[13:20]
    stream = Stream(RULES, baseline(2.0))
    stream.orders(USUAL + others)
    stream.clock(NOON + 33 * MINUTE)
    assert surges(stream) == []
    for seen in held_back:
        stream.order(seen, now_ms=stream.now_ms)
    assert len(surges(stream)) == 1, "at once: its windows had passed"


def test_what_an_earlier_baseline_judged_stands() -> None:
    stream = Stream(RULES, baseline(2.0))
    stream.orders(USUAL + SLOW[:20])
    stream.clock(NOON + 33 * MINUTE)
    before = surges(stream)
    stream.detector.replace_baseline(baseline(50.0, version="two"))
    stream.order(order(NOON + 20 * MINUTE, "late"), now_ms=stream.now_ms)
    stream.clock(NOON + 40 * MINUTE)
    assert [each["incident_id"] for each in surges(stream)] == [each["incident_id"] for each in before] != []


def test_a_country_has_to_be_odder_than_the_total() -> None:
    def first_at(share: float) -> int:
        stream = Stream(
            replace(RULES, country_share=share), baseline(20.0, countries={UK: 0.5, "Spain": 0.5})
        )
        said = stream.orders(steady(NOON - HOUR, NOON, MINUTE) + burst(NOON, 120, 2000, country="Spain"))
        return at(next(each for each in said if each["key"] == "country:Spain")["detected_at"][:-1])

    assert first_at(0.001) > first_at(1.0)


def test_a_length_whose_law_is_not_known_has_that_of_the_next_longer() -> None:
    usual = replace(baseline(), laws={10: LAW, 60: CountLaw(0.9, 0.05)})
    assert usual.law(10) == LAW
    assert usual.law(11) == usual.law(30) == usual.law(240) == CountLaw(0.9, 0.05)
