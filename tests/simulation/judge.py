"""The judge: sees every effect and every write of a lease, and knows what must never be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

from services.kernel.streams.lease import Lease, from_item
from services.kernel.streams.records import Record
from tests.simulation.stream import SimShard, SimStream, place_of


class Broken(AssertionError):
    """A promise of the consumer group did not hold."""


class Judge:
    """Holds every step of a schedule against the promises.

    Args:
        clock: virtual seconds.

    Attributes:
        handled: how often each place had its effect or became a dead letter.
        verdict: the first broken promise; it is raised inside a worker too, which makes an error of its own of it.
        leases: the lease table as it is.
    """

    def __init__(self, stream: SimStream, clock: Callable[[], float]) -> None:
        self.handled: dict[int, int] = {}
        self.verdict: str | None = None
        self.leases: dict[str, Lease] = {}
        self._stream = stream
        self._clock = clock
        self._ended_first: set[str] = set()  # shards whose every record was handled once
        self._done: dict[str, int] = {}  # how many places of a shard are known to be durable
        # Places to be handled again: for which commands, known by when each began, and when its answer made them so.
        self._owed: dict[int, dict[float, float]] = {}
        self._asked_by: dict[str, float] = {}  # the command whose request for a shard came last

    # effects ---------------------------------------------------------------------------

    def effect(self, record: Record, by: str) -> None:
        """A record's effect happened, for the first time or again.

        Args:
            by: the worker's id.
        """
        place = place_of(record)
        # Only the owner reads again; what a zombie does late is no answer to a rewind.
        if place in self._owed and self.leases[record.shard_id].owner == by:
            self._judge_again(record.shard_id, place, self._owed.pop(place).keys())
        times = self.handled.get(place, 0)
        if not times:
            self._judge_first(record.shard_id, place)
        self.handled[place] = times + 1

    def rejected(self, shard_id: str, place: int, by: str) -> None:
        """A record became a dead letter."""
        if place in self._owed and self.leases[shard_id].owner == by:
            del self._owed[place]
        self.handled[place] = self.handled.get(place, 0) + 1

    def _judge_first(self, shard_id: str, place: int) -> None:
        before = self._stream.before.get(place)
        if before is not None and before not in self.handled:
            self._break(f"record {place} was handled before {before} of the same key")
        for parent in self._stream.shards[shard_id].shard.parents:
            if parent not in self._ended_first:
                open_places = [p for p in self._stream.shards[parent].places if p not in self.handled]
                if open_places:
                    self._break(f"{shard_id} was read while {len(open_places)} records of {parent} were open")
                self._ended_first.add(parent)

    def _judge_again(self, shard_id: str, place: int, commands: Set[float]) -> None:
        """Each command has its order; what another one wants again of a parent, it wants again of this shard too."""
        before = self._stream.before.get(place, 0)
        if not commands.isdisjoint(self._owed.get(before, ())):
            self._break(f"record {place} was handled again before its predecessor")
        for parent in self._stream.shards[shard_id].shard.parents:
            for owed in self._stream.shards[parent].places:
                if owed in self._owed and not commands.isdisjoint(self._owed[owed]):
                    self._break(f"{shard_id} was read again before the end of {parent}")

    # writes ----------------------------------------------------------------------------

    def made(self, row: Mapping[str, Any]) -> None:
        """A row of the lease table was made."""
        lease = _lease(row)
        self.leases[lease.shard_id] = lease

    def removed(self, shard_id: str) -> None:
        """A row of the lease table is about to be removed."""
        if not self.leases.pop(shard_id).ended:
            self._break(f"the lease of {shard_id} was removed before its end")

    def written(self, row: Mapping[str, Any], by: str, began_at_s: float) -> None:
        """A row of the lease table is about to change.

        Args:
            by: the id of the worker that writes, or of none that could hold a lease: an operator's.
            began_at_s: when the writer began what it does.
        """
        lease = _lease(row)
        before = self.leases[lease.shard_id]
        if lease.counter <= before.counter and not _is_an_operators(before, lease):
            self._break(f"the counter of {lease.shard_id} did not rise")
        if lease.rewind_to != before.rewind_to and lease.rewind_to is not None:
            self._asked_by[lease.shard_id] = began_at_s
        shard = self._stream.shards[lease.shard_id]
        if before.rewind_to is not None and lease.rewind_to is None:
            self._judge_rewind(shard, before.rewind_to, lease)
        elif (lease.checkpoint, lease.sub_sequence) != (before.checkpoint, before.sub_sequence):
            self._judge_checkpoint(shard, before, lease, by)
        self.leases[lease.shard_id] = lease

    def _judge_checkpoint(self, shard: SimShard, before: Lease, lease: Lease, by: str) -> None:
        name = lease.shard_id
        if before.owner != by:
            self._break(f"{name} was checkpointed by {by} while {before.owner} held it")
        if before.ended:
            self._break(f"{name} came back from its end")
        if lease.ended and not shard.shard.closed:
            self._break(f"{name} was ended while it is open")
        if lease.place is None and not lease.ended:
            self._break(f"the checkpoint of {name} went from {before.checkpoint} to {lease.checkpoint}")
        done = shard.done(lease)
        if done < shard.done(before):
            self._break(f"the checkpoint of {name} moved backwards")
        for place in shard.places[self._done.get(name, 0) : done]:
            if place not in self.handled or place in self._owed:
                self._break(f"{name} was checkpointed at {lease.checkpoint} past the open record {place}")
        self._done[name] = max(self._done.get(name, 0), done)

    def _judge_rewind(self, shard: SimShard, request: str, lease: Lease) -> None:
        """The checkpoint goes where it was asked to go, leaves nothing out, and what follows is owed again."""
        name = lease.shard_id
        if request not in (lease.checkpoint, f"{lease.checkpoint}:{lease.timestamp_ms}"):
            self._break(f"{name} was to be rewound to {request} and went to {lease.checkpoint}")
        start, command = shard.done(lease), self._asked_by[name]
        for place in shard.places[:start]:
            if place not in self.handled:
                self._break(f"{name} was rewound to {request}, past the open record {place}")
            # Of two commands that overlap the one whose request comes last decides; one that began when the other's
            # had been answered has seen the place where that went, and leaves nothing out.
            if any(answered_s <= command for answered_s in self._owed.pop(place, {}).values()):
                self._break(f"{name} was rewound to {request}, past the record {place} that is to come again")
        for place in shard.places[start:]:
            if place in self.handled:
                self._owed.setdefault(place, {}).setdefault(command, self._clock())
        self._done[name] = start

    def _break(self, what: str) -> None:
        self.verdict = self.verdict or what
        raise Broken(what)

    # the end ---------------------------------------------------------------------------

    @property
    def all_handled(self) -> bool:
        """Whether no record is without its effect, those included that a rewind asked for again."""
        return len(self.handled) == self._stream.total and not self._owed

    @property
    def all_checkpointed(self) -> bool:
        """Whether every lease is at the tip of its shard, or at the end of one that is closed."""
        return self.leases.keys() >= self._stream.shards.keys() and all(
            self.leases[name].ended
            if shard.shard.closed
            else shard.done(self.leases[name]) == len(shard.places)
            for name, shard in self._stream.shards.items()
        )

    def oldest_open_s(self) -> float:
        """When the oldest record arrived that was not handled, virtual seconds; now when there is none."""
        oldest_s = self._clock()
        for name, shard in self._stream.shards.items():
            for at in range(self._done.get(name, 0), len(shard.places)):
                if shard.places[at] not in self.handled:
                    oldest_s = min(oldest_s, shard.arrived_ms[at] / 1000)
                    break
        return oldest_s


def _lease(row: Mapping[str, Any]) -> Lease:
    lease = from_item(row)
    assert lease is not None
    return lease


def _is_an_operators(before: Lease, after: Lease) -> bool:
    """Whether a write is a request or its like, perhaps repeated, which leaves the counter to the owner."""
    if before == after:
        return True
    return (before.paused, before.rewind_to, before.release_asked_of) != (
        after.paused,
        after.rewind_to,
        after.release_asked_of,
    )
