"""The table of recommendations: the pointer, and the items of versions, written and removed in batches side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.kernel.adapters.dynamodb import MAX_ITEMS_PER_BATCH_WRITE, ConditionFailed, DynamoDB
from services.kernel.core.errors import Throttled
from services.kernel.core.retry import Retry
from spark_jobs.recommendations.release import pointer as pointers
from spark_jobs.recommendations.release.errors import Overtaken
from spark_jobs.recommendations.release.pointer import CURRENT, EVERYWHERE, Item, Pointer

Send = Callable[[Sequence[Item]], Awaitable[None]]


@dataclass(frozen=True)
class Table:
    """One table. A DynamoDB that is away or throttles is waited for, for each batch as long as `retry` says.

    Every method raises what `services.kernel.adapters.dynamodb.DynamoDB` raises.

    Args:
        concurrency: batches of writes in flight, and segments of a scan, at most.
    """

    dynamodb: DynamoDB
    name: str
    retry: Retry
    concurrency: int

    async def pointer(self) -> Pointer | None:
        """What is in service now; None where nothing ever was."""
        item = await self._get(CURRENT, CURRENT)
        return None if item is None else pointers.read(item)

    async def move(self, now: Pointer | None, to: Pointer) -> None:
        """Change what is in service, for all readers at once.

        Args:
            now: what was in service when the caller looked.
            to: of the next generation.

        Raises:
            Overtaken: it no longer is; nothing was changed.
        """
        if now is None:
            condition, values = "attribute_not_exists(subject)", None
        else:
            condition, values = "generation = :seen", {":seen": {"N": str(now.generation)}}

        async def put() -> None:
            await self.dynamodb.put_item(self.name, to.item(), condition, None, values, True)

        try:
            await self.retry.call(put)
        except ConditionFailed as error:
            # An answer that was lost: the first of our calls had its effect, the next one finds it.
            if error.item is None or pointers.read(error.item) != to:
                raise Overtaken("another version came into service meanwhile, or old ones went") from error

    async def holds(self, version: str) -> bool:
        """Whether all items of a version are there, by the one that is written last and removed first."""
        return await self._get(EVERYWHERE, version) is not None

    async def write(self, version: str, records: AsyncIterator[tuple[str, bytes]]) -> int:
        """Write the items of a version over any that are there, that of `everywhere` last; returns how many.

        Raises:
            InvalidRecord: an item is too large.
        """
        last: list[Item] = []

        async def items() -> AsyncIterator[Item]:
            async for subject, body in records:
                item = pointers.record(subject, version, body)
                if subject == EVERYWHERE:
                    last.append(item)
                else:
                    yield item

        written = await self._in_batches(items(), self._put)
        if last:
            await self._put(last)
        return written + len(last)

    async def items(self, segment: int, total: int) -> AsyncIterator[Item]:
        """Every item of a segment of the table, in no order."""
        async for item in self.dynamodb.scan(self.name, segment, total, retry=self.retry):
            yield item

    async def of_version(self, version: str) -> AsyncIterator[tuple[str, bytes]]:
        """Subject and body of every item of a version, in no order; reads the whole table."""
        async for item in self.dynamodb.scan(self.name, retry=self.retry):
            if item["version"]["S"] == version:
                yield item["subject"]["S"], bytes(item["body"]["B"])

    async def remove(self, goes: Callable[[str], Awaitable[bool]]) -> int:
        """Remove the items of versions, in one pass over the whole table; returns how many.

        Args:
            goes: whether a version goes.
        """

        async def doomed(segment: int) -> AsyncIterator[Item]:
            async for item in self.items(segment, self.concurrency):
                version = item["version"]["S"]
                if version != CURRENT and await goes(version):
                    yield pointers.key(item["subject"]["S"], version)

        async with _first_failure(), asyncio.TaskGroup() as group:
            segments = [
                group.create_task(self._in_batches(doomed(number), self._delete, 1))
                for number in range(self.concurrency)
            ]
        return sum(segment.result() for segment in segments)

    async def close(self, version: str) -> bool:
        """Remove the item by which a version is known to be whole; whether it was there."""
        if not await self.holds(version):
            return False
        await self._delete([pointers.key(EVERYWHERE, version)])
        return True

    async def _get(self, subject: str, version: str) -> Item | None:
        return await self.retry.call(
            lambda: self.dynamodb.get_item(self.name, pointers.key(subject, version))
        )

    async def _in_batches(
        self, items: AsyncIterator[Item], send: Send, concurrency: int | None = None
    ) -> int:
        """Send items as they come, in batches; returns how many. The first failure ends all."""
        slots = asyncio.Semaphore(concurrency or self.concurrency)
        count = 0

        async def one(batch: Sequence[Item]) -> None:
            try:
                await send(batch)
            finally:
                slots.release()

        async with _first_failure(), asyncio.TaskGroup() as group:
            async for batch in _batches(items):
                await slots.acquire()
                group.create_task(one(batch))
                count += len(batch)
        return count

    async def _put(self, items: Sequence[Item]) -> None:
        async def put(pending: Sequence[Item]) -> Sequence[Item]:
            return (await self.dynamodb.batch_write(self.name, puts=pending))[0]

        await self._until_taken(items, put)

    async def _delete(self, keys: Sequence[Item]) -> None:
        async def delete(pending: Sequence[Item]) -> Sequence[Item]:
            return (await self.dynamodb.batch_write(self.name, deletes=pending))[1]

        await self._until_taken(keys, delete)

    async def _until_taken(
        self, pending: Sequence[Item], send: Callable[[Sequence[Item]], Awaitable[Sequence[Item]]]
    ) -> None:
        """Send again what the table left out; patience begins anew whenever it took something."""

        async def once(pending: Sequence[Item]) -> Sequence[Item]:
            left = await send(pending)
            if len(left) == len(pending):
                raise Throttled(f"batch_write_item {self.name}: not one of {len(pending)} was taken")
            return left

        while pending:
            pending = await self.retry.call(lambda pending=pending: once(pending))  # type: ignore[misc]
            if pending:
                await self.retry.pause(0)


async def _batches(items: AsyncIterator[Item]) -> AsyncIterator[list[Item]]:
    batch: list[Item] = []
    async for item in items:
        batch.append(item)
        if len(batch) == MAX_ITEMS_PER_BATCH_WRITE:
            yield batch
            batch = []
    if batch:
        yield batch


@asynccontextmanager
async def _first_failure() -> AsyncIterator[None]:
    """Raise the first failure of a group of tasks by itself: a caller knows our errors, not groups of them."""
    try:
        yield
    except BaseExceptionGroup as failed:
        first = failed.exceptions[0]
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from failed
