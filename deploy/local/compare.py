"""Compares the order store with the raw file and with what the sender knows, line by line.

It holds when acknowledged lines are all stored, nothing is stored that was not sent, no line is there twice,
every line says what the file says, and all totals and populations are those of the raw file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import retail
from deploy.local.figures import Figures, LineFacts, differences, facts_of
from deploy.local.ledger import Ledger
from deploy.local.stored import Parts, StoredOrder, unite

TOLD = 20
"""How many differences are listed; all are counted."""


@dataclass(slots=True)
class Report:
    """The outcome of one comparison.

    Args:
        counts: lines by what became of them.
        told: the first differences, as sentences.
        difference_count: all of them.
    """

    counts: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    difference_count: int = 0
    expected: Figures = field(default_factory=Figures)
    stored: Figures = field(default_factory=Figures)

    @property
    def ok(self) -> bool:
        """Whether not a single difference was found."""
        return self.difference_count == 0

    def differ(self, what: str, sentence: str) -> None:
        """Counts one difference and keeps the first ones' sentences."""
        self.counts[what] += 1
        self.difference_count += 1
        if len(self.told) < TOLD:
            self.told.append(f"{what}: {sentence}")

    def as_json(self) -> dict[str, Any]:
        """Everything, with the figures that the store and the raw file have."""
        named = ("sent", "acknowledged", "refused", "unknown", "never_sent", "stored")
        found = ("missing", "doubled", "foreign", "altered", "conflicting", "other_senders")
        return {
            "ok": self.ok,
            **{name: self.counts[name] for name in named + found},
            "difference_count": self.difference_count,
            "differences": self.told,
            "stored_figures": self.stored.as_json(),
            "raw_figures": self.expected.as_json(),
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line as it was sent.

    Args:
        certain: acknowledged, or durable in a file: it must be stored. Otherwise it may be.
    """

    facts: LineFacts
    certain: bool


Identities = dict[str, dict[str, Wanted]]
"""By source, then by line id."""


def compare(parts: Parts, ledger: Ledger, raw: Path = retail.DATA_FILE, *, complete: bool = True) -> Report:
    """Compares every line; empties `parts` on the way.

    Args:
        complete: whether all of the raw file must have arrived; without it only what was acknowledged must.
    """
    report = Report()
    in_files = _file_identities(ledger)
    sources = sorted(ledger.sources())
    http_sources = sorted({source for source, _ in ledger.orders})
    for invoice in retail.invoices(raw):
        facts = [facts_of(line) for line in invoice.lines]
        wanted = _wanted(invoice, facts, ledger, http_sources, in_files, report)
        found: list[LineFacts] = []
        for source in sources:
            key = (source, invoice.invoice_no)
            order = unite(*key, parts.pop(key, []))
            _compare_order(key, wanted.get(source, {}), order, wanted, report)
            found += order.lines.values()
        _add(report.stored, invoice.invoice_no, found)
        _add(report.expected, invoice.invoice_no, facts if complete else _certain(wanted, found))
    _leftover(parts, sources, report)
    for sentence in differences(report.expected.as_json(), report.stored.as_json()):
        report.differ("figures", sentence)
    return report


def _file_identities(ledger: Ledger) -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = {}
    for name, durable in ledger.files.items():
        for line in durable:
            identity = (ledger.file_sources[name], f"{name}:{line.offset}")
            known = found.setdefault(line.row, [])
            if identity not in known:
                known.append(identity)
    return found


def _wanted(
    invoice: retail.Invoice,
    facts: list[LineFacts],
    ledger: Ledger,
    http_sources: list[str],
    in_files: Mapping[int, list[tuple[str, str]]],
    report: Report,
) -> Identities:
    """What may or must be stored of an invoice; counts its lines by outcome."""
    wanted: Identities = {}
    refused = 0
    for source in http_sources:
        outcome = ledger.outcome(source, invoice.invoice_no)
        if outcome is None:
            continue
        name = "unknown" if outcome == "sent" else outcome
        report.counts["sent"] += len(facts)
        report.counts[name] += len(facts)
        if name == "refused":
            refused = len(facts)
        else:
            certain = name == "acknowledged"
            wanted[source] = {str(ordinal): Wanted(line, certain) for ordinal, line in enumerate(facts, 1)}
    for line, content in zip(invoice.lines, facts, strict=True):
        identities = in_files.get(line.row, [])
        for source, line_id in identities:
            wanted.setdefault(source, {})[line_id] = Wanted(content, certain=True)
        report.counts["sent"] += len(identities)
        report.counts["acknowledged"] += len(identities)
    never_sent = len(facts) - refused - sum(len(lines) for lines in wanted.values())
    report.counts["never_sent"] += max(0, never_sent)
    return wanted


def _compare_order(
    key: tuple[str, str],
    wanted: dict[str, Wanted],
    order: StoredOrder,
    all_wanted: Identities,
    report: Report,
) -> None:
    where = "/".join(key)
    report.counts["stored"] += len(order.lines)
    for fault in order.faults:
        report.differ("unreadable", fault)
    if order.lines and order.ordered_at != min(line.ordered_at for line in order.lines.values()):
        report.differ("altered", f"{where} has the time {order.ordered_at}, not its earliest line's")
    for line_id in sorted(order.conflicts):
        report.differ("conflicting", f"{where} line {line_id} is stored with two contents")
    for line_id, line in wanted.items():
        stored = order.lines.get(line_id)
        if stored is None:
            if line.certain:
                report.differ("missing", f"{where} line {line_id} was acknowledged and is not stored")
        elif stored != line.facts:
            report.differ("altered", f"{where} line {line_id}: {_changes(line.facts, stored)}")
    for line_id in order.lines.keys() - wanted.keys():
        stored = order.lines[line_id]
        known = any(stored == line.facts for lines in all_wanted.values() for line in lines.values())
        sentence = f"{where} line {line_id} is stored and was not sent"
        report.differ("doubled" if known else "foreign", f"{sentence}{', its content was' if known else ''}")


def _changes(sent: LineFacts, stored: LineFacts) -> str:
    return ", ".join(
        f"{name} was sent as {before!r}, is stored as {after!r}"
        for name, before, after in zip(LineFacts._fields, sent, stored, strict=True)
        if before != after
    )


def _certain(wanted: Identities, found: list[LineFacts]) -> list[LineFacts]:
    """What an incomplete run must have stored: all that is certain, and what arrived of the unknown."""
    stored = Counter(found)
    lines = [line for of_source in wanted.values() for line in of_source.values()]
    return [line.facts for line in lines if line.certain or stored[line.facts] > 0]


def _add(figures: Figures, order_id: str, lines: list[LineFacts]) -> None:
    if lines:
        figures.add(order_id, lines)


def _leftover(parts: Parts, sources: list[str], report: Report) -> None:
    """Orders that the raw file does not have: foreign under our senders, only counted under others."""
    for (source, order_id), held in parts.items():
        order = unite(source, order_id, held)
        if source not in sources:
            report.counts["other_senders"] += len(order.lines)
            continue
        _compare_order((source, order_id), {}, order, {}, report)
        _add(report.stored, order_id, list(order.lines.values()))
    parts.clear()
