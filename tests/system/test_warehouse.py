"""Order store, lake and warehouse agree line by line, whoever is killed, whatever comes twice, in whatever order.

One small platform for all tests of this file, for a Spark session is dear: each sends orders of its own and then holds
all that was ever sent against every place.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from contracts import codec
from services.kernel.streams.__main__ import main as streams
from services.kernel.streams.lease_table import LeaseTable
from tests.component.lake_path import lake_path
from tests.component.order_path import until
from tests.engines import Engines, local_environment
from tests.orders import a_line, one_part
from tests.system.sales_stage import SalesStage

pytestmark = pytest.mark.timeout(600)

ORDERS = 240
KILLS_OF_THE_WRITER = 3
COUNTRIES = ("United Kingdom", "EIRE", "France")


@pytest.fixture(scope="module")
async def stage(
    engines: Engines, aws_endpoint: str, postgresql: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SalesStage]:
    everything = Engines(
        engines.kinesis, engines.dynamodb, engines.run_id, aws=aws_endpoint, postgresql=postgresql
    )
    async with lake_path(everything, aws_endpoint, "sales") as path:
        made = SalesStage(path, everything, tmp_path_factory.mktemp("sales"))
        yield made
        for service in made.running:
            service.kill9()
            print(f"--- {service.name} {service.pid}\n{service.log_tail()}")
        print("--- jobs\n" + "\n".join(made.said[-200:]))


@pytest.fixture(scope="module")
async def loaded(stage: SalesStage) -> SalesStage:
    """The stage with its orders in every place: the writer was killed while they flowed, the job while it loaded."""
    rng = random.Random(7)
    await stage.start("dynamodb_writer")
    sending = asyncio.create_task(stage.send(shop(rng)))
    await kill_the_writer_again_and_again(stage, rng, sending)
    await stage.start("lake_writer")
    await stage.landed()
    await stage.stored()
    return stage


async def kill_the_writer_again_and_again(
    stage: SalesStage, rng: random.Random, sending: asyncio.Task[None]
) -> None:
    leases = LeaseTable(stage.path.dynamodb, f"{stage.path.namespace}-leases-lake_writer")
    for kill in range(KILLS_OF_THE_WRITER):
        writer = await stage.start("lake_writer")
        lines = len(stage.sent)

        async def went_on(lines: int = lines) -> bool:
            # Two deaths without progress would be a poisonous record's, and be read one by one.
            found = (await leases.read()).values()
            moved = all(lease.checkpoint.isdigit() and lease.deaths == 0 for lease in found)
            return moved and (len(stage.sent) > lines or sending.done())

        await until(went_on, f"each shard went on before kill {kill}", 30)
        await asyncio.sleep(rng.uniform(0.0, 0.6))  # a random moment, not a wait
        writer.kill9()
    await sending


def shop(rng: random.Random) -> list[codec.Order]:
    """Orders of three months: of guests and of customers who move, cancellations, repeats of whole orders."""
    made: list[codec.Order] = []
    for number in range(ORDERS):
        at = datetime(2011, 9, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(90 * 24 * 60))
        lines = [
            a_line(
                str(line),
                stock_code=f"{rng.randrange(60):05}",
                description=rng.choice(["RED MUG", "RED MUG ", "blue, mug", None, ""]),
                quantity=rng.choice([1, 6, 12, -2]),
                unit_price=rng.choice(["2.55", "0.0001", "0", "-11.06"]),
                ordered_at=_text(at),
            )
            for line in range(1, rng.randint(2, 18))
        ]
        cancelled = number % 20 == 0
        made.append(
            one_part(
                f"{'C' if cancelled else ''}{number}",
                lines,
                customer_id=None if number % 4 == 0 else str(rng.randrange(30)),
                country=rng.choice(COUNTRIES),
                kind="cancellation" if cancelled else "sale",
            )
        )
    return made + rng.sample(made, ORDERS // 10)


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def as_it_begins(phase: str) -> Callable[[str], bool]:
    """The line that tells that a phase begins."""
    return lambda line: line == phase


async def judge(stage: SalesStage) -> None:
    """Every place has every line that was ever sent, once, as it was sent first."""
    report = await stage.compare()
    assert report.told == []
    assert report.ok
    assert set(report.lines.values()) == {len(stage.sent)}
    assert report.sums > 0
    assert report.rows["fact_order_lines"] == len(stage.sent)


async def test_a_load_that_is_killed_at_any_moment_is_made_good_by_the_next(loaded: SalesStage) -> None:
    for moment in KILLED_AT:
        killed = await loaded.load(as_it_begins(moment))
        assert killed.code < 0, f"it never said {moment!r}: {killed.told}"

    ran = await loaded.load()

    assert ran.code == 0, ran.told
    assert ran.result["finished"]  # the last one had been decided
    assert ran.result["new_lines"] == 0
    copied = await loaded.copy()
    assert copied.code == 0, copied.told
    await judge(loaded)


KILLED_AT = ("merge ...", "publish ...")
"""While lines are written and nothing is decided; when it is decided and not seen."""


async def test_the_whole_stream_once_more_changes_nothing(
    loaded: SalesStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, objects = await loaded.snapshots(), len(await loaded.path.keys())
    for name, value in local_environment(loaded.engines).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CADABRA_NAMESPACE", loaded.path.namespace)
    beginning = ["rewind", "lake_writer", "--to", "2020-01-01T00:00:00Z"]
    assert await asyncio.to_thread(streams, beginning) == 0
    await loaded.landed(times=2)

    ran = await loaded.load()

    assert ran.code == 0, ran.told
    assert (ran.result["objects"], ran.result["new_lines"]) == (len(await loaded.path.keys()) - objects, 0)
    assert ran.result["objects"] > 0
    assert await loaded.snapshots() == before
    assert (await loaded.copy()).code == 0
    await judge(loaded)


async def test_two_loads_at_once_conflicts_in_both_orders_and_a_newer_writer(loaded: SalesStage) -> None:
    """Conflicts with what was loaded before and with what arrives now; a field that the contract does not name."""
    known = [one_part("k", [a_line(quantity=1)]), one_part("k", [a_line(quantity=2)])]
    turned = [one_part("t", [a_line(quantity=2)]), one_part("t", [a_line(quantity=1)])]
    moved = [
        one_part("m", [a_line(ordered_at="2011-09-30T23:59:59.999Z")]),
        one_part("m", [a_line(ordered_at="2011-10-01T00:00:00.000Z")], country="France"),
    ]
    first = next(part for part in shop(random.Random(7)) if len(part.lines) > 1)
    await loaded.send([*known, *turned, *moved])
    await loaded.send([one_part(first.order_id, [a_line("1", quantity=99)], customer_id="elsewhere")])
    await loaded.send([one_part("new", [a_line("1"), a_line("2")])], channel="web")
    await loaded.landed()
    await loaded.stored()

    one, other = await asyncio.gather(loaded.load(), loaded.load())

    assert 0 in (one.code, other.code), (one.told, other.told)
    assert {one.code, other.code} <= {0, 75}, (one.told, other.told)
    assert (await loaded.copy()).code == 0
    await judge(loaded)
    assert await loaded.unknown_of("new") == ['{"order":{"channel":"web"}}'] * 2
