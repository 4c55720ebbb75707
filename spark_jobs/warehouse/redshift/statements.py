"""The lists of statements that the warehouse is given, each one transaction, the same for both engines. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.kernel.adapters.warehouse import Ask, Statement
from spark_jobs.warehouse.export import Export
from spark_jobs.warehouse.redshift import comparing, ledger, star
from spark_jobs.warehouse.redshift.comparing import Steps
from spark_jobs.warehouse.redshift.dialects import Dialect

GUARD = "newest"
"""The step that fails where another load has been faster."""
STAGED, TOTAL, EQUAL = "staged rows", "total rows", "equal"
"""Steps, or the first word of one, that fail where an export is not what it says it is."""


@dataclass(frozen=True)
class Transaction:
    """Statements, and what each is for."""

    steps: tuple[tuple[str, Statement], ...]

    @property
    def statements(self) -> Sequence[Statement]:
        """Those of all steps, in order."""
        return [statement for _, statement in self.steps]

    def step(self, index: int) -> str:
        """What a statement is for."""
        return self.steps[index][0]


@dataclass(frozen=True)
class Statements:
    """Makes the transactions over one warehouse.

    Args:
        schema: that its tables are in.
        bucket: that the exports are in.
    """

    schema: str
    bucket: str
    dialect: Dialect

    def what_is_there(self) -> Transaction:
        """Names of the schema's tables that are ours."""
        names = ", ".join(f"'{name}'" for name in (*star.tables(), ledger.TABLE))
        query = (
            "SELECT table_name FROM information_schema.tables\n"  # noqa: S608 - names of contracts
            f"WHERE table_schema = '{self.schema}' AND table_name IN ({names})"
        )
        return Transaction((("tables", Ask(query)),))

    def prepare(self) -> Transaction:
        """Make every table that is not there yet; harmless to repeat."""
        creates = [(name, star.create(name, self.dialect)) for name in star.tables()]
        schema = ("schema", f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"')
        return Transaction((schema, self._path(), *creates, (ledger.TABLE, ledger.create())))

    def loads(self) -> Transaction:
        """All that was loaded, the newest first."""
        return Transaction((self._path(), ("ledger", ledger.read())))

    def load(self, export: Export, after: str | None, compare: bool) -> Transaction:
        """Bring an export into the warehouse.

        Args:
            after: the export that the warehouse has now.
            compare: whether all tables must come out as the export's digests say.
        """
        return Transaction(
            (self._path(), *self._begin(after), *self._merge(export), *self._end(export, compare))
        )

    def rehearse(self, export: Export) -> Transaction:
        """Do the same on temporary copies, which hide the tables of their names, and say how they come out."""
        copies = [
            (f"shadow {name}", f'CREATE TEMP TABLE "{name}" AS SELECT * FROM "{self.schema}"."{name}"')  # noqa: S608
            for name in star.tables()
        ]
        return Transaction((self._path(), *copies, *self._merge(export), *self._compare(export.run)))

    def check(self, run: str) -> Transaction:
        """Say how the tables differ from the digests of an export; the newest run of the ledger comes first."""
        newest = Ask(f'SELECT MAX("run") FROM "{ledger.TABLE}"')  # noqa: S608 - a constant
        return Transaction((self._path(), ("newest", newest), *self._compare(run)))

    def _path(self) -> tuple[str, str]:
        return "schema", f'SET search_path TO "{self.schema}"'

    def _begin(self, after: str | None) -> Steps:
        yield "lock", self.dialect.lock.format(f'"{ledger.TABLE}"')
        yield GUARD, ledger.newest_is(after)

    def _merge(self, export: Export) -> Iterator[tuple[str, Statement]]:
        touched = [star.tables()[name] for name, one in export.tables.items() if one.whole or one.rows]
        for table in touched:
            yield from star.staging(table, export.tables[table.name], self.bucket)
        if touched:
            yield STAGED, comparing.counted({one.staged: export.tables[one.name].rows for one in touched})
        for table in touched:
            yield from star.merging(table, export.tables[table.name])

    def _end(self, export: Export, compare: bool) -> Steps:
        yield TOTAL, comparing.counted({name: one.total_rows for name, one in export.tables.items()})
        if compare:
            yield from comparing.digests(export.run, self.bucket)
            yield from comparing.equal(self.dialect)
        yield ledger.TABLE, ledger.enter(export, self.dialect)

    def _compare(self, run: str) -> Steps:
        yield from comparing.digests(run, self.bucket)
        yield from comparing.told(self.dialect)
