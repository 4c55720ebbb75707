"""The folder: which file is read next, by whom, and what is to be said about the others."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from services.kernel.core import logs
from services.kernel.core.errors import Retryable
from services.kernel.tail.discovery import Found, Signature, scan
from services.kernel.tail.files import FileChanged, FileShort, FileTail, FileVanished
from services.kernel.tail.lease import FileLease
from services.kernel.tail.positions import READING, Entry, LeaseLost, LeaseWatch, PositionStore
from services.order_file_ingest.known_files import (
    ALLOWED_NAME,
    EXEMPT,
    PAUSED,
    REFUSED,
    Known,
    Limits,
    publish,
)
from services.order_file_ingest.metrics import FileMetrics
from services.order_file_ingest.order_file import OrderFile, Outcome, Rejects, Sender

_UNREADABLE_RETRY_S = 5.0
_MAX_PROBES = 8  # files looked at beside those that are read: is it free, is it still the same

log = logs.get("folder")


class FolderWorker:
    """Reads the order files of one folder, those that no other worker holds, in the order of their names."""

    def __init__(
        self, limits: Limits, store: PositionStore, sender: Sender, rejects: Rejects, metrics: FileMetrics
    ) -> None:
        self._limits = limits
        self._store = store
        self._sender = sender
        self._rejects = rejects
        self._metrics = metrics
        self._clock = limits.lease.clock
        self._watch = LeaseWatch(limits.lease.lease_time_s, self._clock)
        self._known: dict[str, Known] = {}
        self._refused_names: dict[str, str] = {}
        self._wake = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until `stopping`, then drains, saves the positions and gives the files back.

        Raises:
            Exception: whatever a file met that is neither its own fault nor passing; the process should end.
        """
        async with asyncio.TaskGroup() as visits:
            while not stopping.is_set():
                await self._look(stopping, visits)
                await self._rest(stopping)

    async def _look(self, stopping: asyncio.Event, visits: asyncio.TaskGroup) -> None:
        limits = self._limits
        try:
            found = await asyncio.to_thread(scan, limits.folder, limits.glob, ALLOWED_NAME)
        except OSError as error:
            self._metrics.file_errors.labels(kind="folder").inc()
            log.error("folder_unreadable", error)
            return
        self._remember(found)
        probes = sum(one.visit is not None and not one.holding for one in self._known.values())
        for name, known in self._known.items():
            if probes >= _MAX_PROBES:
                break
            if self._due(known):
                known.visit = visits.create_task(self._visit(name, known, stopping))
                probes += 1
        publish(self._metrics, self._known.values(), self._refused_names.values(), self._clock())

    async def _rest(self, stopping: asyncio.Event) -> None:
        self._wake.clear()
        stop = asyncio.ensure_future(stopping.wait())
        wake = asyncio.ensure_future(self._wake.wait())
        try:
            waits = (stop, wake) if any(map(self._due, self._known.values())) else (stop,)
            await asyncio.wait(
                waits, timeout=self._limits.poll_interval_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            stop.cancel()
            wake.cancel()

    def _remember(self, found: Found) -> None:
        now = self._clock()
        known: dict[str, Known] = {}
        for name, signature in found.files.items():
            one = self._known.pop(name, None)
            if one is None:
                one = Known(signature, now)
            elif one.seen != signature:
                one.seen, one.grown_at = signature, now
                if one.visit is None and one.settled is not None:
                    one.state, one.settled = "waiting", None
            known[name] = one
        for name, gone in self._known.items():
            if gone.visit is not None:
                known[name] = gone  # its visit finds out, and drains
            else:
                self._watch.forget(self._key(name))
        self._known = known
        for name in found.refused.keys() - self._refused_names.keys():
            log.error("file_name_refused", file=name[:300], reason=found.refused[name])
        self._refused_names = found.refused

    def _places(self) -> int:
        return self._limits.max_files - sum(one.holding for one in self._known.values())

    def _due(self, known: Known) -> bool:
        return known.visit is None and known.settled != known.seen and known.retry_at <= self._clock()

    def _crowded(self) -> bool:
        waiting = (one.state == "waiting" and one.settled != one.seen for one in self._known.values())
        return self._places() <= 0 and any(waiting)

    def _key(self, name: str) -> str:
        return f"{self._limits.source}/{name}"

    async def _visit(self, name: str, known: Known, stopping: asyncio.Event) -> None:
        """Does for one file what there is to do now; leaves in `known` when to come again."""
        tail = FileTail(self._limits.folder / name, max_line_bytes=self._limits.max_line_bytes)
        try:
            await self._consider(name, known, tail, stopping)
        except Retryable as error:
            self._metrics.store_errors.inc()
            log.warning("positions_unavailable", file=name, reason=str(error))
            self._later(known, "waiting", 1.0)
        except LeaseLost as error:
            self._metrics.leases.labels(event="lost").inc()
            log.warning("lease_lost", file=name, reason=str(error))
            self._later(known, "elsewhere", self._limits.lease.lease_time_s / 4)
        except FileVanished:
            self._later(known, "waiting", self._limits.poll_interval_s)
        except OSError as error:
            self._unreadable(name, known, error)
        finally:
            tail.close()
            known.visit, known.holding = None, False
            self._wake.set()

    async def _consider(self, name: str, known: Known, tail: FileTail, stopping: asyncio.Event) -> None:
        key = self._key(name)
        entry = await self._store.load(key)
        known.position = entry.position.offset if entry else 0
        if entry is not None and entry.state == PAUSED:
            self._later(known, "paused", self._limits.lease.lease_time_s / 2)
            return
        if not self._watch.free(entry):
            self._later(known, "elsewhere", self._limits.lease.lease_time_s / 4)
            return
        if entry is not None and await self._nothing_new(entry, known, tail):
            return
        if self._places() <= 0:
            self._later(known, "waiting", self._limits.poll_interval_s)
            return
        known.holding = True
        try:
            lease = await FileLease.claim(self._store, key, entry, self._limits.lease)
        except LeaseLost:  # another worker was faster
            self._later(known, "elsewhere", self._limits.lease.lease_time_s / 4)
            return
        self._watch.forget(key)
        self._metrics.leases.labels(event="claimed").inc()
        await self._hold(name, known, tail, lease, stopping)

    async def _nothing_new(self, entry: Entry, known: Known, tail: FileTail) -> bool:
        """Says whether the file needs no claim: read to its end and unchanged, or refused and still so."""
        refused = entry.state == REFUSED
        if not refused and entry.position.offset != known.seen.size_bytes:
            return False
        try:
            await tail.open(entry.position)
        except (FileChanged, FileShort):
            if refused:
                self._settle(known, "refused", tail.signature)
            return refused
        if refused or tail.signature.size_bytes != entry.position.offset:
            return False
        self._settle(known, "done", tail.signature)
        return True

    async def _hold(
        self, name: str, known: Known, tail: FileTail, lease: FileLease, stopping: asyncio.Event
    ) -> None:
        """Reads a file that was claimed, under a heartbeat; whatever stops it frees the file, but a lost lease."""
        known.state = "reading"
        keeper = asyncio.create_task(lease.keep())
        reading = asyncio.create_task(self._read(name, known, tail, lease, stopping))
        try:
            await asyncio.wait({keeper, reading}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                keeper.result()  # raises LeaseLost: nobody else ends it before `release`
        finally:
            reading.cancel()
            lease.stop_keeping()
            await asyncio.gather(keeper, reading, return_exceptions=True)
        lost = keeper.exception()
        if lost is not None:
            raise lost
        try:
            reading.result()
        finally:
            await lease.release()
            known.position = lease.entry.position.offset
            self._metrics.leases.labels(event="released").inc()

    async def _read(
        self, name: str, known: Known, tail: FileTail, lease: FileLease, stopping: asyncio.Event
    ) -> None:
        outcome = Outcome.REPLACED
        while outcome is Outcome.REPLACED:
            try:
                await tail.open(lease.position)
            except (FileChanged, FileShort) as change:
                await self._refuse_or_wait(name, known, tail, lease, change)
                return
            if lease.entry.state == REFUSED:
                log.info("file_as_before", file=name, offset=lease.position.offset)
                lease.move(lease.position, READING)
            outcome = await self._read_on(name, known, tail, lease, stopping)
            if outcome is Outcome.REPLACED:
                self._metrics.file_errors.labels(kind="replaced").inc()
        self._conclude(name, known, tail, lease, outcome)

    async def _read_on(
        self, name: str, known: Known, tail: FileTail, lease: FileLease, stopping: asyncio.Event
    ) -> Outcome:
        limits = self._limits
        reader = OrderFile(
            name,
            limits.source,
            tail=tail,
            start=lease.position,
            sender=self._sender,
            rejects=self._rejects,
            metrics=self._metrics,
            pace=replace(limits.pace, pausing=lease.entry.state != EXEMPT),
            crowded=self._crowded,
            clock=self._clock,
            now=limits.now,
        )
        known.reading = reader
        lease.follow(lambda: reader.position)
        try:
            return await reader.run(stopping)
        finally:
            known.reading = None
            lease.move(reader.position)
            known.position = reader.position.offset

    def _conclude(self, name: str, known: Known, tail: FileTail, lease: FileLease, outcome: Outcome) -> None:
        """Says what comes next for a file whose reading ended."""
        offset = lease.position.offset
        if outcome is Outcome.DONE and tail.unfinished_bytes:
            log.warning("last_line_unfinished", file=name, offset=offset, size_bytes=tail.unfinished_bytes)
            self._settle(known, "unfinished", tail.signature)
        elif outcome is Outcome.DONE:
            self._settle(known, "done", tail.signature)
        elif outcome is Outcome.PAUSED:
            lease.move(lease.position, PAUSED)
            self._metrics.file_errors.labels(kind="paused").inc()
            log.error("file_paused", file=name, offset=offset, reason="too many bad lines; see `resume`")
            self._later(known, "paused", self._limits.lease.lease_time_s / 2)
        elif outcome is Outcome.VANISHED:
            self._metrics.file_errors.labels(kind="vanished").inc()
            self._later(known, "waiting", self._limits.poll_interval_s)
        elif outcome is Outcome.UNREADABLE:
            self._metrics.file_errors.labels(kind="unreadable").inc()
            self._later(known, "unreadable", _UNREADABLE_RETRY_S)

    async def _refuse_or_wait(
        self, name: str, known: Known, tail: FileTail, lease: FileLease, change: FileChanged | FileShort
    ) -> None:
        """Refuses a file with other bytes before its position; a short one may still be growing back."""
        now = self._clock()
        if known.seen != tail.signature:
            known.seen, known.grown_at = tail.signature, now
        if isinstance(change, FileShort) and now - known.grown_at < self._limits.changed_grace_s:
            self._later(known, "waiting", min(1.0, self._limits.changed_grace_s / 4))
            return
        position = change.expected
        if lease.entry.state != REFUSED:
            await self._rejects.put(
                "file_changed",
                f"not the file that was read to offset {position.offset} (sha256 {position.sha256}): {_found(change)}",
                change.head,
                file=name,
                offset=position.offset,
                source=self._limits.source,
            )
            self._metrics.rejected.labels(reason="file_changed").inc()
            self._metrics.file_errors.labels(kind="changed").inc()
            log.error("file_refused", file=name, offset=position.offset, found=_found(change))
            lease.move(position, REFUSED)
        self._settle(known, "refused", tail.signature)

    def _unreadable(self, name: str, known: Known, error: OSError) -> None:
        self._metrics.file_errors.labels(kind="unreadable").inc()
        log.error("file_unreadable", error, file=name)
        self._later(known, "unreadable", _UNREADABLE_RETRY_S)

    def _later(self, known: Known, state: str, wait_s: float) -> None:
        known.state, known.settled, known.retry_at = state, None, self._clock() + wait_s

    def _settle(self, known: Known, state: str, at: Signature) -> None:
        known.state, known.settled = state, at


def _found(change: FileChanged | FileShort) -> str:
    if isinstance(change, FileShort):
        return f"it has only {change.size_bytes} bytes"
    return f"as many bytes of it have sha256 {change.found_sha256}"
