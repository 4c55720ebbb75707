"""Which version may come into service: no worse than popularity, and than what is in service. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from spark_jobs.recommendations.release.manifest import KINDS, LISTS, Manifest

YARDSTICK = "popularity_"
"""What the names of the methods begin with that every list has to equal or beat."""
KEPT_NDCG = 0.8
"""Share of what a list of the version in service had reached at its own choice, on other weeks."""
KEPT_SUBJECTS = 0.9
"""Share of the subjects of each kind that the version in service has."""


def judge(candidate: Manifest, serving: Manifest | None) -> list[str]:
    """Everything that speaks against a version; empty where it may come into service.

    Args:
        serving: what is in service; None where nothing ever was.
    """
    found = [reason for name in LISTS for reason in _against_popularity(candidate, name)]
    if serving is not None:
        for name in LISTS:
            found += _against_serving(candidate, serving, name)
        found += _fewer_subjects(candidate, serving)
    return found


def _against_popularity(candidate: Manifest, name: str) -> Iterator[str]:
    measured, own = candidate.measured[name], candidate.ndcg(name)
    yardsticks = {method: ndcg for method, ndcg in measured.items() if method.startswith(YARDSTICK)}
    if own is None:
        yield f"{name}: its method {candidate.recipe[name]} was not measured"
    elif not yardsticks:
        yield f"{name}: popularity was not measured"
    else:
        best = max(yardsticks, key=lambda method: yardsticks[method])
        if own < yardsticks[best]:
            yield f"{name}: {candidate.recipe[name]} has NDCG {own:.4f}, {best} {yardsticks[best]:.4f}"


def _against_serving(candidate: Manifest, serving: Manifest, name: str) -> Iterator[str]:
    own, theirs = candidate.ndcg(name), candidate.measured[name].get(serving.recipe[name])
    if own is None:
        return
    if theirs is not None and own < theirs:
        yield (
            f"{name}: {candidate.recipe[name]} has NDCG {own:.4f}, and on the same weeks the method in service, "
            f"{serving.recipe[name]}, {theirs:.4f}"
        )
    once = serving.ndcg(name)
    if once is not None and own < KEPT_NDCG * once:
        yield (
            f"{name}: NDCG {own:.4f} is less than {KEPT_NDCG:.0%} of the {once:.4f} that the version in service had "
            "when it was chosen"
        )


def _fewer_subjects(candidate: Manifest, serving: Manifest) -> Iterator[str]:
    for kind in KINDS:
        now, then = candidate.subjects[kind], serving.subjects[kind]
        if now < KEPT_SUBJECTS * then:
            yield f"{now} subjects of kind {kind}, less than {KEPT_SUBJECTS:.0%} of {then} in service"
