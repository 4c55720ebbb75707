"""A version is published into the engines that stand in for S3 and DynamoDB, beside bare writes of the same items."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.local import environment, job
from services.kernel.adapters.dynamodb import DynamoDB, Key
from services.kernel.adapters.s3 import S3
from services.kernel.core.names import bucket_name
from tests import recommendation_versions
from tests.engines import started
from tests.recommendation_versions import MadeVersion

NAMESPACE = "bench"
BATCH, AT_ONCE = 25, 8


@dataclass(frozen=True)
class Published:
    """What one publication took.

    Args:
        elapsed_s: of the command, from its start to its end: judged, written, in service.
        bare_s: of writing the same items in batches of 25, eight at once, and nothing else.
    """

    records: int
    size_bytes: int
    elapsed_s: float
    cpu_s: float
    peak_bytes: int
    bare_s: float


def measure(records: Path, recipe: dict[str, str]) -> Published:
    """Publish records, one a line, on engines of their own.

    Raises:
        RuntimeError: the command failed; its last words are in the message.
    """
    bodies = {json.loads(line)["subject"]: line.encode() for line in records.read_text("utf-8").splitlines()}
    measured = {name: {"popularity_all": 0.01, method: 0.02} for name, method in recipe.items()}
    version = recommendation_versions.made(0, bodies, recipe=dict(recipe), measured=measured)
    with tempfile.TemporaryDirectory() as folder, started(Path(folder), ("aws", "dynamodb")) as engines:
        urls = {"aws": engines.aws, "dynamodb": engines.dynamodb}
        return asyncio.run(_measure(version, urls, engines.run_id))


async def _measure(version: MadeVersion, urls: dict[str, str], run_id: str) -> Published:
    table = f"{NAMESPACE}-recommendations"
    async with (
        S3.open(urls["aws"], environment.REGION) as s3,
        DynamoDB.open(urls["dynamodb"], environment.REGION) as dynamodb,
    ):
        await s3.create_bucket(bucket_name(NAMESPACE))
        await recommendation_versions.write(s3, bucket_name(NAMESPACE), version)
        await recommendation_versions.create_table(dynamodb, table)
        await dynamodb.create_table("bare", Key("subject"), Key("version"))
        bare_s = await _bare(dynamodb, version)
    command = [sys.executable, "-m", "spark_jobs.recommendations.release", "publish", "--json"]
    ran = await job.run("publish", command, environment.job(run_id, NAMESPACE, urls), lambda _: None)
    if ran.code:
        raise RuntimeError(f"publish ended with {ran.code}:\n" + "\n".join(ran.told))
    size = sum(map(len, version.records.values()))
    return Published(len(version.records), size, ran.elapsed_s, ran.cpu_s, ran.peak_bytes, bare_s)


async def _bare(dynamodb: DynamoDB, version: MadeVersion) -> float:
    """Seconds of the writes alone."""
    items = [
        {"subject": {"S": subject}, "version": {"S": version.name}, "body": {"B": body}}
        for subject, body in version.rows()
    ]
    turns, begun = asyncio.Semaphore(AT_ONCE), time.monotonic()

    async def put(at: int) -> None:
        async with turns:
            left, _ = await dynamodb.batch_write("bare", items[at : at + BATCH])
            if left:
                raise RuntimeError(f"{len(left)} items were left over")

    await asyncio.gather(*(put(at) for at in range(0, len(items), BATCH)))
    return time.monotonic() - begun
