"""The workers of a schedule, and what has to hold for all of them together."""

from __future__ import annotations

import random
from collections import Counter

from services.kernel.streams.assignment import most_leases
from tests.simulation.judge import Broken
from tests.simulation.worker import SETTINGS, Worker
from tests.simulation.world import World

# A reading may be this late: one look, one poll and their calls on a bad day.
LAG_TOLERANCE_S = 4.0
# A shard that changes hands is told by neither owner until the new one has looked.
TWO_LOOKS_S = 2.5
# A worker that reaches the table looks at it every second; a round that takes and rewinds many leases lasts longer.
LONGEST_BLIND_S = 3.0


class Fleet:
    """One to eight workers; some of them may be a canary's, one at least is of the stable variant."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        count = rng.choice((1, 1, 2, 2, 2, 3, 3, 4, 5, 8))
        canaries = rng.randrange(count) if rng.random() < 0.3 else 0
        share = rng.choice((0.1, 0.25, 0.5))
        self.workers = [Worker(world, n, rng, share if n >= count - canaries else 1.0) for n in range(count)]
        self._healed_at_s = 0.0
        self._under_told_since_s = 0.0

    def revive(self) -> None:
        """Start every worker that was killed or has drained."""
        for worker in self.workers:
            if not worker.alive:
                worker.start()

    def heal(self) -> None:
        """End the troubles that have no end of their own, and start whoever is down."""
        self._healed_at_s = self._world.loop.time()
        for worker in self.workers:
            worker.trouble.heal()
        self.revive()

    def check(self) -> None:
        """No promise was broken, no worker ended by itself, and each that reaches the table looks at it."""
        if self._world.judge.verdict is not None:
            raise Broken(self._world.judge.verdict)
        for worker in self.workers:
            if worker.metrics.records_lost_possible.value:
                raise Broken(f"worker {worker.number} tells of lost records where no shard is gone")
            if worker.task.done():
                if not worker.life.dead and (error := worker.task.exception()):
                    raise Broken(f"worker {worker.number} ended: {error!r}") from error
            elif worker.ready and not worker.life.dead and not worker.stopping.is_set():
                self._check_look(worker)

    def _check_look(self, worker: Worker) -> None:
        """Whatever Kinesis does, a worker that reaches the table sees which leases expire."""
        if worker.trouble.throttle_dynamodb:
            return
        now_s = self._world.loop.time()
        hindered_until_s = worker.free_from_s(max(worker.trouble.table_until_s, self._healed_at_s))
        blind_s = now_s - max(hindered_until_s, worker.client.looked_at_s)
        if blind_s > LONGEST_BLIND_S:
            raise Broken(f"worker {worker.number} did not look at the table for {blind_s:.1f} s")

    def check_lag(self) -> None:
        """The fleet's largest lag is not under what is really open, once somebody had time to look."""
        now_s = self._world.loop.time()
        if self._world.wall_jump_s < 0 or not all(self._has_looked(worker) for worker in self.workers):
            self._under_told_since_s = now_s
            return
        told_s = max(worker.metrics.lag.value for worker in self.workers)
        true_s = now_s - self._world.judge.oldest_open_s()
        if true_s - told_s <= LAG_TOLERANCE_S:
            self._under_told_since_s = now_s
        elif now_s - self._under_told_since_s > TWO_LOOKS_S:
            raise Broken(f"lag is {true_s:.1f} s and the fleet says {told_s:.1f} s")

    def _has_looked(self, worker: Worker) -> bool:
        """Whether the worker has been able to see the whole group for a lease time."""
        hindered_until_s = worker.free_from_s(max(worker.trouble.until_s, self._healed_at_s))
        return (
            worker.alive
            and worker.ready
            and hindered_until_s + SETTINGS.lease_time_s < self._world.loop.time()
        )

    @property
    def awake(self) -> bool:
        """Whether no worker is frozen."""
        return all(worker.life.frozen_until_s <= self._world.loop.time() for worker in self.workers)

    @property
    def balanced(self) -> bool:
        """Whether every open lease is held, by each variant its share, and within a variant equally within one."""
        open_leases = [lease for lease in self._world.judge.leases.values() if not lease.ended]
        held = Counter(lease.owner for lease in open_leases)
        by_share: dict[float, list[int]] = {}
        for worker in self.workers:
            by_share.setdefault(worker.settings.lease_share, []).append(held.pop(worker.group.worker_id, 0))
        return not held and all(
            max(counts) - min(counts) <= 1
            and (share == 1 or sum(counts) == most_leases(len(open_leases), share))
            for share, counts in by_share.items()
        )

    def ask_to_stop(self) -> None:
        """Ask all to drain; nothing hinders them any more, for who cannot reach the table cannot release."""
        for worker in self.workers:
            worker.trouble.no_dynamodb_until_s = worker.trouble.no_kinesis_until_s = 0.0
            worker.trouble.silent_dynamodb_until_s = worker.trouble.silent_kinesis_until_s = 0.0
            worker.stopping.set()

    @property
    def stopped(self) -> bool:
        """Whether every worker has ended."""
        return all(worker.task.done() for worker in self.workers)

    def check_released(self) -> None:
        """No lease is held by anybody."""
        owners = {lease.owner for lease in self._world.judge.leases.values() if not lease.ended} - {None}
        if owners:
            raise Broken(f"drained workers still hold leases: {owners}")
