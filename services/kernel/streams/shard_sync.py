"""The leases of a table in step with the shards of a stream, looked after beside the rounds of a worker.

A Kinesis that does not answer must not keep a worker from seeing that a lease expired: rounds go on with the shards
that were listed last, and only a worker that has listed none yet waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core import logs
from services.kernel.core.errors import Retryable, Unavailable
from services.kernel.streams import shard_graph
from services.kernel.streams.beside import Beside
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.lease import Lease
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.records import Shard

log = logs.get("streams")


class ShardSync:
    """Makes the leases that are missing and forgets those of shards that the stream has forgotten.

    Args:
        interval_s: seconds between two looks at the stream.
        clock: monotonic seconds.
        on_news: called once a look has found other shards than the one before.

    Attributes:
        listed: the shards that the stream listed last, by id; empty before the first look.
    """

    def __init__(
        self,
        kinesis: Kinesis,
        stream: str,
        leases: LeaseTable,
        metrics: GroupMetrics,
        interval_s: float,
        clock: Callable[[], float],
        on_news: Callable[[], None],
    ) -> None:
        self.listed: dict[str, Shard] = {}
        self._kinesis = kinesis
        self._stream = stream
        self._leases = leases
        self._metrics = metrics
        self._interval_s = interval_s
        self._clock = clock
        self._on_news = on_news
        self._looked_at_s: float | None = None
        self._lost: frozenset[str] = frozenset()
        self._look = Beside()

    async def keep_up(self, leases: Mapping[str, Lease]) -> bool:
        """Begin a look at the stream if one is due; the first is waited for.

        Args:
            leases: the table as it was just read.

        Returns:
            Whether it was waited for, so that the table may have changed.

        Raises:
            Retryable: the first look failed; a later one that fails is tried again with the next call.
            Fatal: the stream does not exist, or the credentials are refused.
        """
        try:
            free = self._look.ended()
        except Retryable as error:
            log.warning("shards_not_listed", error=error)
            free = True
        if free and self._is_due(leases):
            self._look.begin(self._compare(dict(leases)))
        if self.listed:
            return False
        await self._look.wait()
        self._look.ended()
        return True

    def hurry(self) -> None:
        """Look with the next call: a shard ended, and its children are to be read without delay."""
        self._looked_at_s = None

    def cancel(self) -> None:
        """Give up the look that is under way."""
        self._look.cancel()

    def _is_due(self, leases: Mapping[str, Lease]) -> bool:
        if self._looked_at_s is None or not leases.keys() >= self.listed.keys():
            return True
        return self._clock() - self._looked_at_s >= self._interval_s

    async def _compare(self, leases: dict[str, Lease]) -> None:
        """Compare the stream with the table as it was before: a lease that is younger than the list proves nothing."""
        self._looked_at_s = self._clock()
        try:
            shards = await self._kinesis.list_shards(self._stream)
            if not shards:
                raise Unavailable("the stream lists no shards")  # an empty answer proves nothing expired
            listed = {shard.shard_id: shard for shard in shards}
            missing = shard_graph.missing_leases(shards, leases)
            for lease in missing:
                await self._leases.create(lease)
            for lease in shard_graph.removable(leases, listed):
                await self._leases.delete(lease)
            known = leases.keys() | {lease.shard_id for lease in missing}
            self._tell_losses(await self._leases.read(), known, listed)
        except BaseException:
            self._looked_at_s = None
            raise
        news = bool(missing) or listed.keys() != self.listed.keys()
        self.listed = listed
        if news:
            self._on_news()

    def _tell_losses(self, leases: Mapping[str, Lease], known: set[str], listed: Mapping[str, Shard]) -> None:
        found = (
            shard_graph.readiness(leases[shard_id], leases, listed).lost for shard_id in known & leases.keys()
        )
        lost = frozenset(shard_id for each in found for shard_id in each)
        for shard_id in lost - self._lost:
            log.error("records_lost_possible", shard_id=shard_id, accept="accept-loss")
        self._lost = lost
        self._metrics.records_lost_possible.set(len(lost))
