"""What the sender knows for sure: every order and file line with its outcome, kept in an append-only file.

The file holds one JSON object a line. A process that is killed leaves at most a cut last line, which is left
out when the ledger is opened again; an order whose outcome is then missing counts as unknown.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, TextIO, get_args

Outcome = Literal["sent", "acknowledged", "refused", "unknown"]
OUTCOMES: tuple[str, ...] = get_args(Outcome)
FINAL = ("acknowledged", "refused")


class FileLine(NamedTuple):
    """One line that is durable in an order file.

    Args:
        row: the line's place in the raw input.
        offset: its first byte in the order file.
    """

    row: int
    offset: int


class OrderEntry(NamedTuple):
    """The newest outcome of one order that was sent by HTTP.

    Args:
        outcome: `sent` where no answer was seen yet; it means the same as `unknown`.
        detail: the refusal's code, else "".
    """

    source: str
    order_id: str
    lines: int
    outcome: Outcome
    detail: str


class Ledger:
    """An append-only record of what was sent, opened for one run of the platform.

    A ledger of another run describes engines that are gone, so the first entry begins it anew.

    Args:
        path: the file; created where there is none.
        run_id: the run of the platform that the orders go to.
    """

    def __init__(self, path: Path, run_id: str) -> None:
        self.path = path
        self.run_id = run_id
        self.orders: dict[tuple[str, str], OrderEntry] = {}
        self.files: dict[str, list[FileLine]] = {}
        self.file_sources: dict[str, str] = {}
        self.resumed = self._load()
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _open(self) -> TextIO:
        """Opens the file for appending; ends a cut line, and begins anew over another run's."""
        if self.resumed:
            with self.path.open("rb+") as whole:
                whole.seek(-1, 2)
                if whole.read(1) != b"\n":
                    whole.write(b"\n")
            return self.path.open("a", encoding="utf-8", buffering=1)
        self.resumed = True
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("w", encoding="utf-8", buffering=1)
        file.write(json.dumps({"run_id": self.run_id}) + "\n")
        return file

    def _load(self) -> bool:
        if not self.path.exists():
            return False
        entries = _entries(self.path)
        if next(entries, {}).get("run_id") != self.run_id:
            return False
        for entry in entries:
            self._apply(entry)
        return True

    def _apply(self, entry: dict[str, Any]) -> None:
        if "file" in entry:
            self.file_sources[entry["file"]] = entry["source"]
            known = self.files.setdefault(entry["file"], [])
            known.extend(FileLine(row, offset) for row, offset in entry["lines"])
        else:
            order = OrderEntry(
                entry["source"], entry["order_id"], entry["lines"], entry["outcome"], entry["detail"]
            )
            self.orders[order.source, order.order_id] = order

    def _append(self, entry: dict[str, Any]) -> None:
        self._file = self._file or self._open()
        self._file.write(json.dumps(entry, separators=(",", ":")) + "\n")
        self._apply(entry)

    def order(self, source: str, order_id: str, lines: int, outcome: Outcome, detail: str = "") -> None:
        """Records an order's newest outcome.

        An acknowledgement is never taken back: a later `sent` or `unknown` of the same order changes nothing.
        """
        known = self.orders.get((source, order_id))
        if known and known.outcome in FINAL and outcome not in FINAL:
            return
        self._append(
            {
                "source": source,
                "order_id": order_id,
                "lines": lines,
                "outcome": outcome,
                "detail": detail,
            }
        )

    def file_lines(self, name: str, source: str, durable: Sequence[FileLine]) -> None:
        """Records lines of an order file once their last byte has been synced to the disk."""
        if durable:
            self._append({"file": name, "source": source, "lines": [list(line) for line in durable]})

    def outcome(self, source: str, order_id: str) -> Outcome | None:
        """The newest outcome of an order, None where it was never sent."""
        entry = self.orders.get((source, order_id))
        return entry.outcome if entry else None

    def counts(self) -> dict[str, int]:
        """Orders and lines by outcome, and the lines that are durable in files."""
        orders: Counter[str] = Counter(entry.outcome for entry in self.orders.values())
        lines: Counter[str] = Counter()
        for entry in self.orders.values():
            lines[entry.outcome] += entry.lines
        found = {f"orders_{outcome}": orders[outcome] for outcome in OUTCOMES}
        found |= {f"lines_{outcome}": lines[outcome] for outcome in OUTCOMES}
        found["file_lines"] = sum(len(durable) for durable in self.files.values())
        return found

    def sources(self) -> set[str]:
        """Every sender that this ledger speaks for."""
        return {entry.source for entry in self.orders.values()} | set(self.file_sources.values())

    def close(self) -> None:
        """Closes the file, in which everything recorded already is; recording more opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    """Every whole entry; a cut line, left by a kill in the middle of a write, is passed over."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry
