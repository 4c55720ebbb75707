"""Reading one shard from a place on: iterators that expire, calls that fail, a shard that is gone."""

from __future__ import annotations

from collections.abc import Callable

from services.kernel.adapters.kinesis import ExpiredIterator, Kinesis
from services.kernel.core import logs
from services.kernel.core.errors import MissingResource, Retryable
from services.kernel.core.retry import Retry
from services.kernel.streams.group_metrics import GroupMetrics
from services.kernel.streams.lease import Lease
from services.kernel.streams.records import Fetch, Position

FETCH_RECORDS = 1_000
# The most that one GetRecords answers. Source: Amazon Kinesis Data Streams, Service Reference, GetRecords.
FETCH_BYTES = 10 * 1024 * 1024
TRIES_BEFORE_A_NEW_ITERATOR = 3

log = logs.get("streams")


class ShardReader:
    """Fetches the records of one shard in order, from a lease's checkpoint on.

    After an iterator expired or a call failed it goes on behind the last record it gave, so that records may come
    again but none is left out.
    """

    def __init__(
        self,
        kinesis: Kinesis,
        stream: str,
        lease: Lease,
        retry: Retry,
        metrics: GroupMetrics,
        clock: Callable[[], float],
    ) -> None:
        self._kinesis = kinesis
        self._stream = stream
        self._shard_id = lease.shard_id
        self._retry = retry
        self._metrics = metrics
        self._position: Position = lease.position
        self._iterator: str | None = None
        self._behind_ms = 0
        self._clock = clock
        self._fetched_at_s = clock()
        self.fetched = False

    async def fetch(self) -> Fetch | None:
        """Read the next records, for as many tries as it takes; None when the stream lacks the shard."""
        attempt = 0
        while True:
            try:
                return await self._fetch_once()
            except ExpiredIterator:
                self._iterator = None
                self._metrics.fetch_errors.labels("ExpiredIterator").inc()
            except Retryable as error:
                self._metrics.fetch_errors.labels(type(error).__name__).inc()
                if attempt % TRIES_BEFORE_A_NEW_ITERATOR == TRIES_BEFORE_A_NEW_ITERATOR - 1:
                    self._iterator = None
            except MissingResource:
                log.error("shard_gone", shard_id=self._shard_id)
                return None
            await self._retry.pause(attempt)
            attempt += 1

    async def _fetch_once(self) -> Fetch:
        if self._iterator is None:
            self._iterator = await self._kinesis.shard_iterator(self._stream, self._shard_id, self._position)
        fetch = await self._kinesis.get_records(
            self._iterator, FETCH_RECORDS, stream=self._stream, shard_id=self._shard_id
        )
        self._iterator = fetch.next_iterator
        if fetch.records:
            self._position = Position.after(fetch.records[-1].sequence_number)
        self._behind_ms = fetch.millis_behind_latest
        self._fetched_at_s = self._clock()
        self.fetched = True
        return fetch

    def behind_ms(self, usual_interval_s: float) -> int:
        """How far the last read was behind the tip, and since when nothing was read, in milliseconds.

        Args:
            usual_interval_s: seconds between two reads at the tip; up to twice that a silence means nothing.
        """
        silent_s = self._clock() - self._fetched_at_s
        at_tip = self.fetched and self._behind_ms == 0
        if at_tip and silent_s <= 2 * usual_interval_s:
            return 0
        return self._behind_ms + int(silent_s * 1000)
