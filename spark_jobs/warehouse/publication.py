"""Several tables, one moment of decision: `docs/decisions/0013-publication-across-tables.md`.

`loaded_objects` decides. Its branch `publishing` is the newest run that was announced; moving it is the
compare-and-swap that one of several runs wins. What follows only carries the decision out, may be repeated by anybody
at any point, and ends with `loaded_objects` itself: while its `main` lacks what `publishing` holds, a publication is
unfinished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from spark_jobs.objects import Objects
from spark_jobs.warehouse import export, runs
from spark_jobs.warehouse.audit import Fault
from spark_jobs.warehouse.branches import MAIN, Branches, NotAhead
from spark_jobs.warehouse.errors import Overtaken, Unfit
from spark_jobs.warehouse.lake import LOADED_OBJECTS, ORDER_LINES, STAR, Lake

PUBLISHING = "publishing"
RUN = "cadabra.run"
"""What the snapshot of `loaded_objects` that a run wrote says of it: the run's name."""
TABLES = (*STAR, ORDER_LINES, LOADED_OBJECTS)
"""In the order in which they are shown."""
_NO_ROWS_CHANGED = "replace"

Step = tuple[str, Callable[[], None]]


def staged_key(run: str) -> str:
    """Key of the export's document before the export counts."""
    return f"{export.document_key(run)}.staged"


class Publication:
    """What everybody sees of a lake, and how it changes."""

    def __init__(self, lake: Lake, objects: Objects) -> None:
        self._lake = lake.at(None)
        self._objects = objects

    def begin(self, run: str, at: int | None) -> None:
        """Make the run's branches, of `loaded_objects` first: whatever of the others is published after it makes the
        announcement fail.

        Args:
            at: the snapshot of `loaded_objects` that the run goes on from; None where it has none.
        """
        self.branches(LOADED_OBJECTS).create(runs.branch(run), at)
        for table in reversed(TABLES[:-1]):
            branches = self.branches(table)
            branches.create(runs.branch(run), branches.head(MAIN))

    def announce(self, run: str) -> None:
        """Decide that a run is published, if none was since it began.

        Raises:
            Overtaken: one was; nothing of this run will be seen.
        """
        try:
            self.branches(LOADED_OBJECTS).follow(PUBLISHING, runs.branch(run))
        except NotAhead as error:
            raise Overtaken(f"another run was published since {run} began") from error

    def unfinished(self) -> str | None:
        """The run that was announced and is not seen whole yet; None where all is done."""
        branches = self.branches(LOADED_OBJECTS)
        if branches.holds(MAIN, branches.head(PUBLISHING)):
            return None
        run = branches.property(PUBLISHING, RUN)
        if run is None:
            raise Unfit([Fault("a snapshot is not of a run", LOADED_OBJECTS, 1, [PUBLISHING])])
        return run

    def finish_announced(self, say: Callable[[str], None]) -> str | None:
        """Finish the run that died after its announcement, if there is one; returns its name.

        Args:
            say: is told of it.

        Raises:
            Unfit: see `finish`.
        """
        run = self.unfinished()
        if run is not None:
            say(f"{run} was announced and not finished: finishing it")
            self.finish(run)
        return run

    def finish(self, run: str) -> None:
        """Carry out what was announced; harmless where it is done in part or whole.

        Raises:
            Unfit: a table that everybody sees was written by somebody else.
        """
        for _, step in self.steps(run):
            step()

    def steps(self, run: str) -> Iterator[Step]:
        """What `finish` does, one commit each, by name and in order."""
        for table in TABLES[:-1]:
            yield f"show {table}", partial(self._show, table, run)
        yield "export", partial(self._export, run)
        yield f"show {LOADED_OBJECTS}", partial(self._show, LOADED_OBJECTS, run)

    def give_up(self, run: str) -> None:
        """Drop the branches of a run that was not announced, and the objects of its export."""
        for table in TABLES:
            self.branches(table).drop(runs.branch(run))
        self._objects.delete(one.key for one in self._objects.list(export.prefix(run)))

    def branches(self, table: str) -> Branches:
        """A table's branches as they are now."""
        return Branches(self._lake, table)

    def _show(self, table: str, run: str) -> None:
        """Let everybody see the run's branch of a table; where there is none, somebody has done it."""
        branches, branch = self.branches(table), runs.branch(run)
        head = branches.head(branch)
        if head is None:
            return
        if branches.holds(MAIN, head) and branches.head(MAIN) is not None:
            branches.drop(branch)
            return
        try:
            branches.follow_and_drop(MAIN, branch)
        except NotAhead:
            self._refuse_rows_of_others(branches, branch)
            branches.replace_and_drop(MAIN, branch)

    def _refuse_rows_of_others(self, branches: Branches, branch: str) -> None:
        """Compaction moves `main` aside and changes no row, so that it may be undone; anything else may not."""
        ours = {snapshot for snapshot, _ in branches.lineage(branch)}
        for snapshot, operation in branches.lineage(MAIN):
            if snapshot in ours:
                return
            if operation != _NO_ROWS_CHANGED:
                what = f"snapshot {snapshot} ({operation})"
                raise Unfit([Fault("rows that no load wrote", branches.table, 1, [what])])

    def _export(self, run: str) -> None:
        """Make the run's export count. Where there is nothing staged the run was for the lake alone."""
        if self._objects.get(export.document_key(run)) is None:
            document = self._objects.get(staged_key(run))
            if document is not None:
                self._objects.put(export.document_key(run), document)
