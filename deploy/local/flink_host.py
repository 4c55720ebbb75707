"""Runs one Flink job as a service of this machine: `python -m deploy.local.flink_host <job>`.

Flink tells neither when it is ready nor where its metrics are, and begins anew when it is started again. This process
does it for the job: it starts it from its newest checkpoint, says that it is ready once it runs and has given a first
sign of life, serves its metrics, and on SIGTERM stops it with a savepoint. It ends when the job ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import flink_cluster, probe, processes
from deploy.local.engines import flink_parts
from deploy.local.flink_cluster import Cluster, NotInPlace
from deploy.local.layout import ROOT
from services.kernel.core import logs
from services.kernel.core.errors import Misconfigured, Unavailable
from services.kernel.core.lifecycle import Lifecycle, run
from services.kernel.core.metrics import Metrics
from services.kernel.core.settings import ServiceSettings, setting

_LOOK_S = 0.5
SIGN_OF_LIFE = "flink_taskmanager_job_task_operator_{job}_heartbeats"

log = logs.get("flink_host")


@dataclass(frozen=True)
class HostSettings(ServiceSettings):
    """What the host is told; the job's own properties are in its folder."""

    folder: Path = setting("CADABRA_FLINK_FOLDER", help="folder of checkpoints and of all that Flink writes")
    baselines: Path | None = setting(
        "CADABRA_BASELINES_FOLDER", default=None, help="folder that baselines are read from"
    )
    properties: str = setting(
        "CADABRA_FLINK_OVERRIDES",
        default="{}",
        help='properties on top of those in the job\'s folder: {"group": {"name": "value"}}',
    )
    connector: Path | None = setting(
        flink_parts.CONNECTOR_VARIABLE,
        default=None,
        help="jar of the Kinesis connector; unset: what set-up brought",
    )
    program: Path | None = setting(
        "CADABRA_FLINK_PROGRAM",
        default=None,
        help="main.py of an unpacked package to run; unset: the job of this checkout",
    )
    checkpoint_interval_s: float = setting(
        "CADABRA_FLINK_CHECKPOINT_INTERVAL_S",
        default=5.0,
        minimum=0.2,
        maximum=3600,
        help="seconds between two checkpoints",
    )
    access_key: str = setting("AWS_ACCESS_KEY_ID", default="local", secret=True, help="of the engine")
    secret_key: str = setting("AWS_SECRET_ACCESS_KEY", default="local", secret=True, help="of the engine")


class JobMetrics(Metrics):
    """The job's own metrics, as its reporter last gave them."""

    service = "flink_host"

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def exposition(self) -> bytes:
        """What Flink's reporter said."""
        return self.text.encode()


class Job:
    """The job's process and the ways to it.

    Args:
        process: Python, which starts the JVM and ends with it.
    """

    def __init__(self, cluster: Cluster, process: asyncio.subprocess.Process, rest_port: int) -> None:
        self._cluster = cluster
        self.process = process
        self._rest = f"http://{flink_cluster.HOST}:{rest_port}"

    def running(self) -> str | None:
        """The id of the job once every task of it runs."""
        overview = json.loads(probe.get(f"{self._rest}/jobs/overview") or '{"jobs": []}')
        for job in overview["jobs"]:
            tasks = job["tasks"]
            if job["state"] == "RUNNING" and tasks["total"] == tasks["running"] + tasks["finished"] > 0:
                return str(job["jid"])
        return None

    def metrics(self) -> str:
        """All its metrics; empty where they cannot be had now."""
        try:
            port = int(self._cluster.port_file.read_text(encoding="ascii"))
        except FileNotFoundError:
            return ""
        return probe.get(f"http://{flink_cluster.HOST}:{port}/metrics") or ""

    def stop(self) -> bool:
        """Ask it to take a savepoint and end; whether it runs, so that it could be asked."""
        job_id = self.running()
        if job_id is None:
            return False
        body = json.dumps({"targetDirectory": self._cluster.savepoints.resolve().as_uri(), "drain": False})
        request = urllib.request.Request(  # noqa: S310 - http to ourselves
            f"{self._rest}/jobs/{job_id}/stop",
            data=body.encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310
                return True
        except OSError as error:
            log.warning("not_stopped", error=error)
            return False

    def kill(self) -> None:
        """End whatever of it is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def properties(job: str, settings: HostSettings) -> dict[str, dict[str, str]]:
    """The job's property groups on this machine.

    Raises:
        Misconfigured: the overrides are no groups.
    """
    groups = flink_cluster.groups(job, settings.region, settings.namespace)
    if settings.kinesis_endpoint:
        groups["kinesis"] |= flink_cluster.at_endpoint(
            settings.kinesis_endpoint, settings.access_key, settings.secret_key
        )
        groups["orders"] |= {
            "source.reader.empty-records-fetch-interval": "500 ms",
            "source.shard.discovery.interval": "5 s",  # a shorter one comes before a slow first look, which then fails
        }
    groups["baselines"] = {}
    if settings.baselines is not None:
        settings.baselines.mkdir(parents=True, exist_ok=True)
        groups["baselines"] = {"path": settings.baselines.resolve().as_uri(), "interval": "1 s"}
    try:
        for name, values in json.loads(settings.properties).items():
            groups[name] = {**groups.get(name, {}), **values}
    except (ValueError, AttributeError, TypeError) as error:
        raise Misconfigured(f"CADABRA_FLINK_OVERRIDES: no property groups: {error}") from None
    return groups


async def start(name: str, settings: HostSettings) -> Job:
    """Start the job from its newest snapshot.

    Raises:
        Misconfigured: a part of Flink is not on this machine.
    """
    packages = None if settings.program else ROOT
    cluster = Cluster(name, settings.folder, connector=settings.connector, packages=packages)
    restore = cluster.newest_snapshot()
    try:
        environment, rest_port = cluster.write(
            properties(name, settings), settings.checkpoint_interval_s, restore
        )
    except NotInPlace as error:
        raise Misconfigured(str(error)) from None
    what = [str(settings.program.resolve())] if settings.program else ["-m", f"flink_jobs.{name}", "run"]
    process = await asyncio.create_subprocess_exec(
        str(cluster.environment / "bin" / "python"),
        *what,
        env={**os.environ, **environment},
        cwd=settings.folder,
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=processes.die_with_parent,
    )
    log.info("starting", job=name, pid=process.pid, restored_from=str(restore) if restore else None)
    return Job(cluster, process, rest_port)


async def serve(life: Lifecycle[HostSettings], settings: HostSettings) -> None:
    """Run the job until it ends or the process is asked to stop.

    Raises:
        Unavailable: the job ended by itself.
    """
    metrics = JobMetrics()
    await life.metrics_server(metrics)
    job = await start(life.name, settings)
    ended = asyncio.create_task(job.process.wait())
    stopping = asyncio.create_task(life.stopping.wait())
    watching = asyncio.create_task(_watch(life, job, metrics))
    try:
        await asyncio.wait({ended, stopping, watching}, return_when=asyncio.FIRST_COMPLETED)
        if life.stopping.is_set() and not ended.done():
            await _stop(job, ended)
            return
        if watching.done():
            watching.result()
        raise Unavailable(f"the job {life.name} ended with {await ended}")
    finally:
        for task in (watching, stopping, ended):
            task.cancel()
        job.kill()


async def _watch(life: Lifecycle[HostSettings], job: Job, metrics: JobMetrics) -> None:
    """Keep the metrics fresh; say that the job is ready once it runs and gave a sign of life."""
    started, sign = time.monotonic(), SIGN_OF_LIFE.format(job=life.name)
    ready = False
    while True:
        metrics.text = await asyncio.to_thread(job.metrics)
        if not ready and probe.samples(metrics.text).get(sign, 0.0) > 0:
            ready = await asyncio.to_thread(job.running) is not None
            if ready:
                log.info("running", after_s=round(time.monotonic() - started, 1))
                life.ready()
        await asyncio.sleep(_LOOK_S)


async def _stop(job: Job, ended: asyncio.Task[int]) -> None:
    """Stop with a savepoint; one that does not run yet, or not any more, has nothing to save."""
    if await asyncio.to_thread(job.stop):
        code = await ended
        log.info("stopped", code=code)


def main(arguments: list[str]) -> Any:
    """Host the job of this name."""
    (name,) = arguments
    run(name, HostSettings, serve)


if __name__ == "__main__":
    main(sys.argv[1:])
