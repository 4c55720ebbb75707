"""The detector, scene by scene; every record that it gives is held against the contract."""

from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from flink_jobs.order_rate_alarm.detector import Detector, WrongState
from flink_jobs.order_rate_alarm.record import HEARTBEAT_ID
from flink_jobs.order_rate_alarm.rules import Rules
from tests.unit.order_rate_alarm.scenes import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    UK,
    Stream,
    at,
    baseline,
    burst,
    final,
    order,
    steady,
    told,
)

SURGE = ("learned", "total", "surge", None)
ONLY_LEARNED = Rules(threshold_count=0)


def busy(rules: Rules = ONLY_LEARNED, per_ten_minutes: float = 2.0, **other: Any) -> Stream:
    """A shop that has seen two usual hours up to noon."""
    stream = Stream(rules, baseline(per_ten_minutes, **other))
    stream.orders(steady(NOON - 2 * HOUR, NOON, int(10 * MINUTE / per_ten_minutes)))
    return stream


# The rule `threshold`


def test_ten_orders_in_ten_seconds_fire_once_as_in_the_course() -> None:
    stream = Stream()
    said = [stream.order(seen) for seen in burst(NOON, 40, every_ms=1000)]
    firsts = [n for n, records in enumerate(said) if records]
    assert firsts[0] == 9, "at the tenth order, at once"
    assert told(said[9]) == [("threshold", "total", "surge", None)]
    assert said[9][0]["observed"] == 10
    assert said[9][0]["expected_high"] == 9.0
    assert said[9][0]["started_at"] == "2011-03-02T12:00:00.000Z"
    stream.clock(NOON + HOUR)
    assert len(stream.final()) == 1, "one incident, not one alarm after another"
    assert told(stream.records)[-1] == ("threshold", "total", "surge", "recovered")


def test_nine_orders_in_ten_seconds_or_ten_in_eleven_fire_nothing() -> None:
    stream = Stream()
    stream.orders(burst(NOON, 9, every_ms=1111))
    stream.orders(burst(NOON + MINUTE, 10, every_ms=1112, name="slow"))
    assert stream.records == []


def test_many_times_the_limit_is_critical_and_is_told_while_it_fires() -> None:
    stream = Stream()
    for seen in burst(NOON, 60, every_ms=100):
        stream.order(seen)
    assert [each["severity"] for each in stream.records] == ["warning", "critical"]
    ranks = [each["rank"] for each in stream.records]
    assert ranks == sorted(set(ranks))


def test_the_same_order_counts_once_whatever_parts_and_repeats_come() -> None:
    stream = Stream()
    for n in range(50):
        stream.order(order(NOON + n * 10, "one"))
    assert stream.records == []
    figures = stream.detector.figures()
    assert (figures["orders_counted"], figures["repeated_orders"]) == (1, 49)


def test_orders_of_two_senders_are_two_and_cancellations_are_none() -> None:
    stream = Stream()
    for n in range(5):
        stream.order(order(NOON, str(n)))
        stream.order(order(NOON, str(n), source="other"))
        stream.order(order(NOON, f"c{n}", kind="cancellation"))
    assert len(stream.records) == 1
    assert stream.detector.figures()["other_kinds"] == 5


# Learned surge


def test_a_surge_fires_at_once_and_is_resolved_once_it_is_quiet() -> None:
    stream = busy()
    stream.orders(burst(NOON, 20, every_ms=10_000))
    assert told(stream.records)[0] == SURGE
    first = stream.records[0]
    assert first["window_start"] <= "2011-03-02T12:00:00.000Z" < first["window_end"]
    assert first["observed"] > first["expected_high"] > first["expected"] > 0
    assert first["probability"] < 1e-3
    stream.orders(steady(NOON + 5 * MINUTE, NOON + HOUR))
    last = stream.records[-1]
    assert (last["state"], last["resolution"]) == ("resolved", "recovered")
    assert last["observed"] <= last["expected_high"], "its window shows that the rate is usual again"
    assert float(last["value_at_stake"]) > 0
    assert len(stream.final()) == 1


def test_severity_rises_with_probability_and_money_and_each_rise_is_told() -> None:
    stream = busy()
    stream.orders(burst(NOON, 60, every_ms=4000))
    firing = [each["severity"] for each in stream.records if each["state"] == "firing"]
    assert firing[0] in ("info", "warning")
    assert firing[-1] == "critical"
    ranks = [each["rank"] for each in stream.records]
    assert ranks == sorted(set(ranks)), "each record's rank is higher"


def test_what_follows_within_the_gap_is_one_incident_and_later_another() -> None:
    stream = busy()
    pauses = (0, 40, 150)
    for n, pause in enumerate(pauses):
        stream.orders(burst(NOON + pause * MINUTE, 20, name=f"b{n}"))
    stream.clock(NOON + 4 * HOUR)
    surges = [each for each in stream.final().values() if each["direction"] == "surge"]
    assert len(surges) == 2
    fired = [each for each in stream.records if each["direction"] == "surge" and each["state"] == "firing"]
    assert len({each["incident_id"] for each in fired}) == 2
    assert all(each["state"] == "resolved" for each in surges)


def test_an_earlier_surge_that_comes_late_takes_the_incident_over() -> None:
    stream = busy()
    stream.orders(burst(NOON + 30 * MINUTE, 20))
    old = stream.records[0]["incident_id"]
    for seen in burst(NOON + 10 * MINUTE, 20, name="late"):
        stream.order(seen)
    merged = [each for each in stream.records if each["resolution"] == "merged"]
    assert merged[0]["incident_id"] == old
    for one, next_one in pairwise(merged):
        assert one["merged_into"] == next_one["incident_id"], "order by order it may begin earlier still"
    stream.clock(NOON + 3 * HOUR)
    surges = {name: each for name, each in stream.final().items() if each["direction"] == "surge"}
    assert set(surges) == {merged[-1]["merged_into"]}
    assert merged[0]["rank"] == max(each["rank"] for each in stream.records if each["incident_id"] == old)


def test_a_country_alarms_only_where_enough_orders_are_expected() -> None:
    shares = {UK: 0.8, "Germany": 0.1}
    small = Stream(ONLY_LEARNED, baseline(2.0, countries=shares))
    large = Stream(ONLY_LEARNED, baseline(40.0, countries=shares))
    for stream, count in ((small, 20), (large, 60)):
        stream.orders(steady(NOON - HOUR, NOON, 10 * MINUTE))
        stream.orders(burst(NOON, count, every_ms=2000, country="Germany"))
    assert {each["key"] for each in small.records} == {"total"}
    assert "country:Germany" in {each["key"] for each in large.records}


def test_a_country_that_appears_for_the_first_time_counts_in_the_total() -> None:
    stream = busy()
    stream.orders(burst(NOON, 20, country="Atlantis"))
    assert told(stream.records)[0] == SURGE
    assert {each["key"] for each in stream.records} == {"total"}


def test_cold_start_judges_by_the_threshold_alone() -> None:
    stream = Stream()
    stream.orders(steady(NOON - 2 * HOUR, NOON))
    stream.orders(burst(NOON, 20, every_ms=20_000))
    stream.clock(NOON + 5 * HOUR)
    assert stream.records == []
    stream.orders(burst(NOON + 5 * HOUR, 10, every_ms=500, name="b"))
    assert told(stream.records) == [("threshold", "total", "surge", None)]
    assert stream.records[0]["expected"] is None


# Drops and silence


def test_a_drop_is_found_in_the_time_that_it_takes() -> None:
    stream = busy(per_ten_minutes=20.0)
    stream.orders(steady(NOON, NOON + 30 * MINUTE, 5 * MINUTE))
    drops = [each for each in stream.records if each["direction"] == "drop"]
    assert drops
    assert drops[0]["observed"] < drops[0]["expected_low"] <= drops[0]["expected"]
    assert drops[0]["window_end"] <= "2011-03-02T12:15:00.000Z"


def test_silence_counts_expected_orders_not_minutes() -> None:
    stream = busy()
    stream.clock(NOON + 3 * HOUR)
    silences = [each for each in stream.records if each["rule"] == "silence"]
    assert silences[0]["observed"] == 0
    assert silences[0]["probability"] <= stream.rules.silence_probability
    minutes = silences[0]["expected"] / 0.2
    assert silences[0]["started_at"] == "2011-03-02T11:56:00.000Z"
    assert at(silences[0]["window_end"][:-1]) - at("2011-03-02 11:56") == pytest.approx(
        minutes * MINUTE, abs=MINUTE
    )


def test_nothing_at_night_on_saturdays_and_on_holidays() -> None:
    good_friday = at("2011-04-22 00:00")
    stream = Stream(
        ONLY_LEARNED, baseline(2.0, closed=[date(2011, 4, 22), date(2011, 4, 24), date(2011, 4, 25)])
    )
    stream.orders(steady(good_friday - DAY + 7 * HOUR, good_friday - DAY + 17 * HOUR))
    stream.clock(good_friday + 4 * DAY + 7 * HOUR + 5 * MINUTE)
    assert stream.records == []


def test_silence_fires_over_a_week_without_orders_and_ends_with_the_next() -> None:
    stream = busy()
    stream.clock(NOON + 7 * DAY)
    (only,) = [each for each in stream.final().values() if each["rule"] == "silence"]
    assert only["state"] == "firing"
    stream.orders(steady(NOON + 7 * DAY, NOON + 7 * DAY + HOUR))
    after = stream.final()
    assert after[only["incident_id"]]["resolution"] == "recovered"
    assert sum(each["rule"] == "silence" for each in after.values()) == 1


def test_an_order_that_comes_late_withdraws_what_never_was() -> None:
    stream = busy(per_ten_minutes=20.0)
    missing = steady(NOON, NOON + 29 * MINUTE, 30_000)
    stream.clock(NOON + 30 * MINUTE)
    assert {each["direction"] for each in stream.records} == {"drop", "silence"}
    for seen in missing:
        stream.order(seen, now_ms=stream.now_ms)
    stream.clock(stream.now_ms + 2 * MINUTE)
    assert stream.final() == {}
    assert {each["resolution"] for each in stream.records} == {None, "withdrawn"}
    assert stream.detector.figures()["late_orders"] == len(missing)


def test_drops_are_held_back_while_the_stream_is_read_from_behind() -> None:
    stream = busy(per_ten_minutes=20.0)
    late = steady(NOON, NOON + HOUR, 30_000)
    now = NOON + HOUR
    for seen in (late[0], late[-1], *late):
        now += 100
        stream.order(seen, now_ms=now)
    assert stream.records == []
    assert stream.detector.figures()["behind"] == 1
    stream.clock(now + 2 * MINUTE)
    assert stream.records == [], "what was missing came before it was judged"


# Clocks


def test_a_clock_that_jumps_ahead_and_back_makes_no_silence() -> None:
    stream = busy(per_ten_minutes=20.0)
    for jump in (5 * HOUR, 0, -5 * HOUR, 0):
        stream._took(stream.detector.on_clock(NOON + jump))
    stream.orders(steady(NOON + MINUTE, NOON + 30 * MINUTE, 30_000))
    assert stream.records == []


def test_an_order_from_the_future_moves_no_clock_and_counts_in_its_time() -> None:
    stream = busy(per_ten_minutes=20.0)
    ahead = burst(NOON + 2 * HOUR, 60, every_ms=2000)
    for seen in ahead:
        stream.order(seen, now_ms=NOON)
    assert stream.records == []
    assert stream.detector.figures()["waiting_orders"] == 60
    stream.restore()
    stream.orders(steady(NOON, NOON + 2 * HOUR, 30_000))
    assert stream.records == []
    stream.orders(steady(NOON + 2 * HOUR, NOON + 2 * HOUR + 5 * MINUTE, 30_000))
    assert told(stream.records)[0] == SURGE
    assert stream.detector.figures()["waiting_orders"] == 0


def test_an_order_from_too_far_away_is_counted_among_the_misplaced() -> None:
    stream = busy()
    stream.order(order(NOON + 400 * DAY, "far"), now_ms=NOON)
    stream.order(order(-(10**12), "long ago"), now_ms=NOON)
    assert stream.detector.figures()["misplaced_orders"] == 2


@pytest.mark.parametrize("sunday", ["2011-03-27", "2011-10-30"])
def test_the_day_that_the_clocks_change_is_a_day_like_others(sunday: str) -> None:
    begin = at(f"{sunday} 00:00")
    opens = begin + (7 if sunday.startswith("2011-03") else 8) * HOUR
    stream = Stream(ONLY_LEARNED, baseline(20.0))
    friday = opens - 2 * DAY + (HOUR if sunday.startswith("2011-03") else -HOUR)
    stream.orders(steady(friday, friday + 10 * HOUR, 30_000))
    stream.clock(opens)
    stream.orders(steady(opens, opens + 10 * HOUR, 30_000))
    stream.clock(begin + DAY)
    assert stream.records == []


# State


def test_state_is_bounded_however_long_it_runs() -> None:
    stream = Stream(Rules(retention_s=3600), baseline(2.0))
    sizes = []
    for day in range(4):
        begin = at("2011-03-07 08:00") + day * DAY
        stream.orders(steady(begin, begin + 10 * HOUR))
        stream.orders(burst(begin + 10 * HOUR, 30))
        stream.clock(begin + 23 * HOUR)
        sizes.append(len(stream.entries))
    assert sizes[-1] == sizes[0] < 20
    assert stream.detector.figures()["kept_orders"] == 0


def test_an_incident_that_lasts_longer_than_orders_are_kept_keeps_its_begin() -> None:
    stream = busy(Rules(threshold_count=0, retention_s=3600))
    stream.clock(NOON + 6 * HOUR)
    stream.restore()
    stream.clock(NOON + 12 * HOUR)
    (silence,) = [each for each in stream.final().values() if each["rule"] == "silence"]
    assert silence["started_at"] == "2011-03-02T11:56:00.000Z"
    assert len(stream.entries) < 60 + 60 + 10, (
        "a mark a minute, for an hour that is kept and one until it is pruned"
    )


def test_another_baseline_goes_on_with_the_incidents() -> None:
    stream = busy()
    stream.orders(burst(NOON, 20))
    before = stream.final()
    stream.detector.replace_baseline(baseline(50.0, version="two"))
    stream.clock(NOON + 20 * MINUTE)
    assert set(before) <= set(stream.final())
    stream.restore(baseline(50.0, version="three"))
    stream.clock(NOON + 40 * MINUTE)
    after = stream.final()
    assert all(after[name]["resolution"] == "recovered" for name in before)


def test_a_restored_detector_goes_on_where_the_other_was() -> None:
    stream = busy()
    stream.orders(burst(NOON, 20))
    count = len(stream.records)
    stream.restore()
    assert stream.detector.on_clock(stream.now_ms) == [], "nothing is said twice"
    for seen in burst(NOON, 20):
        stream.order(seen, now_ms=stream.now_ms)
    assert len(stream.records) == count
    stream.clock(NOON + HOUR)
    assert final(stream.records).keys() == stream.final().keys()


def test_a_late_order_moves_the_begin_of_a_silence_in_the_state_too() -> None:
    """Found by drawn arrivals: the begin was written only when time went on, and a restore took the old one."""
    stream = busy(per_ten_minutes=10.0)
    stream.clock(NOON + 10 * MINUTE)
    stream.order(order(NOON + 8 * MINUTE, "late"), now_ms=stream.now_ms)
    stream.restore()
    stream.clock(NOON + 16 * MINUTE)
    assert stream.records == []


def test_state_of_another_format_is_refused() -> None:
    with pytest.raises(WrongState):
        Detector(Rules(), None, [("m", b'{"format":99}')])


def test_the_sign_of_life_is_one_incident_whose_rank_rises() -> None:
    stream = Stream(baseline=baseline())
    beats = [stream._took([stream.detector.heartbeat(NOON + n * 10_000)])[0] for n in range(3)]
    assert {each["incident_id"] for each in beats} == {HEARTBEAT_ID}
    assert [each["rank"] for each in beats] == [(NOON + n * 10_000) * 4 + 1 for n in range(3)]
    assert {each["state"] for each in beats} == {"resolved"}


def test_figures_are_numbers_from_the_start() -> None:
    figures = Detector(Rules(), None).figures()
    assert all(isinstance(value, float) for value in figures.values())
