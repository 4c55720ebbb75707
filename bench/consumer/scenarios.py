"""What is done to each consumer: plain reading, a worker that leaves or dies, a split, a sink that stalls."""

from __future__ import annotations

import asyncio
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from bench.consumer import stub
from bench.consumer.ledger import Difference, Handled, again, difference, owners, reshard, takeover_s
from bench.consumer.participants import Participant
from bench.consumer.stage import RECORD_BYTES, Sender, Stage, Worker, all_handled, stop, until

RATE_PER_S = 100.0
SETTLE_S = 2.0
BALANCE_S = 14.0
TAKEOVER_TIMEOUT_S = 30.0
RESHARD_TIMEOUT_S = 75.0
QUIET_S = 12.0
"""Without a further record for so long what is missing counts as lost: longer than the lease time."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Plain reading from the stub; medians over the rounds.

    Args:
        cpu_s_per_million: user and system CPU seconds of the worker per million records.
        rss_mb: peak resident memory.
    """

    records_per_s: float
    cpu_s_per_million: float
    rss_mb: float
    difference: Difference


@dataclass(frozen=True, slots=True)
class Loss:
    """A worker is gone.

    Args:
        worker: its name.
        took_s: until others went on with all it held; None where they did not in time.
        from_s: what it handled after this moment and others handled too, its end made them repeat.
    """

    worker: str
    took_s: float | None
    from_s: float
    twice: int = 0


@dataclass(frozen=True, slots=True)
class Failover:
    """One worker leaves on SIGTERM, another is killed."""

    handoff: Loss
    takeover: Loss
    difference: Difference


@dataclass(frozen=True, slots=True)
class Split:
    """One shard is split under load; None where a child was not read in time."""

    stall_s: float | None
    after_parent_s: float | None
    difference: Difference


@dataclass(frozen=True, slots=True)
class Stall:
    """The sink stalls while far more than the bound waits in the stream.

    Args:
        grown_mb: peak resident memory above that of the idle worker.
    """

    stall_s: float
    grown_mb: float
    difference: Difference


async def read(stage: Stage, who: Participant, records: int, rounds: int) -> Reading:
    """Let a worker read everything from the stub, some times, and take medians."""
    found = []
    for turn in range(rounds):
        async with _stub_worker(stage, who, f"read-{turn}", records, RECORD_BYTES) as (worker, go):
            before = worker.usage().cpu_s
            go()
            await _progress(worker, records)
            handled = worker.handled()
            took_s = handled[-1].at_s - handled[0].at_s
            await asyncio.sleep(0.2)  # the last checkpoints
            used_s = worker.usage().cpu_s - before
            found.append((len(handled) / took_s, used_s / len(handled) * 1e6, worker.peak_rss_bytes / 1e6))
            told = difference(range(records), (one.number for one in handled))
    rates, costs, sizes = zip(*found, strict=True)
    return Reading(statistics.median(rates), statistics.median(costs), statistics.median(sizes), told)


async def stall(stage: Stage, who: Participant, records: int, size_bytes: int, stall_s: float) -> Stall:
    """Let a sink stall from the first record on, then let it go on."""
    async with _stub_worker(stage, who, "stall", records, size_bytes, stall_s) as (worker, go):
        idle_bytes = worker.usage().rss_bytes
        go()
        until_s = time.monotonic() + stall_s
        while time.monotonic() < until_s:
            worker.usage()
            await asyncio.sleep(0.1)
        await _progress(worker, records)
        numbers = (one.number for one in worker.handled())
        return Stall(stall_s, (worker.peak_rss_bytes - idle_bytes) / 1e6, difference(range(records), numbers))


async def failover(stage: Stage, everybody: list[Participant], turn: int) -> dict[str, Failover]:
    """All consumers read one stream of four shards; of each a worker is stopped, and later one is killed."""
    stream = f"bench-failover-{turn}"
    await stage.stream(stream, 4)
    async with _sending(stage, stream) as sender:
        crews = await asyncio.gather(*(_lose_workers(stage, who, sender) for who in everybody))
    found = {}
    for who, (losses, crew) in zip(everybody, crews, strict=True):
        handled = await _settled(sender, crew)
        handoff, takeover = (replace(loss, twice=again(handled, loss.worker, loss.from_s)) for loss in losses)
        found[who.name] = Failover(handoff, takeover, _difference(sender, handled))
    await stop([worker for _, crew in crews for worker in crew])
    return found


async def split(stage: Stage, everybody: list[Participant]) -> dict[str, Split]:
    """All consumers read one stream of two shards, one worker each; the first shard is split."""
    stream = "bench-split"
    await stage.stream(stream, 2)
    async with _sending(stage, stream) as sender:
        crew = {who.name: await _first_worker(stage, who, stream) for who in everybody}
        await asyncio.sleep(4 * SETTLE_S)
        parent = (await stage.kinesis.list_shards(stream))[0]
        middle = (int(parent.starting_hash_key) + int(parent.ending_hash_key)) // 2
        await stage.kinesis.split_shard(stream, parent.shard_id, str(middle))
        await stage.stream_is_active(stream)
        shards = await stage.kinesis.list_shards(stream)
        children = [shard.shard_id for shard in shards if parent.shard_id in shard.parents]

        def all_met() -> bool:
            told = (reshard(sender.sent, one.handled(), parent.shard_id, children) for one in crew.values())
            return all(one.stall_s is not None for one in told)

        await until(all_met, RESHARD_TIMEOUT_S, poll_s=0.5)
        await asyncio.sleep(SETTLE_S)
    found = {}
    for name, worker in crew.items():
        handled = await _settled(sender, [worker])
        met = reshard(sender.sent, handled, parent.shard_id, children)
        found[name] = Split(met.stall_s, met.after_parent_s, _difference(sender, handled))
    await stop(list(crew.values()))
    return found


async def _first_worker(stage: Stage, who: Participant, stream: str) -> Worker:
    return await stage.worker(who, stream, await stage.application(who, stream))


async def _lose_workers(
    stage: Stage, who: Participant, sender: Sender
) -> tuple[tuple[Loss, Loss], list[Worker]]:
    application = await stage.application(who, sender.stream)
    crew = [await stage.worker(who, sender.stream, application) for _ in range(2)]
    handoff = await _lose_one(sender, crew, signal.SIGTERM)
    crew.append(await stage.worker(who, sender.stream, application))
    takeover = await _lose_one(sender, crew, signal.SIGKILL)
    return (handoff, takeover), crew


async def _lose_one(sender: Sender, crew: list[Worker], how: signal.Signals) -> Loss:
    """End the worker that holds most and wait until the others went on with what it held."""
    alive = [worker for worker in crew if worker.process.poll() is None]
    await asyncio.sleep(SETTLE_S)
    await until(lambda: _busy(alive) == len(alive), BALANCE_S, poll_s=0.2)
    await asyncio.sleep(SETTLE_S)
    held = owners(sender.sent, all_handled(alive), time.monotonic() - SETTLE_S)
    victim = max(alive, key=lambda worker: sum(owner == worker.name for owner in held.values()))
    shards = [shard_id for shard_id, owner in held.items() if owner == victim.name]
    if not shards:
        raise RuntimeError(f"no worker of {victim.name} reads:\n{victim.log_tail()}")
    ended_at_s = victim.send(how)

    def took_s() -> float | None:
        return takeover_s(sender.sent, all_handled(alive), victim.name, ended_at_s, shards)

    await until(lambda: took_s() is not None, TAKEOVER_TIMEOUT_S, poll_s=0.2)
    await victim.ended(TAKEOVER_TIMEOUT_S)
    return Loss(victim.name, took_s(), ended_at_s - SETTLE_S)


def _busy(workers: list[Worker]) -> int:
    """How many of them handled something just now."""
    since_s = time.monotonic() - 1
    newest = (worker.handled()[-1:] for worker in workers)
    return sum(1 for one in newest if one and one[0].at_s > since_s)


@asynccontextmanager
async def _sending(stage: Stage, stream: str) -> AsyncIterator[Sender]:
    sender = Sender(stage.kinesis, stream, RATE_PER_S)
    task = asyncio.create_task(sender.run())
    try:
        yield sender
    finally:
        sender.stop()
        await task


@asynccontextmanager
async def _stub_worker(
    stage: Stage, who: Participant, name: str, records: int, size_bytes: int, stall_s: float = 0.0
) -> AsyncIterator[tuple[Worker, Callable[[], None]]]:
    """A stub and one worker on it that has settled; calling what comes second lets the records flow."""
    application = await stage.application(who, f"bench-{name}")
    go, log = stage.folder / f"{application}.go", stage.folder / f"{application}-stub.log"
    command = [sys.executable, "-m", "bench.consumer.stub", str(records), str(size_bytes), str(go)]
    process = stage.start(command, log)
    stage.helpers.append(process)
    try:
        if not await until(lambda: log.read_bytes().endswith(b"\n"), 20):
            raise RuntimeError(f"the stub does not start:\n{log.read_text()}")
        url = f"http://127.0.0.1:{int(log.read_text())}"
        worker = await stage.worker(who, stub.STREAM, application, kinesis=url, stall_s=stall_s)
        await asyncio.sleep(2 * SETTLE_S)  # taking four empty shards is not what is measured
        yield worker, go.touch
        await stop([worker])
    finally:
        process.kill()
        process.wait()


async def _progress(worker: Worker, records: int) -> None:
    """Wait until a worker handled that many, or nothing more for QUIET_S."""
    count, moved_s = worker.handled_count(), time.monotonic()
    while count < records and time.monotonic() - moved_s < QUIET_S:
        await asyncio.sleep(0.1)
        worker.usage()
        if worker.handled_count() != count:
            count, moved_s = worker.handled_count(), time.monotonic()


async def _settled(sender: Sender, crew: list[Worker]) -> list[Handled]:
    """Wait until all that was sent is handled, or nothing moves any more."""
    seen, moved_s = -1, time.monotonic()
    while time.monotonic() - moved_s < QUIET_S:
        handled = all_handled(crew)
        if len(handled) != seen:
            seen, moved_s = len(handled), time.monotonic()
        if _difference(sender, handled).lost == 0:
            return handled
        await asyncio.sleep(0.3)
    return all_handled(crew)


def _difference(sender: Sender, handled: list[Handled]) -> Difference:
    return difference([one.number for one in sender.sent], (one.number for one in handled))
