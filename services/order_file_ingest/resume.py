"""The operator's word for a file that was paused because too many of its lines were bad."""

from __future__ import annotations

from dataclasses import replace

from services.kernel.tail.positions import READING, PositionStore
from services.order_file_ingest.known_files import EXEMPT, PAUSED


async def resume(store: PositionStore, source: str, name: str, whole: bool) -> str:
    """Lets a paused file go on from its position; whatever worker serves the folder picks it up.

    Args:
        whole: never pause this file again; without it, it pauses again if its next lines are as bad.

    Returns:
        one sentence on what was done; it begins with "resumed" if the file was paused.

    Raises:
        LeaseLost: somebody else changed the entry at the same moment; look again.
        Retryable: the table does not answer.
    """
    key = f"{source}/{name}"
    entry = await store.load(key)
    if entry is None:
        return f"unknown: no position is kept for {key}"
    if entry.state != PAUSED or entry.owner is not None:
        return f"not paused: {key} is {entry.state} at offset {entry.position.offset}"
    state = EXEMPT if whole else READING
    await store.swap(replace(entry, state=state, counter=entry.counter + 1), entry.counter)
    return f"resumed: {key} goes on from offset {entry.position.offset}"
