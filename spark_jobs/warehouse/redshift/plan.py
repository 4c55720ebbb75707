"""Which exports are loaded, and in which order: none may be left out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.kernel.core.errors import CadabraError
from spark_jobs.warehouse import runs
from spark_jobs.warehouse.export import Export


class DataAtFault(CadabraError):
    """An export, or what the warehouse holds, is not what it should be; nothing was changed.

    Args:
        details: the same for programs.
    """

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.details = details


@dataclass(frozen=True)
class Plan:
    """What is to be loaded.

    Args:
        exports: in this order.
        passed_over: runs that a later export of all rows makes up for.
    """

    exports: tuple[Export, ...]
    passed_over: tuple[str, ...] = ()


def sequence(run: str | None) -> int:
    """A run's number; 0 before the first.

    Raises:
        DataAtFault: it is no run's name.
    """
    if run is None:
        return 0
    try:
        return runs.sequence(run)
    except ValueError as error:
        raise DataAtFault(f"{run!r} is not the name of a run", run=run) from error


def choose(loaded: str | None, exports: Sequence[Export]) -> Plan:
    """Decide what to load.

    Args:
        loaded: the newest run that the warehouse has.
        exports: all that are to be found, in any order; older ones than `loaded` are left alone.

    Raises:
        DataAtFault: exports between are gone, and none of all rows makes up for them.
    """
    last, chosen, passed_over = loaded, list[Export](), list[str]()
    waiting: list[Export] = []
    for export in sorted(exports, key=lambda one: one.run):
        if loaded is not None and export.run <= loaded:
            continue
        if _is_whole(export):
            passed_over += [one.run for one in waiting]
            waiting = []
        elif chosen and _is_whole(chosen[-1]) and sequence(export.run) <= sequence(last):
            continue  # its rows are among all rows
        elif waiting or sequence(export.after) != sequence(last):
            waiting.append(export)
            continue
        chosen.append(export)
        last = export.run
    if waiting:
        raise _gap(last, waiting[0])
    return Plan(tuple(chosen), tuple(passed_over))


def _gap(last: str | None, found: Export) -> DataAtFault:
    return DataAtFault(
        f"export {found.after} is missing: {last or 'nothing'} is loaded, and {found.run} comes after it. Nothing was "
        "loaded; it takes what is between, or all rows of every table: `python -m spark_jobs.warehouse export`",
        missing=found.after,
        after=last,
        found=found.run,
    )


def _is_whole(export: Export) -> bool:
    return all(table.whole for table in export.tables.values())
