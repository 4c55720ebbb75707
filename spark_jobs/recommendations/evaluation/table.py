"""What was found as a table for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from spark_jobs.recommendations.evaluation.findings import (
    LABELS,
    MEASURES,
    OURS,
    SPLITS,
    WORDS,
    Cut,
    Estimate,
    Verdict,
    three,
)

_WIDTH = 30
SPLIT_TEXTS = {
    "ALL": "all articles",
    "NEW": "articles that are new to the customer",
}
LIST_TEXTS = {
    "also_bought": "also bought, each article of an order asked for the rest of it, mean of orders",
    "popular": "popular, newcomers' first articles, mean of newcomers",
}


def rows(cuts: Sequence[Cut]) -> Iterator[str]:
    """The tables of all cut-offs."""
    for cut in cuts:
        yield f"cut-off {cut.day}: {cut.articles:,} articles known; ours: {recipe(cut)}"
        for split in SPLITS:
            yield from _split(cut, split)
        for name, methods in cut.lists.items():
            yield f"  {LIST_TEXTS[name]}, {cut.cases[name]:,}"
            for method, found in methods.items():
                estimates = "".join(f"{interval(getattr(found, one)):>19}" for one in MEASURES)
                yield f"    {method:<{_WIDTH - 2}}{estimates}"
        for method, text in cut.chosen.items():
            yield f"  {LABELS.get(method, method)}: {text}"
        yield ""


def _split(cut: Cut, split: str) -> Iterator[str]:
    yield f"  {split}: {SPLIT_TEXTS[split]}, {cut.users[split]:,} customers"
    heads = "".join(f"{WORDS[one]:>19}" for one in MEASURES)
    yield f"    {'':<{_WIDTH - 2}}{heads}{'coverage':>10}{'novelty':>9}"
    for method, found in cut.methods[split].items():
        estimates = "".join(f"{interval(getattr(found, one)):>19}" for one in MEASURES)
        yield f"    {LABELS[method]:<{_WIDTH - 2}}{estimates}{three(found.coverage):>10}{found.novelty:>9.1f}"
    if split in cut.against:
        yield f"    {against(cut, split)}"


def against(cut: Cut, split: str) -> str:
    """Ours beside the best other method, as a sentence."""
    found = cut.against[split]
    return (
        f"{LABELS[OURS]} minus {LABELS[found.peer]}: NDCG {signed(found.ndcg)}, recall {signed(found.recall)}"
        " (paired, 95 %)"
    )


def recipe(cut: Cut) -> str:
    """What the choice picked, by list."""
    return ", ".join(f"{name} {method}" for name, method in cut.recipe.items())


def interval(found: Estimate) -> str:
    """A measure with its interval."""
    return f"{three(found.value)} [{three(found.low)} {three(found.high)}]"


def signed(found: Estimate) -> str:
    """A difference with its interval."""
    return f"{found.value:+.4f} [{found.low:+.4f} {found.high:+.4f}]"


def told(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Whether each goal is met."""
    for one in verdicts:
        yield f"{'met   ' if one.met else 'MISSED'} {one.sentence}"
    if not verdicts:
        yield "no goal is set for these cut-offs"


def took(found: Mapping[str, float]) -> list[str]:
    """Seconds, CPU seconds and megabytes of a step."""
    return [f"{found['elapsed_s']:.0f}", f"{found['cpu_s']:.0f}", f"{found['peak_bytes'] / 2**20:,.0f}"]


def steps(every: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """What each step took."""
    for name, found in every.items():
        elapsed, cpu, memory = took(found)
        yield f"{name:<{_WIDTH}}{elapsed:>6} s{cpu:>6} s of CPU{memory:>8} MB"
