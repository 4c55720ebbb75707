"""The named snapshots of one table of the lake, moved by Iceberg itself: each call is one commit, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pyspark.errors import IllegalArgumentException

from services.kernel.core.errors import Unavailable
from spark_jobs.java_errors import java_classes
from spark_jobs.warehouse.lake import Lake

MAIN = "main"
_TRIES = 8
"""Of a commit that somebody else's came before; each begins at the table as it is then."""


class NotAhead(Exception):
    """The branch does not hold what the one that was to follow it holds; nothing was moved."""


class Branches:
    """A table's branches. Reads what the table is now, not what the session remembers.

    Args:
        table: logical name, as in `contracts/lake/`.
    """

    def __init__(self, lake: Lake, table: str) -> None:
        self.table = table
        spark = lake.spark
        loader = spark._jvm.org.apache.iceberg.spark.Spark3Util
        self._iceberg = loader.loadIcebergTable(spark._jsparkSession, lake.at(None).name(table))
        self._iceberg.refresh()

    def names(self) -> list[str]:
        """All branches, `main` included where it has a snapshot."""
        return sorted(str(name) for name, ref in self._iceberg.refs().items() if ref.isBranch())

    def head(self, branch: str) -> int | None:
        """The branch's snapshot; None where there is none."""
        ref = self._iceberg.refs().get(branch)
        return None if ref is None else int(ref.snapshotId())

    def holds(self, branch: str, snapshot: int | None) -> bool:
        """Whether a snapshot is the branch's or one that it was made of."""
        return snapshot is None or any(one == snapshot for one, _ in self.lineage(branch))

    def lineage(self, branch: str) -> Iterator[tuple[int, str]]:
        """Snapshots from the branch's back to the oldest that is kept, each with what made it (`append`, ...)."""
        at = self.head(branch)
        while at is not None:
            snapshot = self._iceberg.snapshot(at)
            if snapshot is None:
                return
            yield at, str(snapshot.operation())
            parent = snapshot.parentId()
            at = None if parent is None else int(parent)

    def property(self, branch: str, name: str) -> str | None:
        """What the writer of a branch's snapshot noted in it; None where it noted nothing."""
        at = self.head(branch)
        value = None if at is None else self._iceberg.snapshot(at).summary().get(name)
        return None if value is None else str(value)

    def create(self, branch: str, at: int | None) -> None:
        """Make a branch that is not there yet.

        Args:
            at: its snapshot; None for one without rows, of a table that has none.
        """
        self._commit(lambda refs: refs.createBranch(branch) if at is None else refs.createBranch(branch, at))

    def follow(self, branch: str, ahead: str) -> None:
        """Move a branch to another one that goes on from it; a branch that is not there is made.

        Raises:
            NotAhead: the other one does not go on from it.
        """
        self._commit(lambda refs: refs.fastForwardBranch(branch, ahead))

    def follow_and_drop(self, branch: str, ahead: str) -> None:
        """As `follow`; in the same commit the other one goes.

        Raises:
            NotAhead: the other one does not go on from it.
        """
        self._commit(lambda refs: refs.fastForwardBranch(branch, ahead).removeBranch(ahead))

    def replace_and_drop(self, branch: str, by: str) -> None:
        """Move a branch to another one, whatever it held; in the same commit the other one goes."""
        self._commit(lambda refs: refs.replaceBranch(branch, by).removeBranch(by))

    def drop(self, branch: str) -> None:
        """Remove a branch; none is fine."""
        self._iceberg.refresh()
        if self.head(branch) is not None:
            self._commit(lambda refs: refs.removeBranch(branch))

    def _commit(self, change: Callable[[Any], Any]) -> None:
        """Commit a change of the table as it is; where another commit comes first, begin anew.

        Raises:
            Unavailable: others came first again and again.
        """
        for _ in range(_TRIES):
            self._iceberg.refresh()
            try:
                change(self._iceberg.manageSnapshots()).commit()
            except IllegalArgumentException as error:
                if "not an ancestor" in str(error):
                    raise NotAhead(f"{self.table}: {error}") from error
                raise
            except Exception as error:
                if not any(name.endswith("CommitFailedException") for name in java_classes(error)):
                    raise
            else:
                self._iceberg.refresh()
                return
        raise Unavailable(f"{self.table}: {_TRIES} commits of others came before ours")
