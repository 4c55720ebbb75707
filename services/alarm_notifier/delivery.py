"""The delivery: takes messages from the outbox to SNS, each claimed before and marked after.

A death at any point leaves a message pending or claimed; the next worker claims it again. So it goes out at least
once, and once more for each death between its claim and its mark.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from services.alarm_notifier.delivery_lease import BEATS_PER_LEASE_TIME, DeliveryLease
from services.alarm_notifier.incident import FIRING
from services.alarm_notifier.message import Message
from services.alarm_notifier.metrics import NotifierMetrics
from services.alarm_notifier.rendering import Rendered, render
from services.alarm_notifier.stages import Drop, Hold, Situation, Tell, capped, decide
from services.alarm_notifier.store import AlarmStore
from services.alarm_notifier.times import to_ms
from services.alarm_notifier.watch import Watch
from services.kernel.adapters.dynamodb import ConditionFailed
from services.kernel.core import logs
from services.kernel.core.errors import Retryable, Throttled
from services.kernel.core.retry import Retry

POLL_S = 0.5
WATCH_S = 1.0
MAX_PUBLISHING = 8
"""Groups on their way at once; one that hangs holds up no other."""
_DRAIN_S = 12.0

log = logs.get("delivery")


class Publishes(Protocol):
    """Where messages go."""

    async def __call__(self, rendered: Rendered) -> str:
        """Publish; SNS's id of the message."""
        ...


class Delivery:
    """One worker's delivery; it only acts while it holds the lease.

    Args:
        backoff: gives the pauses between attempts of a message.
        now_ms: UTC milliseconds since the epoch.
    """

    def __init__(
        self,
        store: AlarmStore,
        lease: DeliveryLease,
        watch: Watch,
        publish: Publishes,
        metrics: NotifierMetrics,
        lease_s: float,
        console_url: str = "",
        backoff: Retry | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._store = store
        self._lease = lease
        self._watch = watch
        self._publish = publish
        self._metrics = metrics
        self._beat_s = lease_s / BEATS_PER_LEASE_TIME
        self._console_url = console_url
        self._backoff = backoff or Retry(base_s=0.25, cap_s=30.0)
        self._retry = Retry(cap_s=2.0)
        self._now_ms = now_ms
        self._wake = asyncio.Event()
        self._in_flight: set[str] = set()
        self._publishing: set[asyncio.Task[None]] = set()
        self._crash: BaseException | None = None
        self._watching_since_ms = 0
        self._watched_at_ms = 0

    def wake(self) -> None:
        """Say that something was put into the outbox."""
        self._wake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver until asked to stop; then finish what is on its way and let another worker deliver.

        Raises:
            Fatal: a table is gone, or the credentials are refused.
        """
        beating = asyncio.create_task(self._beat())
        stop_watch = asyncio.create_task(self._wake_at(stopping))
        attempt = 0
        try:
            while not stopping.is_set():
                if self._crash is not None:
                    raise self._crash
                if beating.done():
                    beating.result()  # raises what ended it: without beats nobody here delivers
                self._wake.clear()
                try:
                    wait_s = await self.turn()
                    attempt = 0
                except Retryable as error:
                    log.warning("delivery_waits", kind=type(error).__name__, reason=str(error))
                    wait_s = self._retry.delay_s(attempt)
                    attempt += 1
                await self._pause(wait_s)
        finally:
            for task in (beating, stop_watch):
                task.cancel()
            if self._publishing:
                await asyncio.wait(self._publishing, timeout=_DRAIN_S)
            await self._hand_over()

    async def turn(self) -> float:
        """Look at the outbox once and do what is due; returns the seconds until the next look."""
        if self._lease.doubted:
            await self._keep_lease()
        self._metrics.delivering.set(self._lease.held)
        if not self._lease.held:
            return POLL_S
        await self._look_around()
        messages = await self._store.open_messages()
        now_ms = self._now_ms()
        self._measure(messages, now_ms)
        waiting = [one for one in messages if one.message_id not in self._in_flight]
        if any(one.due_ms <= now_ms for one in waiting):
            for decision in decide(messages, await self._situation(waiting, now_ms)):
                await self._carry_out(decision)
        next_due_ms = min((one.due_ms for one in waiting if one.due_ms > now_ms), default=now_ms + 60_000)
        return min(POLL_S, max(0.01, (next_due_ms - self._now_ms()) / 1000))

    async def _situation(self, messages: Sequence[Message], now_ms: int) -> Situation:
        return Situation(
            now_ms=now_ms,
            incidents=await self._store.incidents([one.incident_id for one in messages]),
            firing=await self._store.all_listed(FIRING),
            silences=await self._store.silences(now_ms),
            in_flight=frozenset(self._in_flight),
        )

    async def _carry_out(self, decision: Drop | Hold | Tell) -> None:
        try:
            match decision:
                case Drop(message, outcome):
                    await self._store.update([message.dropped(outcome)])
                    self._metrics.dropped.labels(why=outcome.partition(":")[0]).inc()
                    self.wake()
                case Hold(message, why):
                    if message.held != why:
                        await self._store.update([message.waiting(why)])
                case Tell():
                    if len(self._publishing) < MAX_PUBLISHING:
                        await self._claim(decision)
        except ConditionFailed:
            return  # what we saw of it was late: the next look sees it as it is

    async def _claim(self, tell: Tell) -> None:
        """Count the attempt durably, then publish beside everything else."""
        async with self._lease.lock:
            if not self._lease.held:
                return
            decided, ledger = capped(tell, self._lease.ledger, self._now_ms())
            claimed = tuple(one.claimed(decided.group, decided.channels) for one in decided.messages)
            try:
                await self._store.update(claimed, [self._lease.write(ledger)])
            except Throttled:
                raise  # nothing was written
            except (ConditionFailed, Retryable) as error:
                # The lease's item comes first: whatever else is in the way is only a message seen too late.
                if not isinstance(error, ConditionFailed) or error.index == 0:
                    self._lease.doubt()
                raise
            self._lease.ledger = ledger
        if decided.channels != tell.channels:
            self._metrics.capped.inc()
        ids = {one.message_id for one in claimed}
        self._in_flight |= ids
        late = any(one.held for one in tell.messages)
        task = asyncio.create_task(self._deliver(Tell(claimed, decided.channels), late))
        self._publishing.add(task)
        task.add_done_callback(lambda done: self._landed(done, ids))

    def _landed(self, task: asyncio.Task[None], ids: set[str]) -> None:
        self._publishing.discard(task)
        self._in_flight -= ids
        if not task.cancelled() and task.exception() is not None:
            self._crash = self._crash or task.exception()
        self.wake()

    async def _deliver(self, tell: Tell, late: bool) -> None:
        started = time.perf_counter()
        try:
            sns_message_id = await self._publish(render(tell, self._console_url))
        except Exception as error:  # noqa: BLE001 - not even a bug in one message may hold up the others
            name = type(error).__name__
            self._metrics.failures.labels(error=name).inc()
            log.warning("not_published", error=error, message_id=tell.group)
            await self._write(lambda: self._put_back(tell, name))
        else:
            self._metrics.publish_s.observe(time.perf_counter() - started)
            self._count(tell, late)
            await self._write(lambda: self._mark(tell, sns_message_id))

    async def _mark(self, tell: Tell, sns_message_id: str) -> None:
        now_ms = self._now_ms()
        told = {one.incident_id: one.told for one in tell.messages if one.kind == "firing"}
        await self._store.sent([one.sent(sns_message_id, now_ms) for one in tell.messages], told, now_ms)

    async def _put_back(self, tell: Tell, error: str) -> None:
        # One pause for the whole group, for it goes out together again.
        again_ms = self._now_ms() + int(self._backoff.delay_s(tell.messages[0].failures) * 1000)
        await self._store.update([one.failed(error, again_ms) for one in tell.messages])

    async def _write(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write for as long as it takes: until then the message counts as on its way, and is not told again."""

        async def once() -> None:
            try:
                await write()
            except ConditionFailed:
                # Written already, by the call whose answer was lost, or claimed by a worker that took over.
                return

        await self._retry.call(once)

    async def _look_around(self) -> None:
        now_ms = self._now_ms()
        if now_ms - self._watched_at_ms >= WATCH_S * 1000:
            self._watched_at_ms = now_ms
            await self._watch.look(now_ms, self._watching_since_ms)

    async def _beat(self) -> None:
        while True:
            try:
                await self._keep_lease()
            except Retryable as error:
                log.warning("delivery_lease_waits", kind=type(error).__name__)
            await asyncio.sleep(self._beat_s)

    async def _keep_lease(self) -> None:
        if await self._lease.keep():
            self._watching_since_ms = self._now_ms()
            self._metrics.delivery_begun.inc()
            self.wake()

    async def _wake_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self.wake()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _hand_over(self) -> None:
        try:
            await self._lease.release()
        except (Retryable, ConditionFailed) as error:
            log.warning("delivery_lease_runs_out_by_itself", kind=type(error).__name__)

    def _measure(self, messages: Sequence[Message], now_ms: int) -> None:
        self._metrics.open_messages.set(len(messages))
        self._metrics.held_messages.set(sum(bool(one.held) for one in messages))
        due = [now_ms - one.due_ms for one in messages if not one.held]
        self._metrics.oldest_due_s.set(max([0, *due]) / 1000)

    def _count(self, tell: Tell, late: bool) -> None:
        head = tell.messages[0]
        self._metrics.published.labels(kind=head.kind).inc()
        if "sms" in tell.channels:
            self._metrics.sms.inc()
        if head.attempt > 1:
            self._metrics.repeats.inc()
        elif head.record is not None and not late:
            delay_ms = self._now_ms() - to_ms(head.record.detected_at)
            self._metrics.record_to_told_s.observe(max(0, delay_ms) / 1000)
