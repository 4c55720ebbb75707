"""Whatever the order in which orders arrive, and wherever the job is killed: the same incidents in the end."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from flink_jobs.order_rate_alarm.detector import OrderSeen
from flink_jobs.order_rate_alarm.rules import Rules
from tests.unit.order_rate_alarm.scenes import HOUR, MINUTE, NOON, Stream, baseline, burst, order, steady

RULES = Rules(gap_s=600, resolve_s=300)
END = NOON + 3 * HOUR
TOLD = ("rule", "key", "direction", "state", "resolution", "started_at", "window_start", "window_end")
FIGURES = ("observed", "expected", "probability", "severity", "value_at_stake")


def day() -> list[OrderSeen]:
    """Usual orders with two bursts, a thin stretch, a silence and an order in two parts."""
    usual = steady(NOON - HOUR, NOON + 30 * MINUTE, MINUTE)
    thin = steady(NOON + 30 * MINUTE, NOON + 60 * MINUTE, 6 * MINUTE)
    later = steady(NOON + 100 * MINUTE, NOON + 120 * MINUTE, MINUTE)
    bursts = burst(NOON + 10 * MINUTE, 12, 800) + burst(NOON + 110 * MINUTE, 45, 4000, "second")
    parts = [order(NOON, "parts"), order(NOON + 3 * MINUTE, "parts")]
    return usual + thin + later + bursts + parts


def incidents(stream: Stream, figures: bool = True) -> dict[str, Any]:
    """What they are in the end; the rank and the moment of detection depend on when it was known."""
    names = TOLD + (FIGURES if figures else ())
    return {name: {field: each[field] for field in names} for name, each in stream.final().items()}


def feed(arrivals: list[OrderSeen], restores: set[int], now: list[int] | None = None) -> Stream:
    stream = Stream(RULES, baseline(10.0))
    for number, seen in enumerate(arrivals):
        if number in restores:
            stream.restore()
        stream.order(seen, now_ms=END if now is None else now[number])
    stream.clock(END + 2 * HOUR)
    return stream


EXPECTED = incidents(feed(sorted(day(), key=lambda seen: seen.ordered_at_ms), set()))


def in_sequence(arrivals: list[OrderSeen]) -> list[OrderSeen]:
    """The parts of the one order that has two come in their sequence, as a shard gives them."""
    parts = iter(
        sorted((seen for seen in arrivals if seen.order_id == "parts"), key=lambda seen: seen.ordered_at_ms)
    )
    return [next(parts) if seen.order_id == "parts" else seen for seen in arrivals]


def test_there_is_something_to_find() -> None:
    found = {(each["rule"], each["direction"]) for each in EXPECTED.values()}
    assert found == {
        ("threshold", "surge"),
        ("learned", "surge"),
        ("learned", "drop"),
        ("silence", "silence"),
    }
    assert all(each["state"] == "resolved" for each in EXPECTED.values() if each["direction"] == "surge")


@settings(max_examples=25, deadline=None)
@given(st.permutations(day()), st.sets(st.integers(0, 150), max_size=4))
def test_any_arrival_and_any_restore_end_in_the_same_incidents(
    arrivals: list[OrderSeen], restores: set[int]
) -> None:
    assert incidents(feed(in_sequence(arrivals), restores)) == EXPECTED


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 40), st.sets(st.integers(0, 150), max_size=3))
def test_two_uneven_shards_and_a_clock_that_runs_on_end_in_the_same_incidents(
    chance: Any, lag_minutes: int, restores: set[int]
) -> None:
    """One shard is read at once, the other with a lag that changes; verdicts come and go in between."""
    arrivals = []
    for seen in in_sequence(sorted(day(), key=lambda seen: seen.ordered_at_ms)):
        lag_ms = chance.randrange(lag_minutes * MINUTE) if crc32(seen.order_id.encode()) % 2 else 0
        arrivals.append((seen.ordered_at_ms + lag_ms, seen.ordered_at_ms, seen))
    arrivals.sort(key=lambda each: each[:2])
    orders = in_sequence([seen for _, _, seen in arrivals])
    stream = feed(
        orders,
        restores,
        [max(moment, seen.ordered_at_ms) for (moment, _, _), seen in zip(arrivals, orders, strict=True)],
    )
    expected = {
        name: {f: each[f] for f in ("rule", "key", "direction", "started_at")}
        for name, each in EXPECTED.items()
    }
    found = incidents(stream, figures=False)
    assert {
        name: {f: each[f] for f in ("rule", "key", "direction", "started_at")} for name, each in found.items()
    } == expected
    assert all(found[name]["resolution"] == each["resolution"] for name, each in EXPECTED.items())


@settings(max_examples=10, deadline=None)
@given(st.permutations(day()))
def test_ranks_of_an_incident_rise_with_what_is_told(arrivals: list[OrderSeen]) -> None:
    ranks: dict[str, int] = {}
    for record in feed(in_sequence(arrivals), set()).records:
        assert record["rank"] > ranks.get(record["incident_id"], -1)
        ranks[record["incident_id"]] = record["rank"]
