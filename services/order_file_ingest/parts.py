"""Lines that follow one another into parts of orders."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.codec import OrderLine
from services.kernel.tail.lines import Line
from services.order_file_ingest.csv_lines import Row

MAX_GROUP_BYTES = 512 * 1024


@dataclass(slots=True)
class Group:
    """Consecutive lines of one invoice and one time (and one customer and country).

    Args:
        start: offset of the first line in its file.
        first: the first line's row, which says what the order is.
    """

    start: int
    first: Row
    lines: list[OrderLine] = field(default_factory=list)


class Grouper:
    """Collects lines until the invoice or the time changes or the group is 512 KiB of the file long.

    The cut depends on the bytes from the group's first line on and on nothing else, so that reading them again
    from there gives the same parts; only `close` (an idle file) cuts by the clock.
    """

    def __init__(self) -> None:
        self._open: Group | None = None

    @property
    def is_open(self) -> bool:
        """Whether lines wait for what follows them."""
        return self._open is not None

    def add(self, row: Row, line: Line) -> tuple[Group | None, bool]:
        """Takes the next line.

        Returns:
            the group that ended before this line, if one did, and whether this line begins a new one.
        """
        group = self._open
        if group is not None and self._belongs(group, row, line):
            group.lines.append(row.line)
            return None, False
        self._open = Group(line.offset, row, [row.line])
        return group, True

    def close(self) -> Group | None:
        """Ends the group that is open, and returns it."""
        group, self._open = self._open, None
        return group

    @staticmethod
    def _belongs(group: Group, row: Row, line: Line) -> bool:
        return line.end - group.start <= MAX_GROUP_BYTES and row.part_key == group.first.part_key
