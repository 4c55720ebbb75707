"""The documents name tests as proofs; a proof that is gone is a guarantee that is gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.kernel.streams.shard_consumer import Outcome

ROOT = Path(__file__).parents[3]
PROOF = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "services/*/*.md", "contracts/*.md", "data/*.md")
    for path in ROOT.glob(pattern)
)


def proofs() -> list[tuple[str, str]]:
    found = (proof for path in DOCUMENTS for proof in PROOF.findall(path.read_text(encoding="utf-8")))
    return sorted(set(found))


@pytest.mark.parametrize(("file", "name"), proofs())
def test_every_named_proof_exists(file: str, name: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not name or re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), f"{file} has no {name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_guarantees_are_among_the_documents() -> None:
    assert len([file for file, name in proofs() if name]) > 20


def test_the_states_of_a_shard_name_every_way_in_which_a_worker_stops_reading_it() -> None:
    text = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
    diagram = text.partition("```mermaid")[2].partition("```")[0]
    rows = dict(
        re.findall(r"^\| (\w+) \|.*\| (?:`(\w+)` )?\|$", text.partition("| state |")[2], re.MULTILINE)
    )
    assert {outcome for outcome in rows.values() if outcome} == {outcome.value for outcome in Outcome}
    assert rows.keys() == set(re.findall(r"\b[A-Z]\w+(?= -->)|(?<=--> )[A-Z]\w+", diagram)) - {"Held"}
