"""One random schedule: workers, shards, records and faults drawn from a seed, run to quiet, judged throughout."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.faults import Faults
from tests.simulation.fleet import Fleet
from tests.simulation.judge import Broken
from tests.simulation.virtual_loop import VirtualLoop, run
from tests.simulation.world import World

MIN_RECORDS = 200
MIN_KINDS = 3
LOAD_S = 5.0
BURSTS = 20
QUIET_TIMEOUT_S = 240.0
LOOK_S = 0.25


@dataclass
class Result:
    """What one schedule showed.

    Args:
        cells: how often a fault met a worker in a state.
        records, repeats: records put, and effects beyond the first of each.
    """

    seed: int
    records: int = 0
    repeats: int = 0
    virtual_s: float = 0.0
    steps: int = 0
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)


def play(seed: int) -> Result:
    """Run one schedule.

    Raises:
        Broken: a promise did not hold; the same seed shows it again.
    """
    result = Result(seed)

    async def main(loop: VirtualLoop) -> None:
        schedule = Schedule(loop, random.Random(seed))
        await schedule.play()
        result.records = schedule.world.stream.total
        result.repeats = sum(schedule.world.judge.handled.values()) - result.records
        result.cells = schedule.faults.cells
        result.virtual_s, result.steps = loop.time(), loop.steps

    run(main)
    if result.records < MIN_RECORDS or len({kind for kind, _ in result.cells}) < MIN_KINDS:
        raise Broken(
            f"a schedule of {result.records} records and {len(result.cells)} faults shows too little"
        )
    return result


class Schedule:
    """The course of one simulation."""

    def __init__(self, loop: VirtualLoop, rng: random.Random) -> None:
        aggregated = rng.choice((0.0, 0.0, 0.05, 0.3))
        self.world = World(loop, rng, rng.randint(1, 5), aggregated)
        self.fleet = Fleet(self.world, rng)
        self.faults = Faults(self.world, self.fleet, rng)
        self._loop = loop
        self._rng = rng
        self._records = MIN_RECORDS + rng.randint(0, 20)

    async def play(self) -> None:
        """Put the records while faults happen, heal everything, wait for quiet, judge the end."""
        await self._load()
        self.fleet.heal()
        judge = self.world.judge
        await self._until(lambda: self.fleet.awake, "every worker runs")
        await self._until(lambda: self.faults.commands_done, "every operator's command ends")
        await self._until(lambda: judge.all_handled, "every record is handled")
        await self._until(lambda: judge.all_checkpointed, "every checkpoint is at its shard's tip")
        await self._until(lambda: self.fleet.balanced, "the leases are balanced within one, by variant")
        await self._stop()

    async def _load(self) -> None:
        faults = [(self._rng.uniform(0.05, LOAD_S), kind) for kind in self.faults.draw()]
        bursts = [(LOAD_S * n / BURSTS, "") for n in range(BURSTS)]
        left = BURSTS
        for at_s, kind in sorted(faults + bursts):
            await self._loop.after(at_s - self._loop.time())
            if kind:
                self.faults.strike(kind)
            else:
                self._put(left)
                left -= 1
            self.fleet.check()

    def _put(self, bursts_left: int) -> None:
        """Put this burst's part of the records that are missing; after the last none is."""
        upto = self._records - (self._records - self.world.stream.total) * (bursts_left - 1) // bursts_left
        while self.world.stream.total < upto:
            self.world.put()

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline_s = self._loop.time() + QUIET_TIMEOUT_S
        while not condition():
            self.fleet.check()
            self.fleet.check_lag()
            self.fleet.revive()
            if self._loop.time() > deadline_s:
                raise Broken(f"not within {QUIET_TIMEOUT_S:g} s: {what}")
            await self._loop.after(LOOK_S)

    async def _stop(self) -> None:
        self.fleet.ask_to_stop()
        deadline_s = self._loop.time() + QUIET_TIMEOUT_S
        while not self.fleet.stopped:
            if self._loop.time() > deadline_s:
                raise Broken("a worker that was asked to stop did not")
            await self._loop.after(LOOK_S)
        self.fleet.check()
        self.fleet.check_released()
