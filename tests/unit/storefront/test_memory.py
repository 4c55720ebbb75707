"""Memory is bounded in bytes and in subjects, and gives a version nothing of another's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contracts.recommendations import Recommendations
from services.storefront import memory
from services.storefront.memory import Memory
from services.storefront.metrics import StorefrontMetrics


def a_record(subject: str) -> Recommendations:
    return Recommendations(subject=subject, description=None, country=None, lists=[])


def test_a_version_gets_its_own_record_only() -> None:
    kept = Memory(100, StorefrontMetrics(process=False))
    kept.keep("1", a_record("product:a"), 10)
    assert kept.record("1", "product:a") == a_record("product:a")
    assert kept.record("2", "product:a") is None
    kept.keep("2", a_record("product:a"), 10)
    assert kept.record("1", "product:a") is None
    assert kept.record("2", "product:a") is not None


def test_what_was_not_asked_for_the_longest_goes_first_and_what_is_too_long_never_comes() -> None:
    kept = Memory(100, StorefrontMetrics(process=False))
    kept.keep("1", a_record("product:a"), 50)
    kept.keep("1", a_record("product:b"), 50)
    kept.record("1", "product:a")
    kept.keep("1", a_record("product:c"), 50)
    kept.keep("1", a_record("product:d"), 101)
    found = [code for code in "abcd" if kept.record("1", f"product:{code}") is not None]
    assert found == ["a", "c"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("12"), st.integers(0, 60)), max_size=40))
def test_its_bytes_are_those_of_what_it_holds_and_within_their_bound(
    steps: list[tuple[str, str, int]],
) -> None:
    metrics = StorefrontMetrics(process=False)
    kept = Memory(100, metrics)
    sizes: dict[tuple[str, str], int] = {}
    for subject, version, size_bytes in steps:
        kept.keep(version, a_record(subject), size_bytes)
        sizes[version, subject] = size_bytes
        held = [key for key in sizes if kept.record(*key) is not None]
        said = metrics.registry.get_sample_value("cadabra_storefront_cached_bytes")
        assert said == sum(sizes[key] for key in held) <= 100
        assert metrics.registry.get_sample_value("cadabra_storefront_cached_records") == len(held)
        assert (version, subject) in held


def test_missing_subjects_are_known_of_their_version_and_bounded() -> None:
    metrics = StorefrontMetrics(process=False)
    kept = Memory(100, metrics)
    for number in range(memory.MAX_MISSING):
        kept.keep_missing("1", f"customer:{number}")
    assert kept.is_missing("1", "customer:0")
    assert not kept.is_missing("2", "customer:0")
    kept.keep_missing("1", "customer:one more")
    assert kept.is_missing("1", "customer:0")
    assert not kept.is_missing("1", "customer:1")
    assert metrics.registry.get_sample_value("cadabra_storefront_known_missing") == memory.MAX_MISSING
