"""What is learned, from orders whose rates are known."""

from datetime import UTC, date, datetime, timedelta

import pytest

from flink_jobs.order_rate_alarm.baseline import Baseline
from flink_jobs.order_rate_alarm.history import History
from flink_jobs.order_rate_alarm.holidays import closed_days, easter_sunday
from flink_jobs.order_rate_alarm.training import TooLittle, Trainer
from tests.unit.order_rate_alarm.scenes import UK

BEGIN = date(2011, 1, 10)


def history(weeks: int, per_hour: int = 6, skip: tuple[date, ...] = (), growth: float = 1.0) -> History:
    """A shop that has orders from 9 to 17, Monday to Friday, evenly."""
    found = History("Europe/London")
    for day in (BEGIN + timedelta(n) for n in range(7 * weeks)):
        if day.weekday() < 5 and day not in skip:
            orders = round(per_hour * growth ** ((day - BEGIN).days / 7))
            for hour in range(9, 17):
                for n in range(orders):
                    local = datetime(day.year, day.month, day.day, hour, n * 60 // orders, tzinfo=found.zone)
                    country = "France" if n == 0 and hour == 9 else UK
                    found.add(int(local.astimezone(UTC).timestamp() * 1000), country, 100.0, "GBP")
    return found


def noon_rate(baseline: Baseline, day: int) -> float:
    return baseline.week[day][24]


def test_rates_of_a_steady_shop() -> None:
    baseline = Trainer(history(12)).train(BEGIN + timedelta(84))
    assert noon_rate(baseline, 2) == pytest.approx(3, rel=0.1)
    assert baseline.week[2][10] == 0
    assert baseline.week[5] == (0.0,) * 48
    assert baseline.keys["total"].value == 100
    assert baseline.currency == "GBP"


def test_the_summer_clock_moves_no_hour() -> None:
    """13 weeks from January go past the last Sunday of March: the shop opens at 9 by its own clock in both."""
    baseline = Trainer(history(14)).train(BEGIN + timedelta(98))
    assert baseline.week[1][17] == pytest.approx(0, abs=0.01)
    assert baseline.week[1][18] == pytest.approx(3, rel=0.1)


def test_nothing_of_the_future_is_looked_at() -> None:
    whole, part = history(16), history(12)
    until = BEGIN + timedelta(84)
    assert Trainer(whole).train(until).save() == Trainer(part).train(until).save()


def test_the_level_follows_growth() -> None:
    grown = Trainer(history(16, growth=1.1)).train(BEGIN + timedelta(112))
    last_week = 6 * 1.1**15 / 2
    assert noon_rate(grown, 2) == pytest.approx(last_week, rel=0.2)


def test_one_odd_day_does_not_carry_the_level_away() -> None:
    odd = history(12)
    newest = (BEGIN + timedelta(81)).toordinal()
    odd.days[newest] = [count * 30 for count in odd.days[newest]]
    assert noon_rate(Trainer(odd).train(BEGIN + timedelta(84)), 2) < 2 * 3


def test_empty_weeks_before_the_moment_leave_the_shop_open() -> None:
    baseline = Trainer(history(8)).train(BEGIN + timedelta(7 * 12))
    assert noon_rate(baseline, 2) == pytest.approx(3, rel=0.2)


def test_an_empty_stretch_comes_again_next_year_and_an_easter_week_end_does_not() -> None:
    away = tuple(date(2011, 2, 7) + timedelta(n) for n in range(12))
    easter = tuple(date(2011, 3, 4) + timedelta(n) for n in range(4))
    closed = Trainer(history(14, skip=away + easter)).train(BEGIN + timedelta(98)).closed
    assert date(2012, 2, 10) in closed
    assert date(2012, 3, 5) not in closed
    assert date(2011, 12, 26) in closed


def test_small_countries_are_drawn_towards_their_long_run_share() -> None:
    baseline = Trainer(history(12)).train(BEGIN + timedelta(84))
    france = baseline.keys["country:France"]
    assert france.share == pytest.approx(1 / 48, rel=0.05)
    assert france.hours[9] > 1 > france.hours[12]
    assert sum(model.share for key, model in baseline.keys.items() if key != "total") == pytest.approx(
        1, abs=0.01
    )


def test_a_law_is_learned_for_each_length_of_window() -> None:
    laws = Trainer(history(12)).train(BEGIN + timedelta(84)).laws
    assert sorted(laws) == [10, 30, 60]
    assert all(law.clumping < 0.1 for law in laws.values()), "the shop is even"


def test_too_few_days_are_too_little() -> None:
    with pytest.raises(TooLittle):
        Trainer(history(2)).train(BEGIN + timedelta(14))


def test_the_holidays_of_the_recorded_year() -> None:
    empty_in_the_data = [(1, 3), (4, 22), (4, 24), (4, 25), (4, 29), (5, 2), (5, 30), (8, 29)]
    days = {(day.month, day.day) for day in closed_days(2011)}
    assert set(empty_in_the_data) <= days
    assert (12, 27) in days
    assert easter_sunday(2026) == date(2026, 4, 5)
