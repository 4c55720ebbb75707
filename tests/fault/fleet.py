"""Several workers on one lease table: who holds what, whether they go on, and that nothing went back."""

from __future__ import annotations

from typing import Any

from tests.fault.stage import Stage, passed
from tests.fault.waiting import until
from tests.processes import ServiceProcess

HELD_AGAIN_S = 30.0


async def holds(stage: Stage, service: ServiceProcess, shards: int) -> bool:
    """Whether a worker holds exactly so many shards that are still read."""
    return (await stage.owners()).get(stage.instance(service)) == shards


async def balanced(stage: Stage, workers: list[ServiceProcess]) -> bool:
    """Whether these workers hold what is read, all of it, no one more than one shard more than another."""
    owners = await stage.owners()
    if owners.keys() != {stage.instance(worker) for worker in workers} or await _unheld(stage):
        return False
    return max(owners.values()) - min(owners.values()) <= 1


async def _unheld(stage: Stage) -> list[str]:
    """Shards that may be read and that nobody holds."""
    leases = await stage.leases()
    return [
        shard_id
        for shard_id, lease in leases.items()
        if not lease["owner"]
        and lease["checkpoint"] != "SHARD_END"
        and all(parent not in leases or ended(leases, parent) for parent in lease["parents"])
    ]


def ended(leases: dict[str, dict[str, Any]], shard_id: str) -> bool:
    """Whether a shard was read to its end, every effect durable."""
    return bool(leases[shard_id]["checkpoint"] == "SHARD_END")


async def until_balanced(stage: Stage, workers: list[ServiceProcess]) -> None:
    """Wait until these workers share all that is read."""
    instances = sorted(map(stage.instance, workers))
    await until(lambda: balanced(stage, workers), HELD_AGAIN_S, f"{instances} share the shards")


async def wait_for_heartbeats(stage: Stage, beats: int) -> None:
    """Wait until every lease that is held was kept so many times: its worker looked at the others meanwhile."""
    before = {shard_id: lease["counter"] for shard_id, lease in (await stage.leases()).items()}

    async def kept() -> bool:
        after = await stage.leases()
        return all(after[s]["counter"] >= n + beats for s, n in before.items() if after[s]["owner"])

    await until(kept, 20, f"{beats} heartbeats of every lease that is held")


def assert_no_step_back(before: dict[str, Any], after: dict[str, Any]) -> None:
    """No checkpoint is before where it was."""
    for shard_id, lease in before.items():
        if lease["checkpoint"].isdigit():
            assert passed(after[shard_id], int(lease["checkpoint"])), f"{shard_id} went back"
