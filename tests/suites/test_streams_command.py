"""The command line of the consumer group on the real engines: every command, its JSON, its failures."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from contracts import codec, order
from services.kernel.streams.__main__ import main
from services.kernel.streams.lease import Lease
from services.kernel.streams.records import Stored
from tests.orders import one_part
from tests.suites.command_stage import APPLICATION, SETTINGS, CommandStage, shard


async def test_applications_leases_and_lag_tell_who_reads_what_and_how_far(
    stage: CommandStage,
) -> None:
    async with stage.worker("one"):
        await stage.put(*range(20))
        await stage.until_handled(dict.fromkeys(range(20), 1))
        [application] = await stage.json("applications")
        assert application == {
            "application": APPLICATION,
            "stream": f"{stage.namespace}-orders",
            "leases": 2,
            "unowned": 0,
            "ended": 0,
            "owners": ["one"],
        }
    assert [
        (row["shard_id"], row["owner"], row["lag_ms"]) for row in await stage.json("leases", APPLICATION)
    ] == [
        (shard(0), None, 0),
        (shard(1), None, 0),
    ]
    await stage.put(*range(20, 40))
    await asyncio.sleep(0.05)
    lag = await stage.json("lag", APPLICATION)
    assert lag["lag_ms"] == max(one["lag_ms"] for one in lag["shards"]) >= 50
    code, output, _ = await stage.command("lag", APPLICATION)
    assert code == 0
    assert shard(1) in output
    assert "largest: " in output
    code, output, _ = await stage.command("leases", APPLICATION)
    assert output.splitlines()[0].split() == [
        "shard",
        "owner",
        "checkpoint",
        "lag",
        "s",
        "deaths",
        "paused",
        "asked",
    ]
    code, output, _ = await stage.command("--json", "applications")
    assert json.loads(output)[0]["unowned"] == 2


@pytest.mark.parametrize("command", ["leases", "lag"])
async def test_an_application_that_is_not_there_is_told(stage: CommandStage, command: str) -> None:
    code, output, errors = await stage.command(command, "nobody", "--json")
    assert (code, output) == (1, "")
    assert (
        "no stream has the consumer nobody; there are: alarm_notifier, dynamodb_writer, lake_writer, "
        in errors
    )
    await stage.dynamodb.delete_table(stage.leases.table)
    code, _, errors = await stage.command(command, APPLICATION)
    assert code == 1
    assert "see `applications`" in errors
    assert await stage.json("applications") == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-command"],
        ["release", APPLICATION],
        ["release", APPLICATION, "s", "--worker", "w"],
        ["rewind", APPLICATION],
        ["rewind", APPLICATION, "--to", "yesterday"],
        ["rewind", APPLICATION, "--to", "2999-01-01T00:00:00Z"],
        ["rewind", APPLICATION, "--sequence", "shardId-000000000000"],
        ["rejected", "show"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


async def test_a_lease_that_is_handed_back_goes_to_the_other_worker(stage: CommandStage) -> None:
    async with stage.worker("one"), stage.worker("two"):

        async def owners() -> list[str | None]:
            return [row["owner"] for row in await stage.json("leases", APPLICATION)]

        await stage.until_shared()
        [mine] = [row["shard_id"] for row in await stage.json("leases", APPLICATION) if row["owner"] == "one"]
        assert await stage.json("release", APPLICATION, mine) == [{"shard_id": mine, "outcome": "done"}]
        released_at = time.monotonic()
        while await owners() != ["two", "two"]:
            assert time.monotonic() - released_at < 2 * SETTINGS.lease_time_s, await owners()
        code, _, errors = await stage.command("release", APPLICATION, "--worker", "three")
        assert (code, "three holds no lease" in errors) == (1, True)
        await stage.json("release", APPLICATION, "--worker", "two")
        await stage.put(*range(10))
        await stage.until_handled(dict.fromkeys(range(10), 1))
    for lease in (await stage.leases.read()).values():
        assert (lease.deaths, lease.release_asked_of) == (0, None)


async def test_a_lease_whose_owner_is_gone_is_freed_and_counts_a_death(stage: CommandStage) -> None:
    await stage.leases.create(Lease(shard(0), owner="dead", counter=5))
    await stage.leases.create(Lease(shard(1)))
    assert await stage.json("release", APPLICATION, shard(0)) == [{"shard_id": shard(0), "outcome": "done"}]
    lease = (await stage.leases.read())[shard(0)]
    assert (lease.owner, lease.deaths, lease.release_asked_of) == (None, 1, None)
    for name, why in ((shard(1), "is free already"), (shard(9), f"has no lease {shard(9)}")):
        code, _, errors = await stage.command("release", APPLICATION, name)
        assert (code, why in errors) == (1, True)


async def test_resume_and_accept_loss_change_their_lease_only(stage: CommandStage) -> None:
    await stage.leases.create(Lease(shard(0), owner="one", paused="too bad"))
    await stage.leases.create(Lease(shard(1), parents=(shard(0),)))
    done = {"application": APPLICATION, "shard": shard(0)}
    assert await stage.json("resume", APPLICATION, shard(0)) == done
    assert (await stage.leases.read())[shard(0)] == Lease(shard(0), owner="one")
    assert await stage.json("accept-loss", APPLICATION, shard(0)) == done
    leases = await stage.leases.read()
    assert leases[shard(0)].ended
    assert leases[shard(1)] == Lease(shard(1), parents=(shard(0),))
    for command in ("resume", "accept-loss"):
        code, _, errors = await stage.command(command, APPLICATION, shard(7))
        assert (code, f"has no lease {shard(7)}" in errors) == (1, True)


async def test_rewind_to_a_time_while_the_group_runs_reads_again_from_there_across_a_split(
    stage: CommandStage,
) -> None:
    early, late = range(20), range(20, 40)
    async with stage.worker("one"), stage.worker("two"):
        await stage.until_shared()
        await stage.put(*early)
        await stage.until_handled(dict.fromkeys(early, 1))
        await asyncio.sleep(1.1)  # the engine compares whole seconds
        between = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        await stage.put(*late)
        stream = f"{stage.namespace}-orders"
        await stage.kinesis.split_shard(stream, shard(0), str(2**126))
        while await stage.kinesis.stream_status(stream) != "ACTIVE":
            await asyncio.sleep(0.05)
        await stage.until_handled_at_least({**dict.fromkeys(early, 1), **dict.fromkeys(late, 1)})
        await stage.until_checkpointed()
        before = dict(stage.handled)
        answers = await stage.json("rewind", APPLICATION, "--to", between)
        assert {answer["outcome"] for answer in answers} == {"done"}
        assert {shard(0), shard(1)} <= {answer["shard_id"] for answer in answers}
        # At least: a worker with less than its share steals, and what its victim had not checkpointed comes twice.
        await stage.until_handled_at_least({n: before[f"{n}".encode()] + 1 for n in late})
        assert [stage.handled[f"{n}".encode()] for n in early] == [1] * len(early), (
            "none from before that time"
        )
        code, output, _ = await stage.command("rewind", APPLICATION, "--to", "2020-01-01T00:00:00Z")
        assert (code, "done" in output) == (0, True)
        await stage.until_handled_at_least({**dict.fromkeys(early, 2), **dict.fromkeys(late, 3)})
    assert all(lease.rewind_to is None for lease in (await stage.leases.read()).values())


async def test_rewind_leaves_out_nothing_that_was_not_handled(stage: CommandStage) -> None:
    for number in (0, 1):
        await stage.leases.create(Lease(shard(number)))
    await stage.put(*range(10))
    await asyncio.sleep(1.1)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    answers = await stage.json("rewind", APPLICATION, "--to", now)
    assert [answer["outcome"] for answer in answers] == ["kept", "kept"]
    code, _, errors = await stage.command("rewind", APPLICATION, "--sequence", f"{shard(0)}=12")
    assert (code, "would leave records out" in errors) == (1, True)
    code, _, errors = await stage.command("rewind", APPLICATION, "--sequence", f"{shard(5)}=12")
    assert (code, "no lease for the shard" in errors) == (1, True)


async def test_rewind_behind_a_sequence_number_reads_one_shard_again(stage: CommandStage) -> None:
    puts = await stage.kinesis.put_records(
        f"{stage.namespace}-orders", [(f"{n}".encode(), "one key") for n in range(10)]
    )
    async with stage.worker("one"):
        await stage.until_handled(dict.fromkeys(range(10), 1))
        sixth = puts[5]
        assert isinstance(sixth, Stored)
        while (await stage.leases.read())[sixth.shard_id].checkpoint == "TRIM_HORIZON":
            await asyncio.sleep(0.05)
        answers = await stage.json(
            "rewind", APPLICATION, "--sequence", f"{sixth.shard_id}={sixth.sequence_number}"
        )
        assert answers == [{"shard_id": sixth.shard_id, "outcome": "done"}]
        await stage.until_handled({n: 1 if n <= 5 else 2 for n in range(10)})


async def test_without_a_worker_rewind_answers_itself_a_dead_one_included(
    stage: CommandStage,
) -> None:
    await stage.leases.create(Lease(shard(0), owner="dead", checkpoint="5", deaths=2))
    await stage.leases.create(Lease(shard(1), checkpoint="SHARD_END"))
    await stage.json("rewind", APPLICATION, "--to", "2026-01-02T03:04:05.5Z")
    leases = await stage.leases.read()
    for number in (0, 1):
        lease = replace(leases[shard(number)], counter=0)
        assert lease == Lease(shard(number), checkpoint="AT_TIMESTAMP", timestamp_ms=1_767_323_045_500)


async def test_dead_letters_are_listed_and_shown_with_their_bytes(stage: CommandStage) -> None:
    letter = await stage.reject(b"not \xff json")
    listed = await stage.json("rejected")
    assert listed == await stage.json("rejected", "list")
    assert [one["rejected_id"] for one in listed] == [letter]
    code, output, _ = await stage.command("rejected")
    assert (code, letter in output, "contract_violation" in output) == (0, True, True)
    shown = await stage.json("rejected", "show", letter)
    assert shown == listed[0]
    assert (await stage.command("rejected", "list"))[1] == output
    code, _, errors = await stage.command("rejected", "show", "0" * 32)
    assert (code, "no dead letter" in errors) == (1, True)
    readable = await stage.reject(b"some text")
    _, output, _ = await stage.command("rejected", "show", readable)
    assert "fault at /currency: pattern" in output
    assert "some text" in output


async def test_a_dead_letter_is_replayed_as_it_was_or_corrected_under_its_identity(
    stage: CommandStage, tmp_path: Path
) -> None:
    good = codec.encode(one_part("o1"))
    as_it_was = await stage.reject(good)
    bad = good.replace(b'"GBP"', b'"euro"')
    broken = await stage.reject(bad)
    code, _, errors = await stage.command("rejected", "replay", broken)
    assert (code, "breaks order/1" in errors, "--data" in errors) == (1, True, True)
    corrected, other = tmp_path / "corrected.json", tmp_path / "other.json"
    corrected.write_bytes(good.replace(b'"GBP"', b'"USD"'))
    other.write_bytes(codec.encode(one_part("o2")))
    code, _, errors = await stage.command("rejected", "replay", broken, "--data", str(other))
    assert (code, "another order" in errors) == (1, True)
    code, _, errors = await stage.command("rejected", "replay", broken, "--data", str(tmp_path / "none"))
    assert (code, "FileNotFoundError" in errors) == (1, True)
    first = await stage.json("rejected", "replay", as_it_was)
    second = await stage.json("rejected", "replay", broken, "--data", str(corrected))
    assert (first["partition_key"], second["partition_key"]) == ("shop/o1", "shop/o1")
    assert (first["stream"], first["shard_id"]) == (second["stream"], second["shard_id"])
    async with stage.worker("one"):
        await stage.until(lambda: len(stage.handled) == 2)
    fixed = codec.decoder("order", 1)(next(data for data in stage.handled if data != good))
    assert fixed.currency == "USD"
    assert fixed.event_id == order.event_id(msgspec.to_builtins(fixed)) != one_part("o1").event_id


async def test_what_cannot_go_back_is_refused_with_the_reason(stage: CommandStage) -> None:
    from_a_file = await stage.reject(b"a line", stream=None)
    code, _, errors = await stage.command("rejected", "replay", from_a_file)
    assert (code, "orders.csv, not from a stream" in errors) == (1, True)
    elsewhere = await stage.reject(b"{}", stream="nowhere")
    assert (await stage.command("rejected", "replay", elsewhere))[0] == 1
    half = await stage.reject(b"x" * 600_000)
    whole = await stage.json("rejected", "show", half)
    chunk = {**whole, "rejected_id": "f" * 32, "data": "eHg=", "chunk": 1, "chunks": 2}
    await stage.kinesis.put_records(f"{stage.namespace}-rejected", [(json.dumps(chunk).encode(), "f" * 32)])
    code, _, errors = await stage.command("rejected", "replay", "f" * 32)
    assert (code, "only 1 of 2 chunks" in errors) == (1, True)
    assert f"{'f' * 32}: only 1 of 2 chunks are there" in (await stage.command("rejected"))[1]
