"""What is usual when: the shop's own clock, closed time, countries; and the document."""

import json
from datetime import date

import pytest

from flink_jobs.order_rate_alarm.baseline import Baseline, WrongBaseline
from tests.unit.order_rate_alarm.scenes import MINUTE, UK, at, baseline


def minute(text: str) -> int:
    return at(text) // MINUTE


def test_a_document_comes_back_the_same() -> None:
    usual = baseline(closed=[date(2011, 4, 22)])
    assert Baseline.load(usual.save()) == usual
    assert Baseline.load(usual.save()).save() == usual.save()


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"week": [[1.0]]}, {"keys": {}}, {"time_zone": "No/Where"}, {"laws": {}}]
)
def test_another_document_is_refused(change: dict[str, object]) -> None:
    document = json.loads(baseline().save()) | change
    with pytest.raises(WrongBaseline):
        Baseline.load(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff"])
def test_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(WrongBaseline):
        Baseline.load(data)


@pytest.mark.parametrize(
    ("opens", "what"),
    [
        ("2011-03-25 08:00", "winter: UTC is London's time"),
        ("2011-03-28 07:00", "the Monday after clocks went forward"),
        ("2011-10-28 07:00", "summer"),
        ("2011-10-31 08:00", "the Monday after clocks went back"),
    ],
)
def test_the_shop_opens_at_eight_on_its_own_clock(opens: str, what: str) -> None:
    usual = baseline(2.0)
    assert usual.rate("total", minute(opens)).low == pytest.approx(0.2), what
    assert usual.rate("total", minute(opens) - 1).low == 0, what


def test_on_the_days_of_the_change_a_day_has_23_and_25_hours() -> None:
    usual = baseline(2.0)
    spring = usual.expected("total", minute("2011-03-27 00:00"), minute("2011-03-27 23:00")).low
    autumn = usual.expected("total", minute("2011-10-29 23:00"), minute("2011-10-31 00:00")).low
    assert spring == pytest.approx(120) == autumn


def test_expected_orders_are_the_sum_of_the_minutes() -> None:
    usual = baseline(2.0)
    start = minute("2011-03-02 07:41")
    summed = sum(usual.rate("total", start + n).low for n in range(200))
    assert usual.expected("total", start, start + 200).low == pytest.approx(summed)


def test_closed_time_expects_none_and_still_allows_a_few() -> None:
    usual = baseline(2.0, closed=[date(2011, 4, 22)])
    for closed in ("2011-03-02 03:00", "2011-03-05 12:00"):
        low, high = usual.rate("total", minute(closed))
        assert low == 0
        assert 0 < high < 0.01
    holiday = usual.rate("total", minute("2011-04-22 12:00"))
    assert holiday.low == 0
    assert holiday.high == usual.rate("total", minute("2011-04-21 12:00")).high


def test_a_country_has_its_share_and_an_unknown_one_nothing() -> None:
    usual = baseline(2.0)
    noon = minute("2011-03-02 12:00")
    assert usual.rate(f"country:{UK}", noon).low == pytest.approx(0.18)
    assert usual.rate("country:Atlantis", noon) == (0.0, 0.0)
    assert usual.value("country:Atlantis") == 400.0
