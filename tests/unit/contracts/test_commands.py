"""`python -m contracts`: what each command finds, prints and returns."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from contracts import catalog, codec, examples
from contracts.__main__ import main
from contracts.codec import ContractViolation

ORDER_EXAMPLES = catalog.ROOT / "examples/order/1"


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON file in place."""
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")


def run(root: Path, *arguments: str) -> int:
    """Run one command over a copy."""
    return main(["--root", str(root), *arguments])


def test_check_is_green_on_a_complete_copy(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing stale, nothing broken: 0 and one line."""
    assert run(copied, "check") == 0, capsys.readouterr().err
    assert (
        "12 contracts, 4 streams, 6 tables, 1 indices, 1 topics, 2 landings, 7 lake tables, 5 warehouse tables: "
        "all is well"
    ) in capsys.readouterr().out


def add_service(root: Path, name: str) -> None:
    """Make a service's folder."""
    folder = root.parent / "services" / name
    folder.mkdir()
    (folder / "__main__.py").touch()


def more_consumers(root: Path, count: int) -> None:
    """Let `orders` be read by so many."""
    names = [f"reader_{number}" for number in range(count)]
    for name in names:
        add_service(root, name)
    path = root / "streams/orders.toml"
    path.write_text(
        path.read_text("utf-8").replace('"dynamodb_writer"', ", ".join(f'"{name}"' for name in names)),
        "utf-8",
    )


def edit_text(path: Path, old: str, new: str) -> None:
    """Put other words in place of some that stand there."""
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def schema(root: Path, change: Callable[[Any], object]) -> None:
    """Change the schema of `order/1`."""
    edit(root / "schemas/order/1.json", change)


PROBLEMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a service without a part": (lambda root: add_service(root, "idler"), "services/idler neither writes nor reads"),
    "a party without a folder": (
        lambda root: (root.parent / "services/storefront/__init__.py").unlink(),
        "storefront writes or reads, but is no folder",
    ),
    "an edited page": (
        lambda root: (root / "generated/docs/catalogue.md").write_text("mine"),
        "generated/docs/catalogue.md is stale",
    ),
    "a lost page": (lambda root: (root / "generated/docs/catalogue.md").unlink(), "catalogue.md is stale"),
    "a page that nothing makes": (lambda root: (root / "generated/docs/old.md").touch(), "docs/old.md is stale"),
    "a changed description": (
        lambda root: schema(root, lambda s: s.update(description="Other words.")),
        "catalogue.md is stale",
    ),
    "a removed field": (lambda root: schema(root, lambda s: s["properties"].pop("trace")), "/trace was removed"),
    "a removed version": (
        lambda root: (root / "generated/released/order").rename(root / "generated/released/gone"),
        "gone/1: a released version was removed",
    ),
    "a wrong example": (
        lambda root: edit(root / "examples/order/1/sale.valid.json", lambda e: e.update(kind="gift")),
        "sale.valid.json expects None, found [('/kind', 'not_in_enum')]",
    ),
    "an expectation that is not met": (
        lambda root: edit(
            root / "examples/order/1/no_lines.invalid.json", lambda e: e["expect"][0].update(pointer="/line")
        ),
        "no_lines.invalid.json expects",
    ),
    "no valid example": (
        lambda root: shutil.rmtree(root / "examples/rejected"),
        "rejected/1: no valid example",
    ),
    "a consumer without dead letters": (
        lambda root: more_consumers(root, 1),
        "reader_0 reads orders, but is no producer of its dead letters",
    ),
    "a second application of nobody": (
        lambda root: edit_text(root / "streams/rejected.toml", "lake_writer-rejected", "nobody-rejected"),
        "nobody writes or reads, but is no folder",
    ),
    "more bytes than a shard gives": (lambda root: more_consumers(root, 4), "read more than a shard gives"),
    "more reads than a shard serves": (lambda root: more_consumers(root, 6), "more than 5 times a second"),
}  # fmt: skip


@pytest.mark.parametrize("case", PROBLEMS)
def test_check_finds(case: str, copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each thing that must not land is named, and the exit code is 1."""
    change, says = PROBLEMS[case]
    change(copied)
    assert run(copied, "check") == 1
    assert says in capsys.readouterr().err


def test_render_repairs_what_is_stale(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing and foreign files are put right, released snapshots stay."""
    (copied / "generated/docs/catalogue.md").unlink()
    (copied / "generated/docs/old.md").touch()
    assert run(copied, "render") == 0
    assert capsys.readouterr().out.splitlines() == ["generated/docs/catalogue.md", "generated/docs/old.md"]
    assert run(copied, "check") == 0
    assert (copied / "generated/released/order/1.json").is_file()


def test_render_repeated_changes_nothing(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same catalogue gives the same bytes."""
    assert run(copied, "render") == 0
    assert capsys.readouterr().out == ""


def test_the_page_names_every_field_stream_and_table() -> None:
    """A reader of the page alone sees the whole catalogue, and the flow as plain text."""
    page = (catalog.ROOT / "generated/docs/catalogue.md").read_text("utf-8")
    loaded = catalog.load()
    for contract in loaded.contracts.values():
        for name in contract.schema["properties"]:  # type: ignore[attr-defined]
            assert f"| `{name}` |" in page
    for name in ("lines[].unit_price", "details[].pointer", "decimal(18,4)", "by_customer"):
        assert name in page
    assert (
        "order_ingest, order_file_ingest --> stream orders (order/1) --> dynamodb_writer, order_rate_alarm"
        in " ".join(page.split())
    )
    assert "```mermaid" in page


def test_release_keeps_what_is_compatible(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A new optional field is released, and from then on cannot be removed."""
    run(copied, "release")  # contracts that are new may still change as they like
    capsys.readouterr()
    field = {"type": "boolean", "description": "Whether it is a present."}
    schema(copied, lambda s: s["properties"].update(gift=field))
    assert run(copied, "release") == 0
    assert capsys.readouterr().out == "released order/1\n"
    schema(copied, lambda s: s["properties"].pop("gift"))
    assert run(copied, "release") == 1
    assert "/gift was removed" in capsys.readouterr().err


def test_validate_prints_every_fault(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each fault with its pointer, and 1; a valid document alone gives 0."""
    bad = json.loads((ORDER_EXAMPLES / "header.invalid.json").read_text("utf-8"))
    (tmp_path / "bad.json").write_text(json.dumps(bad["record"]))
    good = str(ORDER_EXAMPLES / "sale.valid.json")
    assert main(["validate", "order/1", good]) == 0
    assert main(["validate", "order/1", good, str(tmp_path / "bad.json")]) == 1
    printed = capsys.readouterr().out
    assert printed.count("a valid order/1") == 2
    assert printed.count("bad.json: /") == len(bad["expect"])
    assert "bad.json: /kind: not_in_enum: one of sale, cancellation, adjustment" in printed


def test_validate_reads_lines_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NDJSON, one JSON line out for each line in, with its number."""
    good = json.dumps(json.loads((ORDER_EXAMPLES / "sale.valid.json").read_text("utf-8")))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{good}\n\nnot json\n{{}}\n".encode())))
    assert main(["validate", "order/1", "--lines", "--json"]) == 1
    first, second, third = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["file"], first["valid"], first["faults"]) == ("-:1", True, [])
    assert (second["file"], second["reason"]) == ("-:3", "invalid_json")
    assert len(third["faults"]) == 10


@pytest.mark.parametrize(
    "arguments", [["validate", "order/7"], ["validate", "order"], ["validate", "order/1", "/none"]]
)
def test_what_cannot_be_used_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown contract or file is not a verdict."""
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("contracts: ")


def test_the_module_runs_from_the_shell() -> None:
    """`--help` names every command and the exit codes; no command at all is 2."""
    shown = subprocess.run(
        [sys.executable, "-m", "contracts", "--help"], capture_output=True, text=True, check=True
    )
    for word in ("render", "check", "release", "validate", "exit codes"):
        assert word in shown.stdout
    assert subprocess.run([sys.executable, "-m", "contracts"], capture_output=True).returncode == 2


# Records of streams alone have a hot path; rows of files and tables are never decoded one by one.
EXAMPLES = [
    pytest.param(contract.name, contract.version, example, id=f"{contract.name}-{example.path.name}")
    for contract in map(catalog.load().contract_of, catalog.load().streams.values())
    for example in examples.load(contract, catalog.ROOT)
]


@pytest.mark.parametrize(("name", "version", "example"), EXAMPLES)
def test_examples_get_their_verdict_from_the_hot_path_too(
    name: Literal["order"], version: Literal[1], example: examples.Example
) -> None:
    """What the check asks of the reference holds for the codec."""
    decode = codec.decoder(name, version)
    if example.expected is None:
        decode(example.data)
        return
    with pytest.raises(ContractViolation) as caught:
        decode(example.data)
    found = [(fault.pointer, fault.code) for fault in caught.value.details] or caught.value.reason
    assert found == example.expected


@pytest.mark.parametrize(
    "text", ['{"expect": 1, "record": {}}', '{"expect": [], "record": {}, "more": 1}', "[]"]
)
def test_an_example_in_another_form_is_refused(copied: Path, text: str) -> None:
    """A typing error in an example is not taken for a verdict."""
    (copied / "examples/order/1/odd.invalid.json").write_text(text)
    assert run(copied, "check") == 2


def test_an_example_without_a_verdict_is_refused(copied: Path) -> None:
    """Every file in the folder says what it is."""
    (copied / "examples/order/1/odd.json").write_text("{}")
    assert run(copied, "check") == 2
