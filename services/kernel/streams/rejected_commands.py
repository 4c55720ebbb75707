"""The commands on dead letters: list them, show one, put one back."""

from __future__ import annotations

import base64
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from contracts.catalog import Catalog
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.retry import Retry
from services.kernel.core.settings import ServiceSettings
from services.kernel.streams import rejected_replay
from services.kernel.streams.lease_commands import CommandFailed
from services.kernel.streams.printing import Shown, table
from services.kernel.streams.rejected_reader import Letters, read_letters

PATIENCE_S = 30.0


async def run(kinesis: Kinesis, catalog: Catalog, settings: ServiceSettings, options: Namespace) -> Shown:
    """Run `rejected` with its subcommand, `list` when there is none."""
    letters = await read_letters(kinesis, f"{settings.namespace}-rejected")
    if options.action in (None, "list"):
        return _list(letters)
    letter = _find(letters, options.id)
    if options.action == "show":
        return _show(letter, options.json)
    corrected = options.data.read_bytes() if options.data is not None else None
    replay = rejected_replay.prepare(letter, catalog, settings.namespace, corrected)
    stored = await rejected_replay.put(kinesis, replay, Retry(budget_s=PATIENCE_S))
    value = {
        "rejected_id": options.id,
        "stream": replay.stream,
        "partition_key": replay.partition_key,
        "shard_id": stored.shard_id,
        "sequence_number": str(stored.sequence_number),
    }
    return Shown(
        value, [f"{replay.partition_key} is in {replay.stream}: {stored.shard_id}:{stored.sequence_number}"]
    )


def _list(letters: Letters) -> Shown:
    rows = []
    for one in letters.whole:
        where = one["file"] or one["stream"] or "-"
        place = one["offset"] if one["file"] else one["sequence_number"]
        rows.append([one["rejected_id"], one["reason"], one["size_bytes"], f"{where}:{place}"])
    lines = table(["id", "reason", "bytes", "where"], rows)
    for letter_id, (there, of) in sorted(letters.incomplete.items()):
        lines.append(f"{letter_id}: only {there} of {of} chunks are there")
    return Shown([_for_machines(one) for one in letters.whole], lines)


def _find(letters: Letters, letter_id: str) -> dict[str, Any]:
    if letter_id in letters.incomplete:
        there, of = letters.incomplete[letter_id]
        raise CommandFailed(
            f"of the dead letter {letter_id} only {there} of {of} chunks are there: its bytes are not whole"
        )
    letter = next((one for one in letters.whole if one["rejected_id"] == letter_id), None)
    if letter is None:
        raise CommandFailed(f"no dead letter {letter_id}; they are kept for 7 days")
    return letter


def _show(letter: dict[str, Any], as_json: bool) -> Shown:
    if as_json:
        return Shown(_for_machines(letter), [])
    fields = [[name, value] for name, value in letter.items() if name not in ("data", "details")]
    lines: Sequence[str] = [
        *table(["field", "value"], fields),
        *(f"fault at {detail['pointer'] or '/'}: {detail['reason']}" for detail in letter["details"]),
        "",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    sys.stdout.buffer.write(letter["data"])  # as they are: a terminal shows what a file keeps
    return Shown(None, [""])


def _for_machines(letter: dict[str, Any]) -> dict[str, Any]:
    return {**letter, "data": base64.b64encode(letter["data"]).decode("ascii")}
