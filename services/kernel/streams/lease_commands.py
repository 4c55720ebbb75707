"""The commands on leases: look at them, ask for them back, rewind, resume; each returns what is to be printed."""

from __future__ import annotations

import asyncio
import re
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.catalog import OPERATOR, Catalog
from services.kernel.adapters.dynamodb import ConditionFailed, DynamoDB
from services.kernel.adapters.kinesis import Kinesis
from services.kernel.core.errors import CadabraError, MissingResource, Retryable
from services.kernel.core.retry import Retry
from services.kernel.core.settings import ServiceSettings
from services.kernel.streams.group_settings import GroupSettings
from services.kernel.streams.lag_probe import lag_at_checkpoint_ms
from services.kernel.streams.lease import Lease
from services.kernel.streams.lease_table import LeaseTable
from services.kernel.streams.operator import Answer, Operator
from services.kernel.streams.printing import Shown, table

PATIENCE_S = 30.0
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


class CommandFailed(CadabraError):
    """What was asked for cannot be done; the message says why and what helps."""


@dataclass(frozen=True, kw_only=True)
class OperatorSettings(ServiceSettings, GroupSettings):
    """Where the platform is, and the lease time of its groups."""


@dataclass(frozen=True, slots=True)
class Context:
    """What every command on leases needs."""

    settings: OperatorSettings
    catalog: Catalog
    kinesis: Kinesis
    dynamodb: DynamoDB

    def leases(self, application: str) -> LeaseTable:
        """The lease table of an application."""
        return LeaseTable(self.dynamodb, f"{self.settings.namespace}-leases-{application}")

    def stream(self, application: str) -> str:
        """The physical name of the stream that an application reads.

        Raises:
            CommandFailed: no contract names it as a consumer.
        """
        names = [one.name for one in self.catalog.streams.values() if application in one.consumers]
        if not names:
            known = ", ".join(_applications(self.catalog))
            raise CommandFailed(f"no stream has the consumer {application}; there are: {known}")
        return f"{self.settings.namespace}-{names[0]}"

    def operator(self, application: str) -> Operator:
        """The hand that asks this application's group."""
        return Operator(
            self.leases(application), self.settings.lease_time_s, time.monotonic, Retry(budget_s=PATIENCE_S)
        )


async def applications(context: Context, _options: Namespace) -> Shown:
    """List the applications of the namespace with their stream, leases and owners."""
    found: list[dict[str, Any]] = []
    for name in _applications(context.catalog):
        stream = context.stream(name)
        try:
            leases = list((await context.leases(name).read()).values())
        except MissingResource:
            continue  # not provisioned in this namespace
        living = [lease for lease in leases if not lease.ended]
        owners = sorted({lease.owner for lease in living if lease.owner is not None})
        unowned = sum(lease.owner is None for lease in living)
        found.append(
            {
                "application": name,
                "stream": stream,
                "leases": len(living),
                "unowned": unowned,
                "ended": len(leases) - len(living),
                "owners": owners,
            }
        )
    rows = [[*list(one.values())[:-1], len(one["owners"])] for one in found]
    return Shown(found, table(["application", "stream", "leases", "unowned", "ended", "owners"], rows))


async def leases(context: Context, options: Namespace) -> Shown:
    """List the leases of an application, each with the lag at its checkpoint."""
    found = []
    for lease, lag_ms in await _with_lag(context, options.application):
        found.append({**asdict(lease), "lag_ms": lag_ms})
    titles = ["shard", "owner", "checkpoint", "lag s", "deaths", "paused", "asked"]
    rows = [
        [
            one["shard_id"],
            one["owner"],
            one["checkpoint"],
            _seconds(one["lag_ms"]),
            one["deaths"],
            one["paused"],
            _asked(one),
        ]
        for one in found
    ]
    return Shown(found, table(titles, rows))


async def lag(context: Context, options: Namespace) -> Shown:
    """Tell the lag of an application: the largest of its shards, those that nobody reads included."""
    measured = [(lease, ms) for lease, ms in await _with_lag(context, options.application) if not lease.ended]
    shards: list[dict[str, Any]] = [
        {"shard_id": lease.shard_id, "owner": lease.owner, "lag_ms": ms} for lease, ms in measured
    ]
    largest = max((ms for _, ms in measured if ms is not None), default=0)
    value = {
        "application": options.application,
        "stream": context.stream(options.application),
        "lag_ms": largest,
        "unknown": sum(ms is None for _, ms in measured),
        "shards": shards,
    }
    rows = [[one["shard_id"], one["owner"], _seconds(one["lag_ms"])] for one in shards]
    return Shown(value, [*table(["shard", "owner", "lag s"], rows), "", f"largest: {_seconds(largest)} s"])


async def release(context: Context, options: Namespace) -> Shown:
    """Have one lease, or all of a worker's, handed back."""
    found = await context.leases(options.application).read()
    if options.worker is not None:
        chosen = [lease for lease in found.values() if lease.owner == options.worker and not lease.ended]
        if not chosen:
            raise CommandFailed(f"the worker {options.worker} holds no lease of {options.application}")
    else:
        lease = _lease(context, options.application, found, options.shard)
        if lease.owner is None:
            raise CommandFailed(f"the lease of {lease.shard_id} is free already")
        chosen = [lease]
    return _answers(await context.operator(options.application).release(chosen))


async def rewind(context: Context, options: Namespace) -> Shown:
    """Have an application read again from a time, or behind a sequence number of a shard."""
    operator = context.operator(options.application)
    if options.to is not None:
        stream = context.stream(options.application)
        await context.leases(options.application).read()  # tells of a missing table before anything is asked
        return _answers(await operator.rewind_to_time(context.kinesis, stream, options.to))
    numbers = dict(options.sequence)
    if len(numbers) < len(options.sequence):
        raise CommandFailed("a shard is named twice")
    try:
        return _answers(await operator.rewind_to_sequences(numbers))
    except ValueError as error:
        raise CommandFailed(str(error)) from error


async def resume(context: Context, options: Namespace) -> Shown:
    """Take the pause off a shard."""
    return await _change(context, options, context.leases(options.application).resume(options.shard))


async def accept_loss(context: Context, options: Namespace) -> Shown:
    """Declare a shard that is gone as read to its end."""
    return await _change(context, options, context.leases(options.application).accept_loss(options.shard))


def timestamp_ms(text: str) -> int:
    """Read a time of the command line, such as 2026-01-02T03:04:05Z, as milliseconds since the epoch.

    Raises:
        ValueError: it is no UTC time of this form, or it is still to come.
    """
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text!r} is no UTC time such as 2026-01-02T03:04:05Z")
    moment = datetime.fromisoformat(text)
    if moment > datetime.now(UTC):
        raise ValueError(f"{text} is still to come")
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def shard_number(text: str) -> tuple[str, int]:
    """Read SHARD=NUMBER of the command line.

    Raises:
        ValueError: it has another form.
    """
    shard, _, number = text.partition("=")
    if not shard or not re.fullmatch(r"[0-9]{1,128}", number):
        raise ValueError(f"{text!r} is not SHARD=NUMBER")
    return shard, int(number)


def _applications(catalog: Catalog) -> list[str]:
    return sorted({name for one in catalog.streams.values() for name in one.consumers} - {OPERATOR})


async def _with_lag(context: Context, application: str) -> list[tuple[Lease, int | None]]:
    stream = context.stream(application)
    found = sorted((await context.leases(application).read()).values(), key=lambda lease: lease.shard_id)

    async def one(lease: Lease) -> int | None:
        if lease.ended:
            return 0
        try:
            return await Retry(budget_s=PATIENCE_S).call(
                lambda: lag_at_checkpoint_ms(context.kinesis, stream, lease, time.time)
            )
        except (Retryable, MissingResource):
            return None  # its shard is gone, or cannot be read now

    return list(zip(found, await asyncio.gather(*map(one, found)), strict=True))


async def _change(context: Context, options: Namespace, write: Any) -> Shown:
    try:
        await write
    except ConditionFailed as error:
        raise _no_lease(context, options.application, options.shard) from error
    return Shown({"application": options.application, "shard": options.shard}, ["done"])


def _lease(context: Context, application: str, found: Mapping[str, Lease], shard: str) -> Lease:
    if shard not in found or found[shard].ended:
        raise _no_lease(context, application, shard)
    return found[shard]


def _no_lease(context: Context, application: str, shard: str) -> CommandFailed:
    name = context.leases(application).table
    return CommandFailed(f"{name} has no lease {shard}; see the command `leases {application}`")


def _answers(answers: Sequence[Answer]) -> Shown:
    pending = [answer.shard_id for answer in answers if answer.outcome == "pending"]
    rows = [[answer.shard_id, answer.outcome] for answer in answers]
    problem = None
    if pending:
        problem = (
            f"not answered yet, the request stays: {', '.join(pending)}; repeat the command to wait again"
        )
    return Shown([asdict(answer) for answer in answers], table(["shard", "outcome"], rows), problem)


def _asked(row: Mapping[str, Any]) -> str | None:
    return (
        f"rewind {row['rewind_to']}" if row["rewind_to"] else "release" if row["release_asked_of"] else None
    )


def _seconds(ms: int | None) -> str | None:
    return None if ms is None else f"{ms / 1000:.1f}"
