"""What all workers of a simulation share: the stream, the lease table's rows, the clocks, the judge."""

from __future__ import annotations

import random
from typing import Any

from tests.simulation.judge import Judge
from tests.simulation.stream import SimStream
from tests.simulation.virtual_loop import VirtualLoop


class World:
    """One stream and one lease table.

    Attributes:
        epoch: raised to make every iterator expire.
        wall_jump_s: how far the machines' clocks are from virtual time.
    """

    def __init__(self, loop: VirtualLoop, rng: random.Random, shards: int, aggregated: float) -> None:
        self.loop = loop
        self.stream = SimStream(rng, shards, aggregated)
        self.judge = Judge(self.stream, loop.time)
        self.rows: dict[str, dict[str, Any]] = {}
        self.epoch = 0
        self.wall_jump_s = 0.0

    def put(self) -> None:
        """Put one record, or an aggregate, at this moment."""
        self.stream.put(self.loop.time())
