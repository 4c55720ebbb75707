"""Brings the warehouse up to the newest export, and says what it has."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.kernel.adapters.warehouse import Row, StatementFailed, Warehouse
from services.kernel.core.errors import MissingResource, Unavailable
from services.kernel.core.retry import Retry
from spark_jobs.warehouse.export import Export
from spark_jobs.warehouse.redshift import exports, ledger, star
from spark_jobs.warehouse.redshift.comparing import MOST_ROWS
from spark_jobs.warehouse.redshift.files import Files
from spark_jobs.warehouse.redshift.ledger import Load
from spark_jobs.warehouse.redshift.plan import DataAtFault, Plan, choose
from spark_jobs.warehouse.redshift.statements import EQUAL, GUARD, TOTAL, Statements, Transaction

_PATIENCE_S = 10.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Difference:
    """How a table differs from what the lake had after a run.

    Args:
        buckets: of its digest, that are not the same.
        rows: identities of some rows of the warehouse in them.
    """

    table: str
    buckets: int
    rows: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.table}: {self.buckets} buckets differ; rows in them: {', '.join(self.rows) or 'none'}"


@dataclass
class Report:
    """What a load did.

    Args:
        loaded: run, seconds and rows by table of each export, in order.
        passed_over: runs that a later export of all rows made up for.
        newest: the run that the warehouse has now.
    """

    loaded: list[dict[str, Any]] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    newest: str | None = None


@dataclass(frozen=True)
class Loading:
    """The work over one warehouse and one bucket of exports.

    Args:
        say: tells people what is going on.
    """

    warehouse: Warehouse
    files: Files
    statements: Statements
    say: Say

    async def load(self) -> Report:
        """Load every export that the warehouse does not have.

        Raises:
            DataAtFault: an export is not what it says, or one is missing.
            Retryable: S3 or the warehouse is away; repeating it is harmless.
        """
        await self._prepare()
        report = Report(newest=await self._newest())
        while True:
            plan = await self._plan(report.newest)
            if not plan.exports:
                return report
            for one in plan.exports:
                await self.files.hold(one, digests=one is plan.exports[-1])
            if await self._load_all(plan, report):
                report.passed_over += plan.passed_over
                return report
            report.newest = await self._moved_on(report.newest)

    async def check(self) -> list[Difference]:
        """How the warehouse differs from the digests of the export that it loaded last; empty where it does not.

        Raises:
            MissingResource: nothing was loaded.
            DataAtFault: that export's digests are gone.
        """
        newest = (await self.loads())[:1]
        if not newest:
            raise MissingResource("nothing was loaded yet")
        run = newest[0].run
        await self.files.hold_digests(run)
        now, *told = await self._run(self.statements.check(run))
        if now != [(run,)]:
            raise Unavailable("another load was done at this moment")
        return _differences(*told)

    async def loads(self) -> list[Load]:
        """All that was loaded, the newest first; makes nothing."""
        if not await self._is_prepared():
            return []
        return ledger.loads((await self._run(self.statements.loads()))[0])

    async def pending(self, loaded: str | None) -> tuple[Plan, DataAtFault | None]:
        """What a load would do, and why it could not."""
        try:
            return await self._plan(loaded), None
        except DataAtFault as error:
            return Plan(()), error

    async def _plan(self, loaded: str | None) -> Plan:
        return choose(loaded, await exports.behind(self.files.s3, self.files.bucket, loaded))

    async def _load_all(self, plan: Plan, report: Report) -> bool:
        """Load in order; whether nobody else was faster."""
        for one in plan.exports:
            started = time.monotonic()
            self.say(f"loading {one.run}")
            if not await self._load_one(one, report.newest, compare=one is plan.exports[-1]):
                self.say("another load was faster")
                return False
            report.newest = one.run
            rows = {name: table.rows for name, table in one.tables.items()}
            report.loaded.append(
                {"run": one.run, "seconds": round(time.monotonic() - started, 3), "rows": rows}
            )
        return True

    async def _load_one(self, export: Export, after: str | None, compare: bool) -> bool:
        transaction = self.statements.load(export, after, compare)
        try:
            await self.warehouse.run(transaction.statements)
        except StatementFailed as error:
            step = transaction.step(error.index)
            if step == GUARD:
                return False
            raise await self._explained(export, step, error) from error
        return True

    async def _explained(self, export: Export, step: str, error: StatementFailed) -> DataAtFault:
        if not step.startswith((EQUAL, TOTAL)):
            return DataAtFault(f"{export.run}: {step}: {error.words}", run=export.run, step=step)
        self.say(f"{export.run} does not come out as the lake has it ({step}); looking where")
        try:
            await self.files.hold_digests(export.run)
            differences = _differences(*await self._run(self.statements.rehearse(export)))
        except DataAtFault:
            differences = []
        words = "; ".join(map(str, differences)) or error.words
        return DataAtFault(
            f"{export.run}: {step}: the warehouse would not be equal to the lake. Nothing was changed. {words}",
            run=export.run,
            step=step,
            differences=[shown(one) for one in differences],
        )

    async def _moved_on(self, seen: str | None) -> str | None:
        """The newest run, after another load was faster."""
        newest = await self._newest()
        if newest == seen:
            raise Unavailable("the ledger says one thing inside a transaction and another one outside")
        return newest

    async def _newest(self) -> str | None:
        loads = ledger.loads((await self._run(self.statements.loads()))[0])
        return loads[0].run if loads else None

    async def _is_prepared(self) -> bool:
        [rows] = await self._run(self.statements.what_is_there())
        return len(rows) > len(star.tables())

    async def _prepare(self) -> None:
        """Make the tables; two that do so at once may both fail, and one of them has then made them."""
        if not await self._is_prepared():
            self.say("making the warehouse's tables")
            await Retry(budget_s=_PATIENCE_S).call(lambda: self._run(self.statements.prepare()))

    async def _run(self, transaction: Transaction) -> list[list[Row]]:
        return await self.warehouse.run(transaction.statements)


def shown(difference: Difference) -> dict[str, Any]:
    """The same for programs."""
    return {"table": difference.table, "buckets": difference.buckets, "rows": list(difference.rows)}


def _differences(buckets: Sequence[Row], rows: Sequence[Row]) -> list[Difference]:
    return [
        Difference(
            str(table), int(str(count)), tuple(str(key) for name, key in rows if name == table)[:MOST_ROWS]
        )
        for table, count in buckets
    ]
