"""All of the real data through the whole platform: every line is stored once, and says what the file says."""

from __future__ import annotations

import json

import aiohttp
import pytest

from deploy.local import retail
from services.kernel.adapters.dynamodb import DynamoDB
from tests.system.conftest import DEMO_TIMEOUT_S, Platform

pytestmark = pytest.mark.timeout(DEMO_TIMEOUT_S + 60)

ALL_LINES = 541_909
DOCUMENTED_KINDS = {
    "adjustment": {"invoices": 3, "lines": 3, "units": 3, "value": "-11062.06"},
    "cancellation": {"invoices": 3836, "lines": 9288, "units": -277574, "value": "-896812.49"},
    "sale": {"invoices": 22061, "lines": 532618, "units": 5454021, "value": "10655622.484"},
    "all": {"invoices": 25900, "lines": 541909, "units": 5176450, "value": "9747747.934"},
}
DOCUMENTED_POPULATIONS = {
    "lines of guests": 135_080,
    "invoices of guests": 3_710,
    "lines of cancellations": 9_288,
    "lines of adjustments": 3,
    "quantity below zero without a C": 1_336,
    "lines that share invoice and stock code": 10_684,
    "lines equal to an earlier one": 5_268,
    "invoices with two times": 43,
    "lines of the largest invoice": 1_114,
    "price below zero": 2,
    "price zero": 2_515,
    "price with three decimals": 4,
    "description empty": 1_454,
    "description with a comma or a quote": 6_035,
    "description with blanks at an end": 113_452,
    "description not ASCII": 32,
    "stock code without five digits in front": 2_995,
}
# Not the goals (4 minutes, 2 s), which the demonstration prints beside what it measured: a busy machine is no failure.
READABLE_WITHIN_S = 15.0
TOLD_WITHIN_S = 20.0


def test_the_demonstration_passes(platform: Platform) -> None:
    assert platform.exit_code == 0, platform.log[-6000:]
    assert platform.result["ok"] is True


def test_the_totals_are_those_that_the_data_is_documented_with(platform: Platform) -> None:
    counted = platform.result["sections"]["orders"]["raw_figures"]
    assert counted["by_kind"] == DOCUMENTED_KINDS
    assert counted["populations"] == DOCUMENTED_POPULATIONS
    assert (counted["customers"], counted["stock_codes"]) == (4_372, 4_070)


def test_an_injected_surge_becomes_a_message(platform: Platform) -> None:
    alarms = platform.result["sections"]["alarms"]
    told = next(
        one["record"] for one in alarms["message"]["incidents"] if one["record"]["rule"] == "threshold"
    )
    assert (told["key"], told["direction"], told["state"]) == ("total", "surge", "firing")
    assert told["observed"] >= 10
    assert told["baseline_version"] == alarms["baseline"]
    assert 0 < alarms["latency_s"] <= TOLD_WITHIN_S


def test_all_lines_are_stored_once_and_as_they_were_sent(platform: Platform) -> None:
    orders = platform.result["sections"]["orders"]
    assert [orders[name] for name in ("sent", "acknowledged", "stored")] == [ALL_LINES] * 3
    wrong = ("missing", "doubled", "conflicting", "altered", "foreign", "refused", "unknown", "never_sent")
    assert {name: orders[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert orders["stored_figures"]["by_kind"] == DOCUMENTED_KINDS
    assert orders["stored_figures"]["populations"] == DOCUMENTED_POPULATIONS
    assert orders["stored_figures"]["by_month"] == orders["raw_figures"]["by_month"]


def test_every_acknowledged_order_becomes_readable_within_seconds(platform: Platform) -> None:
    fresh = platform.result["sections"]["orders"]["freshness"]
    assert (fresh["orders"], fresh["never"], fresh["wrong"]) == (200, 0, 0)
    assert 0 < fresh["p50_s"] <= fresh["p99_s"] <= READABLE_WITHIN_S


def test_raw_file_order_store_lake_and_warehouse_are_equal_line_by_line(platform: Platform) -> None:
    section = platform.result["sections"]["warehouse"]
    report = section["report"]
    places = ("raw", "store", "lake", "star", "warehouse")
    assert report["replayed"] == dict.fromkeys(places, ALL_LINES)
    found = ("missing", "doubled", "altered", "foreign")
    assert {name: report[name] for name in found} == dict.fromkeys(found, 0)
    assert [(pair["left"], pair["right"]) for pair in report["pairs"]] == [
        ("raw", "lake"),
        ("store", "lake"),
        ("lake", "star"),
        ("lake", "warehouse"),
    ]
    # Others sent too: a surge, and who measured freshness. Of them store and lake know the same.
    assert report["lines"]["lake"] > ALL_LINES
    assert {report["lines"][place] for place in places[1:]} == {report["lines"]["lake"]}
    assert report["lines_landed"] >= report["lines"]["lake"]


def test_revenue_is_equal_to_the_penny_by_month_and_country(platform: Platform) -> None:
    report = platform.result["sections"]["warehouse"]["report"]
    # 314 pairs of month and country have orders; each is compared in lake, star and warehouse.
    assert (report["sums"], report["sums_differing"]) == (3 * 314, [])
    assert report["revenue"] == "9747747.9340"


def test_lake_and_warehouse_have_the_same_star(platform: Platform) -> None:
    report = platform.result["sections"]["warehouse"]["report"]
    assert report["rows_differing"] == dict.fromkeys(report["rows"], 0)
    assert report["rows"]["fact_order_lines"] == report["lines"]["lake"]
    assert report["rows"]["dim_date"] >= 374


def test_recommendations_beat_popularity_on_weeks_that_nobody_was_trained_on(platform: Platform) -> None:
    jobs = platform.result["sections"]["recommendations"]["jobs"]
    trained = jobs["train"]["result"]
    for name, chosen in trained["choice"]["lists"].items():
        candidates = chosen["candidates"]
        best = max(
            one["ndcg"] for yardstick, one in candidates.items() if yardstick.startswith("popularity_")
        )
        assert candidates[chosen["winner"]]["ndcg"] > best, name
    # The customers of the data whose purchases are not all cancelled or bookings; every article on sale.
    assert 4_250 <= trained["subjects"]["customer"] <= 4_372
    assert 3_500 <= trained["subjects"]["product"] <= 4_070
    assert trained["subjects"]["country"] == 37


def test_a_customer_sees_four_lists_with_names_and_reasons(platform: Platform) -> None:
    lists = platform.result["sections"]["recommendations"]["lists"]
    assert list(lists) == ["you_may_like", "buy_again", "also_bought", "popular"]
    for name, shown in lists.items():
        assert len(shown["items"]) == 5, name
        assert all(item["stock_code"] and item["text"] for item in shown["items"])
        assert sum(bool(item["description"]) for item in shown["items"]) >= 4
        assert (shown["fallback"], shown["degraded"]) == (None, [])
    bought = {line.stock_code for line in retail.lines() if line.customer_id == "14911"}
    assert bought.isdisjoint(item["stock_code"] for item in lists["you_may_like"]["items"])
    assert bought.issuperset(item["stock_code"] for item in lists["buy_again"]["items"])
    assert {item["reason"]["stock_code"] for item in lists["you_may_like"]["items"]} <= bought
    assert len({shown["version"] for shown in lists.values()}) == 1


def test_the_load_again_finds_nothing_new(platform: Platform) -> None:
    again = platform.command("warehouse", "--json")

    assert again.returncode == 0, again.stderr[-4000:]
    assert again.stderr.count("no change") == 2
    before, after = platform.result["sections"]["warehouse"]["report"], json.loads(again.stdout)["report"]
    assert after["ok"] is True
    assert (after["lines"], after["rows"], after["objects"]) == (
        before["lines"],
        before["rows"],
        before["objects"],
    )


async def test_an_invoice_that_was_cut_between_two_files_is_read_whole(
    platform: Platform, http: aiohttp.ClientSession
) -> None:
    cut = platform.result["sections"]["orders"]["cut_between_files"]
    assert cut
    wanted = [line for line in retail.lines() if line.invoice_no == cut[0]]
    headers = platform.headers("operator", "operator")
    async with http.get(f"{platform.target.storefront}/v1/orders/{cut[0]}", headers=headers) as response:
        order = await response.json()
    assert order["source"] == platform.target.file_source
    assert len({line["line_id"].split(":")[0] for line in order["lines"]}) == 2
    assert sorted((line["stock_code"], line["description"], line["quantity"]) for line in order["lines"]) == (
        sorted((line.stock_code, line.description, line.quantity) for line in wanted)
    )


async def test_a_whole_history_is_read_page_by_page(platform: Platform, http: aiohttp.ClientSession) -> None:
    wanted = {line.invoice_no for line in retail.lines() if line.customer_id == "14911"}
    headers = platform.headers("customer", "14911")
    url = f"{platform.target.storefront}/v1/customers/14911/orders"
    orders, cursor = [], None
    while True:
        params = {"limit": "100", **({"cursor": cursor} if cursor else {})}
        async with http.get(url, params=params, headers=headers) as response:
            assert response.status == 200
            page = await response.json()
        orders += page["orders"]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert len(wanted) > 200
    assert len(orders) == len(wanted)
    assert {order["order_id"] for order in orders} == wanted
    times = [order["ordered_at"] for order in orders]
    assert times == sorted(times, reverse=True)


async def test_the_comparison_fails_where_an_order_is_gone(platform: Platform, dynamodb: DynamoDB) -> None:
    table = platform.target.order_history
    key = {"order_id": {"S": "536365"}, "part": {"S": f"{platform.target.source}#"}}
    item = await dynamodb.get_item(table, key)
    assert item is not None
    await dynamodb.delete_item(table, key)
    try:
        failed = platform.command("verify", "--json")
    finally:
        await dynamodb.put_item(table, item)
    report = json.loads(failed.stdout)
    assert failed.returncode == 1
    assert report["missing"] == 7
    assert any("536365" in sentence for sentence in report["differences"])
    again = platform.command("verify", "--json")
    assert (again.returncode, json.loads(again.stdout)["difference_count"]) == (0, 0)
