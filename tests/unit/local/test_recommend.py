"""What `make recommend` shows and how it ends, and one customer's four lists as the demonstration shows them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deploy.local import demo_recommendations, demo_warehouse, job, recommend, warehouse
from deploy.local.job import Ran
from deploy.local.layout import Layout
from deploy.local.recommend import CHECK, EXPIRE, PUBLISH, TRAIN
from deploy.local.section import Context
from deploy.local.target import NotRunning, Target

TRAINED = {
    "version": "20111210T000000Z-0123abcd",
    "digest": "1fad58d1ec86" + "0" * 52,
    "subjects": {"customer": 4_300, "product": 3_600, "country": 38, "everywhere": 1},
    "choice": {
        "lists": {
            "you_may_like": {
                "winner": "ease",
                "candidates": {
                    "ease": {"ndcg": 0.1291},
                    "popularity_all": {"ndcg": 0.04},
                    "popularity_30d": {"ndcg": 0.0532},
                    "als": {"ndcg": 0.12},
                },
            }
        }
    },
}
ITEMS = [{"stock_code": "22423", "description": "REGENCY CAKESTAND 3 TIER", "text": "because you bought X"}]


class Platform:
    """A platform whose jobs and whose storefront answer as the test says."""

    def __init__(self, folder: Any) -> None:
        self.codes = dict.fromkeys((TRAIN, PUBLISH, EXPIRE, CHECK, warehouse.LOAD), 0)
        self.ran: list[str] = []
        self.commands: list[list[str]] = []
        self.environments: list[dict[str, str]] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.target = cast(
            Target,
            SimpleNamespace(
                layout=Layout(folder),
                run_id="run",
                namespace="cadabra",
                ledger_file=folder / "ledger.jsonl",
                aws="http://127.0.0.1:1",
                dynamodb="http://127.0.0.1:3",
                postgresql="postgresql://127.0.0.1:2/p",
            ),
        )

    async def run(self, name: str, command: list[str], environment: dict[str, str], say: Any) -> Ran:
        self.ran.append(name)
        self.commands.append(command)
        self.environments.append(environment)
        result = TRAINED if name == TRAIN else {}
        return Ran(name, self.codes[name], 30.0, 40.0, 2**31, result, ["the last words"])

    async def landed(self, *_: object) -> float:
        return 1.0

    async def sent(self, *_: object) -> None:
        self.ran.append("send")

    def get(self, _: Target, path: str, **parameters: str) -> dict[str, Any]:
        self.asked.append((path, parameters))
        return {"items": self.items.get(path, ITEMS), "country": "EIRE"}


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Platform:
    one = Platform(tmp_path)
    monkeypatch.setattr(Target, "current", lambda: one.target)
    monkeypatch.setattr(job, "run", one.run)
    monkeypatch.setattr(warehouse, "_landed", one.landed)
    monkeypatch.setattr(demo_warehouse, "ensure_sent", one.sent)
    monkeypatch.setattr(demo_recommendations, "_get", one.get)
    return one


def test_it_trains_publishes_tidies_up_checks_and_shows_what_won(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recommend.main(["--json"]) == 0

    out, err = capsys.readouterr()
    document = json.loads(out)
    assert platform.ran == [TRAIN, PUBLISH, EXPIRE, CHECK]
    assert document["ok"] is True
    assert document["jobs"][TRAIN]["result"] == TRAINED
    assert "20111210T000000Z-0123abcd, 1fad58d1ec86\n" in err
    assert "4,300, 3,600, 38" in err
    assert "ease, NDCG@10 0.129 (popularity 0.053)" in err
    assert "2,048 MB" in err
    assert "whole, item by item" in err
    assert all("--force" not in command for command in platform.commands)
    told = {environment["CADABRA_DYNAMODB_ENDPOINT"] for environment in platform.environments}
    assert told == {"http://127.0.0.1:3"}


def test_what_the_gate_refuses_ends_with_the_jobs_own_code(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.codes[PUBLISH] = 65

    assert recommend.main([]) == 65

    shown = capsys.readouterr().out
    assert platform.ran == [TRAIN, PUBLISH]
    assert "FAILED: gate, and into service ended with 65\n  the last words" in shown
    assert "whole" not in shown


def test_the_gate_can_be_overruled(platform: Platform) -> None:
    assert recommend.main(["--force"]) == 0
    assert ["--force" in command for command in platform.commands] == [False, True, False, False]


def test_nothing_runs(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none() -> Target:
        raise NotRunning("start it with make up")

    monkeypatch.setattr(Target, "current", none)
    assert recommend.main([]) == 1
    assert capsys.readouterr().out == "FAILED: start it with make up\n"


@pytest.mark.parametrize(
    ("before", "ran"),
    [
        (frozenset({"warehouse"}), [TRAIN, PUBLISH, EXPIRE, CHECK]),
        (frozenset(), ["send", warehouse.LOAD, TRAIN, PUBLISH, EXPIRE, CHECK]),
    ],
)
async def test_the_section_loads_what_no_section_before_did_and_shows_four_lists(
    platform: Platform, before: frozenset[str], ran: list[str]
) -> None:
    section = await demo_recommendations.run(Context(platform.target, print, before))

    assert (section.ok, platform.ran) == (True, ran)
    assert list(section.result["lists"]) == ["you_may_like", "buy_again", "also_bought", "popular"]
    assert ("/v1/products/22423/also-bought", {}) in platform.asked
    shown = "\n".join(section.notes)
    assert shown.count("REGENCY CAKESTAND 3 TIER") == 5
    assert "Customers who bought REGENCY CAKESTAND 3 TIER also bought" in shown
    assert "Popular in EIRE" in shown
    assert "because you bought X" in shown


async def test_an_empty_list_is_a_failure(platform: Platform) -> None:
    platform.items["/v1/products/22423/also-bought"] = []
    section = await demo_recommendations.run(Context(platform.target, print, frozenset({"warehouse"})))
    assert section.ok is False


async def test_a_failed_job_is_a_failure_and_nobody_asks(platform: Platform) -> None:
    platform.codes[TRAIN] = 70
    section = await demo_recommendations.run(Context(platform.target, print, frozenset({"warehouse"})))
    assert (section.ok, platform.asked) == (False, [])


async def test_a_failed_load_is_said(platform: Platform) -> None:
    platform.codes[warehouse.LOAD] = 75
    with pytest.raises(RuntimeError, match="ended with 75"):
        await demo_recommendations.run(Context(platform.target, print))
