"""All log files that the globs find, each followed through rotation, with durable identities and positions.

Everything here blocks and belongs to one thread at a time. A *look* finds out what became of every file; a *read*
takes lines of the files in turn; `shipped` says that lines are durable. Nothing is read of a file before its
generation is stored, so that a line has one identity whatever happens to this process.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from services.kernel.core import logs
from services.kernel.tail import generations
from services.kernel.tail.followed_file import Chunk, ContentChanged, FollowedFile, open_for_reading
from services.kernel.tail.generations import (
    HEAD_BYTES,
    MIN_HEAD_BYTES,
    Generation,
    Key,
    Place,
    seam_before,
    tells_apart,
)
from services.kernel.tail.known_files import KnownFiles
from services.kernel.tail.limits import TailCounts, TailLimits
from services.kernel.tail.log_names import Look, look
from services.kernel.tail.newcomers import Likeness, Newcomer, Originals
from services.kernel.tail.rotations import Rotations
from services.kernel.tail.saver import Saver, StateStore

log = logs.get("tail")


class FollowedFiles:
    """Follows every file that the globs find.

    Args:
        limits: see there.
        state: where generations are kept.
        clock: monotonic seconds.
        now_ms: the wall clock, milliseconds since the epoch; only for the time of first seeing.
    """

    def __init__(
        self,
        limits: TailLimits,
        state: StateStore,
        *,
        clock: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._limits = limits
        self._state = state
        self._clock = clock
        self._now_ms = now_ms
        self.counts = TailCounts()
        self._known = KnownFiles(limits, self.counts)
        self._rotations = Rotations(self._known, self.counts)
        self._saver = Saver(state, self._known, limits.save_interval_s, clock, self.counts)
        self._newcomers: dict[Key, Newcomer] = {}
        self._waiting: set[Key] = set()
        self._refused: frozenset[str] = frozenset()
        self._turns: deque[FollowedFile] = deque()

    # The state of things

    @property
    def saving_fails(self) -> bool:
        """Whether the last write of the state failed."""
        return self._saver.failing

    def lag_bytes(self) -> int:
        """Bytes that the last look saw and that are not durable where they have to go."""
        known = sum(max(0, one.size_bytes - one.position.offset) for one in self._known.by_key.values())
        return known + sum(one.size_bytes for one in self._newcomers.values())

    def oldest_unread_s(self) -> float:
        """Age of the oldest byte that is not durable yet, seconds; 0 for none."""
        now = self._clock()
        since = [one.unread_since() for one in self._known.by_key.values()]
        since += [one.seen_at for one in self._newcomers.values() if one.size_bytes]
        return max((now - one for one in since if one is not None), default=0.0)

    def states(self) -> Counter[str]:
        """How many files are followed, finished, unreadable, waiting, perhaps_copy, refused and gone."""
        states: Counter[str] = Counter(gone=len(self._known.gone), refused=len(self._refused))
        for file in self._known.by_key.values():
            done = "finished" if file.generation.finished else "followed"
            states["unreadable" if file.unreadable else done] += 1
        for key, newcomer in self._newcomers.items():
            if newcomer.unreadable:
                states["unreadable"] += 1
            elif key in self._waiting:
                states["waiting"] += 1
            elif newcomer.suspect is not None:
                states["perhaps_copy"] += 1
        return states

    # The life of it

    def load(self) -> None:
        """Takes up what is stored; call it once, before the first look.

        Raises:
            Misconfigured: as StateFile.load.
        """
        for one in self._state.load():
            if one.gone or one.key in self._known:
                self._known.gone[one.id] = one
            else:
                self._known.follow(one, stored=True, now=self._clock())
        self._known.changed = False

    def close(self) -> None:
        """Stores the positions a last time and closes every file."""
        self._saver.save(last=True)
        for file in self._known.by_key.values():
            self._known.close(file)

    def shipped(self, chunk: Chunk) -> None:
        """Takes note that the lines of a chunk are durable where they have to go."""
        file = self._known.by_id(chunk.generation.id)
        if file is not None:
            file.end(chunk.start)
            self._saver.positions_moved = True

    def look(self) -> None:
        """Finds out what became of every file, gives new ones their generations and stores what is due."""
        now = self._clock()
        seen = look(self._limits.globs)
        for path in seen.refused - self._refused:
            log.warning("not_a_regular_file", path=path)
        self._refused = seen.refused
        self._register(seen, now)
        for file in self._rotations.check_all(seen, self._newcomers.values(), now):
            self._truncated(file)
        self._meet(seen, now)
        for file in list(self._known.by_key.values()):
            self._settle(file, now)
        self._saver.save()
        more = [one for one in self._known.by_key.values() if one.has_more(self._saver.failing)]
        more.sort(key=lambda one: one.last_read)  # whose turn did not come since the last look is first
        self._turns = deque(more)

    def read(self, max_bytes: int) -> list[Chunk]:
        """Reads on, one block of each file in turn; [] once everything that the last look saw was read.

        Args:
            max_bytes: about how much is read at most; one block more may be.
        """
        chunks, self._known.last_words = self._known.last_words, []
        taken = 0
        while self._turns and taken < max_bytes:
            file = self._turns.popleft()
            before = file.read_offset
            chunk = self._read_block(file)
            taken += file.read_offset - before
            if chunk is not None:
                chunks.append(chunk)
            if (chunk is not None or file.read_offset > before) and file.has_more(self._saver.failing):
                self._turns.append(file)
        return chunks

    def _read_block(self, file: FollowedFile) -> Chunk | None:
        try:
            if self._known.opened(file):
                file.last_read = self._clock()
                return file.read(self._limits.block_bytes, self._saver.failing)
        except ContentChanged:
            file.changed = True  # the next look finds out how
        except OSError as error:
            self._rotations.failed(file, error)
        return None

    # New ones

    def _register(self, seen: Look, now: float) -> None:
        for key, sight in seen.files.items():
            if key in self._known:
                continue
            newcomer = self._newcomers.get(key)
            if newcomer is None:
                newcomer = Newcomer(key, sight.paths[0], self._now_ms(), now, sight.size_bytes, now)
                self._newcomers[key] = newcomer
            newcomer.note(sight, now)

    def _meet(self, seen: Look, now: float) -> None:
        for key in [one for one in self._newcomers if one in self._known or one not in seen.files]:
            gone = self._newcomers.pop(key)
            if key not in self._known and gone.size_bytes and gone.suspect is None:
                self.counts.lost_possible += 1
                log.error("lost_possible", path=gone.path, how="vanished before it was read")
        self._register(seen, now)
        self._waiting.clear()
        originals: Originals | None = None
        # By name: of two that begin alike, a copy's name is its original's with something behind it.
        for newcomer in sorted((one for one in self._newcomers.values() if one.size_bytes), key=_path):
            if not self._known.make_room(seen.files.keys()):
                self._waiting.add(newcomer.key)
                continue
            originals = originals or Originals(self._known.by_key.values(), self._comparable)
            if self._judge(newcomer, originals, now):
                originals.add(self._known.by_key[newcomer.key])

    def _judge(self, newcomer: Newcomer, originals: Originals, now: float) -> bool:
        """Follows a new file unless it is, or may be, a copy; says whether it does."""
        fd, begun = -1, False
        try:
            fd = open_for_reading(newcomer.path)
            status = os.fstat(fd)
            newcomer.unreadable = False
            if Key.of(status) == newcomer.key and status.st_size:
                begun = self._begin_if_own(newcomer, fd, status.st_size, originals, now)
        except OSError as error:
            self.counts.file_errors += 1
            if not newcomer.unreadable:
                log.error("file_unreadable", error, path=newcomer.path)
            newcomer.unreadable = True
        finally:
            if fd >= 0 and not begun:
                os.close(fd)
        return begun

    def _begin_if_own(
        self, newcomer: Newcomer, fd: int, size_bytes: int, originals: Originals, now: float
    ) -> bool:
        revived = self._known.revived(newcomer.key, fd, now)
        if revived is not None:
            self._adopt(revived, newcomer, fd)
            return True
        likeness = originals.compare(newcomer, fd, size_bytes)
        if likeness is Likeness.UNCLEAR:
            return False
        original = newcomer.suspect
        if likeness is Likeness.COPY and original is not None:
            sure = len(original.head) == HEAD_BYTES or newcomer.suspected
            if original.deleted and sure and tells_apart(os.pread(fd, MIN_HEAD_BYTES, 0)):
                return self._begin(newcomer, fd, behind=size_bytes)
            newcomer.suspected = True
            if now - newcomer.still_since < self._limits.copy_grace_s:
                return False
        return self._begin(newcomer, fd)

    def _begin(self, newcomer: Newcomer, fd: int, *, behind: int = 0) -> bool:
        """Gives a file its generation; with `behind` it begins after that many bytes, which another one has sent."""
        place = Place.after(behind, seam_before(fd, behind))
        made = Generation(
            generations.new_id(), newcomer.path, newcomer.first_seen_ms, newcomer.key, place=place
        )
        file = self._known.follow(made, stored=False, now=self._clock())
        file.looked_at = True
        self._adopt(file, newcomer, fd)
        log.info("following", path=newcomer.path, generation=made.id, offset=behind)
        return True

    def _adopt(self, file: FollowedFile, newcomer: Newcomer, fd: int) -> None:
        self._newcomers.pop(newcomer.key, None)
        self._known.adopt(file, fd, newcomer.path, newcomer.key)
        file.note_size(os.fstat(fd), newcomer.seen_at)
        try:
            file.grow_head()
        except ContentChanged:
            file.changed = True  # truncated in this moment: the next look finds out how

    def _comparable(self, file: FollowedFile) -> bool:
        try:
            return self._known.opened(file)
        except ContentChanged:
            file.changed = True
            return False

    def _truncated(self, file: FollowedFile) -> None:
        """Lets go of a truncated file, and passes over what copies hold that are shorter than what was read of it."""
        self.counts.rotations["truncated"] += 1
        for newcomer in list(self._newcomers.values()):
            with suppress(OSError):
                self._pass_over_short_copy(newcomer, file)
        self._known.end(file, "truncated")

    def _pass_over_short_copy(self, newcomer: Newcomer, original: FollowedFile) -> None:
        fd, begun = open_for_reading(newcomer.path), False
        try:
            status = os.fstat(fd)
            head = os.pread(fd, len(original.head), 0)
            surely = head == original.head and len(head) >= MIN_HEAD_BYTES
            alike = surely or (newcomer.suspect is original and original.head.startswith(head))
            if alike and tells_apart(head) and Key.of(status) == newcomer.key:
                begun = self._begin(newcomer, fd, behind=status.st_size)
        finally:
            if not begun:
                os.close(fd)

    def _settle(self, file: FollowedFile, now: float) -> None:
        """Finishes a file that was rotated away or deleted, once it is read and quiet."""
        if not (file.renamed or file.deleted) or file.changed or not file.at_end:
            return
        if now - file.quiet_since < self._limits.rotated_quiet_s:
            return
        if file.unfinished:
            self._known.changed |= file.cut()
        elif not file.is_idle:
            return
        elif file.deleted:
            del self._known.by_key[file.key]
            self._known.end(file, "finished")
        elif not file.generation.finished:
            file.generation = replace(file.generation, finished=True)
            self._saver.positions_moved = True


def _path(newcomer: Newcomer) -> str:
    return newcomer.path
