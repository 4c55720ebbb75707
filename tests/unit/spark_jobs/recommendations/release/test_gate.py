"""The gate: each reason alone, several at once, and what it does not ask for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spark_jobs.recommendations.release import manifest as manifests
from spark_jobs.recommendations.release.gate import judge
from spark_jobs.recommendations.release.manifest import LISTS, Manifest
from tests import recommendation_versions as made


def version(number: int = 1, **other: Any) -> Manifest:
    one = made.made(number, **other)
    return manifests.parse(one.name, json.dumps(one.manifest()).encode())


def with_ndcg(name: str, method: str, ndcg: float | None) -> dict[str, dict[str, float]]:
    """The usual measurements but for one."""
    measured = {one: dict(methods) for one, methods in made.MEASURED.items()}
    if ndcg is None:
        del measured[name][method]
    else:
        measured[name][method] = ndcg
    return measured


def test_one_that_is_as_good_as_the_one_in_service_passes() -> None:
    assert judge(version(2), version(1)) == []


def test_the_first_one_is_held_against_popularity_alone() -> None:
    assert judge(version(), None) == []


@pytest.mark.parametrize("name", LISTS)
def test_no_list_may_be_worse_than_the_best_popularity(name: str) -> None:
    own = made.RECIPE[name]
    best = max(value for method, value in made.MEASURED[name].items() if method.startswith("popularity_"))
    assert judge(version(measured=with_ndcg(name, own, best)), None) == []
    [reason] = judge(version(measured=with_ndcg(name, own, best - 0.0001)), None)
    assert reason.startswith(f"{name}: {own} has NDCG")
    assert "popularity" in reason


def test_a_list_without_a_yardstick_or_without_its_method_measured_is_refused() -> None:
    unmeasured = version(measured=with_ndcg("you_may_like", "ease", None))
    assert judge(unmeasured, version()) == ["you_may_like: its method ease was not measured"]
    measured = with_ndcg("buy_again", "popularity_30d", None)
    assert judge(version(measured=measured), None) == ["buy_again: popularity was not measured"]


def test_a_list_may_not_be_worse_than_the_method_in_service_on_the_same_weeks() -> None:
    recipe = {**made.RECIPE, "you_may_like": "als"}
    [reason] = judge(version(2, recipe=recipe), version(1))
    assert reason == (
        "you_may_like: als has NDCG 0.1100, and on the same weeks the method in service, ease, 0.1200"
    )
    assert judge(version(2), version(1, recipe=recipe)) == []


def test_a_method_in_service_that_is_no_longer_measured_leaves_only_the_rule_of_80_percent() -> None:
    serving = version(1)
    recipe = {**made.RECIPE, "you_may_like": "als"}

    def candidate(ndcg: float) -> Manifest:
        measured = with_ndcg("you_may_like", "ease", None)
        measured["you_may_like"]["als"] = ndcg
        return version(2, recipe=recipe, measured=measured)

    assert judge(candidate(0.0961), serving) == []
    [reason] = judge(candidate(0.0959), serving)
    assert "less than 80% of the 0.1200" in reason


def test_a_list_far_below_what_the_one_in_service_once_had_is_refused_though_nothing_is_better_now() -> None:
    measured = with_ndcg("you_may_like", "ease", 0.095)
    measured["you_may_like"]["als"] = 0.09
    [reason] = judge(version(2, measured=measured), version(1))
    assert reason.startswith("you_may_like: NDCG 0.0950 is less than 80%")


@pytest.mark.parametrize("kind", ["customer", "product", "country", "everywhere"])
def test_each_kind_of_subjects_has_to_be_there_still(kind: str) -> None:
    then = {"customer": 100, "product": 100, "country": 100, "everywhere": 100}
    serving = version(1, other={"subjects": then})
    assert judge(version(2, other={"subjects": {**then, kind: 90}}), serving) == []
    [reason] = judge(version(2, other={"subjects": {**then, kind: 89}}), serving)
    assert reason == f"89 subjects of kind {kind}, less than 90% of 100 in service"


def test_all_reasons_are_said_at_once() -> None:
    then = {"customer": 100, "product": 100, "country": 2, "everywhere": 1}
    measured = with_ndcg("popular", "country_30d", 0.01)
    measured["you_may_like"]["als"] = 0.2
    candidate = version(2, measured=measured, other={"subjects": {**then, "customer": 1, "product": 2}})
    serving = version(1, recipe={**made.RECIPE, "you_may_like": "als"}, other={"subjects": then})
    reasons = judge(candidate, serving)
    assert [reason.split()[0] for reason in reasons] == ["popular:", "you_may_like:", "popular:", "1", "2"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"version": "20111211T000000Z-ffffffff"}, "the manifest of"),
        ({"digest": "abc"}, "SHA-256"),
        ({"files": ["lists/../../x.parquet"]}, "files"),
        ({"files": ["lists/a.parquet", "lists/a.parquet"]}, "files"),
        ({"files": None}, "no manifest"),
        ({"recipe": {}}, "no manifest"),
        (
            {"choice": {"lists": {name: {"candidates": {"ease": {"ndcg": float("nan")}}} for name in LISTS}}},
            "NDCG",
        ),
        ({"trained_until": "yesterday"}, "times"),
        ({"subjects": {"customer": "many"}}, "no manifest"),
    ],
)
def test_a_manifest_that_is_not_one_says_why(other: dict[str, Any], words: str) -> None:
    with pytest.raises(manifests.Unreadable, match=words):
        version(1, other=other)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b'{"version": "20111', b"\xff"])
def test_half_a_manifest_is_none(data: bytes) -> None:
    with pytest.raises(manifests.Unreadable):
        manifests.parse("20111211T000000Z-00000001", data)


def test_names_of_versions_are_times() -> None:
    assert manifests.began("20111211T010203Z-0123abcd").isoformat() == "2011-12-11T01:02:03+00:00"
    for wrong in ("20111211T010203Z-0123ABCD", "20111211-1", "", "../x"):
        assert not manifests.is_name(wrong)
        with pytest.raises(ValueError, match="no version's name"):
            manifests.began(wrong)
    assert manifests.parted("recommendations/v1/20111211T010203Z-0123abcd/lists/a") == (
        "20111211T010203Z-0123abcd",
        "lists/a",
    )
    assert manifests.parted("recommendations/v1/readme") is None
