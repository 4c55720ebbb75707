"""Lag of shards that nobody reads, so that a fleet that holds too little cannot look healthy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.errors import MissingResource, Retryable
from services.kernel.streams.aggregation import last_sub_sequence
from services.kernel.streams.beside import Beside
from services.kernel.streams.lease import Lease
from services.kernel.streams.records import Record

PROBE_INTERVAL_S = 30.0


class LagProbe:
    """Reads one record at the checkpoint of each unread shard, at most every 30 s; between probes lag grows.

    It reads beside its caller, so that a Kinesis that does not answer holds nobody up.

    Args:
        clock: monotonic seconds.
    """

    def __init__(
        self, kinesis: Kinesis, stream: str, clock: Callable[[], float], wall_clock: Callable[[], float]
    ) -> None:
        self._kinesis = kinesis
        self._stream = stream
        self._clock = clock
        self._wall_clock = wall_clock
        self._wanted: set[str] = set()
        self._probed: dict[str, tuple[float, int]] = {}
        self._probing = Beside()

    @property
    def knows_all(self) -> bool:
        """Whether each of the shards last asked about has been probed."""
        return self._wanted == self._probed.keys()

    def largest_lag_ms(self, unread: Sequence[Lease]) -> int:
        """The largest lag of those of these shards that are known, in milliseconds; probing the others begins.

        Args:
            unread: leases that are free and not ended.
        """
        now_s = self._clock()
        self._wanted = {lease.shard_id for lease in unread}
        self._probed = {name: known for name, known in self._probed.items() if name in self._wanted}
        due = [lease for lease in unread if self._is_due(lease, now_s)]
        if self._probing.ended() and due:
            self._probing.begin(self._probe(due))
        return max((lag + int((now_s - at_s) * 1000) for at_s, lag in self._probed.values()), default=0)

    def cancel(self) -> None:
        """Give up the probes that are under way."""
        self._probing.cancel()

    def _is_due(self, lease: Lease, now_s: float) -> bool:
        known = self._probed.get(lease.shard_id)
        return known is None or now_s - known[0] >= PROBE_INTERVAL_S

    async def _probe(self, due: Sequence[Lease]) -> None:
        for lease in due:
            began_at_s = self._clock()
            try:
                lag_ms = await lag_at_checkpoint_ms(self._kinesis, self._stream, lease, self._wall_clock)
            except Retryable:
                return  # what is not known is asked for again with the next look
            except MissingResource:
                lag_ms = 0
            self._probed[lease.shard_id] = (began_at_s, lag_ms)


async def lag_at_checkpoint_ms(
    kinesis: Kinesis, stream: str, lease: Lease, wall_clock: Callable[[], float]
) -> int:
    """How far a lease's checkpoint is behind the tip of its shard, in milliseconds.

    Raises:
        Retryable, MissingResource: the shard could not be read.
    """
    iterator = await kinesis.shard_iterator(stream, lease.shard_id, lease.position)
    # The record at the checkpoint comes first again, and is done unless it is an aggregate with more inside.
    fetch = await kinesis.get_records(iterator, 2, stream=stream)
    now_ms = int(wall_clock() * 1000)
    ages_ms = [now_ms - record.arrived_at_ms for record in fetch.records if not _done(record, lease.place)]
    # What Kinesis tells is how far the reading would be behind after the record that it gave.
    return max([fetch.millis_behind_latest, *ages_ms])


def _done(record: Record, place: tuple[int, int] | None) -> bool:
    return place is not None and (record.sequence_number, last_sub_sequence(record)) <= place
