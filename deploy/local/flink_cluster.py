"""What a Flink cluster in one process needs on this machine: its options, the job's properties, its environment.

Everything listens on 127.0.0.1, everything that it writes is below one folder.
"""

from __future__ import annotations

import json
import os
import socket
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.engines import engine, flink_parts
from deploy.local.layout import ROOT

ENVIRONMENT = ROOT / ".venv-flink"
ACCOUNT = "000000000000"
HOST = "127.0.0.1"
# The connector's SDK does not read the local engine's CBOR of a record over some 500 KiB (measured); JSON it does.
_JVM_ARGS = (
    "-Xms64m -Xmx320m -Xss512k -XX:+UseSerialGC -XX:MaxMetaspaceSize=192m -XX:ReservedCodeCacheSize=64m "
    "-XX:MaxDirectMemorySize=96m -Djava.net.preferIPv4Stack=true "
    "-Daws.cborEnabled=false"
)


class NotInPlace(Exception):
    """A part of Flink is not on this machine; the message says which, and what brings it."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One job's cluster.

    Args:
        job: folder of the job below `flink_jobs/`.
        folder: for all that it writes; kept over restarts of the process, for the checkpoints are there.
        environment: the Python environment that holds Flink.
        connector: jar of the Kinesis connector; None for the one that set-up brought.
        packages: folder of our packages; None where the program brings its own.
    """

    job: str
    folder: Path
    environment: Path = ENVIRONMENT
    engines: Path = engine.ENGINES
    connector: Path | None = None
    packages: Path | None = ROOT

    @property
    def port_file(self) -> Path:
        """Where the reporter of metrics writes its port."""
        return self.folder / "metrics.port"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints of every life of the process."""
        return self.folder / "checkpoints"

    @property
    def savepoints(self) -> Path:
        """Folder of the snapshots that a stop leaves."""
        return self.folder / "savepoints"

    def check(self) -> Path:
        """Make sure that everything is there; returns the connector's jar.

        Raises:
            NotInPlace: something is not.
        """
        if not (self.environment / "bin" / "python").exists():
            raise NotInPlace(f"{self.environment} is missing: run make setup")
        if not flink_parts.jars(self.engines, flink_parts.REPORTER):
            raise NotInPlace("Flink's reporter of metrics is missing: run make setup")
        connectors = [self.connector] if self.connector else flink_parts.connectors(self.engines)
        if not connectors:
            raise NotInPlace(
                f"no Kinesis connector for Flink: run make setup, with {flink_parts.CONNECTOR_VARIABLE}=<jar> for yours"
            )
        return connectors[0]

    def newest_snapshot(self) -> Path | None:
        """The last whole checkpoint or savepoint of any life of the process; None where there is none yet."""
        found = [*self.checkpoints.glob("*/chk-*/_metadata"), *self.savepoints.glob("*/_metadata")]
        return max(found, key=lambda path: path.stat().st_mtime_ns).parent if found else None

    def write(
        self, groups: Mapping[str, Mapping[str, str]], checkpoint_interval_s: float, restore: Path | None
    ) -> tuple[dict[str, str], int]:
        """Put down the files of the next life of the process.

        Args:
            groups: property groups of the job.
            restore: the snapshot to begin from.

        Returns:
            the environment that it is started with, and the port of its REST interface.
        """
        jar, rest_port = self.check(), free_port()
        for folder in (self.checkpoints, self.savepoints, self.folder / "lib", self.folder / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        self.port_file.unlink(missing_ok=True)
        self._link_libraries()
        options = self._options(jar, rest_port, checkpoint_interval_s)
        if restore is not None:
            options["execution.state-recovery.path"] = restore.resolve().as_uri()
            options["execution.state-recovery.claim-mode"] = "CLAIM"
        cluster, properties = self.folder / "cluster.json", self.folder / "application_properties.json"
        cluster.write_text(json.dumps(options, indent=1), encoding="utf-8")
        rows = [{"PropertyGroupId": name, "PropertyMap": dict(values)} for name, values in groups.items()]
        properties.write_text(json.dumps(rows, indent=1), encoding="utf-8")
        log4j = self.folder / "log4j.properties"
        log4j.write_text(_LOG4J, encoding="utf-8")
        flink = flink_parts.libraries(self.environment)
        return {
            "CADABRA_FLINK_PROPERTIES": str(properties),
            "CADABRA_FLINK_CLUSTER": str(cluster),
            "FLINK_HOME": str(flink),
            "FLINK_LIB_DIR": str(self.folder / "lib"),
            "FLINK_LOG_DIR": str(self.folder),
            "LOG4J_PROPERTIES": str(log4j),
            "JVM_ARGS": _JVM_ARGS + f" -Djava.io.tmpdir={self.folder / 'tmp'}",
            "PYTHONPATH": str(self.packages or ""),
            # Else Python serves the workers of other modes on every address of the machine.
            "_python_worker_execution_mode": "process",
        }, rest_port

    def _link_libraries(self) -> None:
        """Flink's libraries and the reporter in one folder: a cluster in one process looks at no plugins."""
        flink = flink_parts.libraries(self.environment)
        for jar in [*(flink / "lib").glob("*.jar"), *flink_parts.jars(self.engines, flink_parts.REPORTER)]:
            link = self.folder / "lib" / jar.name
            link.unlink(missing_ok=True)
            link.symlink_to(jar.resolve())

    def _options(self, jar: Path, rest_port: int, checkpoint_interval_s: float) -> dict[str, str]:
        python = str(self.environment / "bin" / "python")
        site_packages = flink_parts.libraries(self.environment).parent
        reporter = "metrics.reporter.prom"
        return {
            "parallelism.default": "1",
            "rest.address": HOST,
            "rest.bind-address": HOST,
            "rest.port": str(rest_port),
            "rest.bind-port": str(rest_port),
            "jobmanager.rpc.address": HOST,
            "jobmanager.bind-host": HOST,
            "taskmanager.host": HOST,
            "taskmanager.bind-host": HOST,
            "taskmanager.memory.network.min": "24mb",
            "taskmanager.memory.network.max": "24mb",
            "taskmanager.memory.managed.size": "16mb",
            "state.backend.type": "hashmap",
            "execution.checkpointing.interval": f"{round(checkpoint_interval_s * 1000)} ms",
            "execution.checkpointing.storage": "filesystem",
            "execution.checkpointing.dir": self.checkpoints.resolve().as_uri(),
            "execution.checkpointing.savepoint-dir": self.savepoints.resolve().as_uri(),
            "execution.checkpointing.num-retained": "2",
            "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
            # The source cannot take back the shards of a part of the job that failed.
            "jobmanager.execution.failover-strategy": "full",
            "restart-strategy.type": "failure-rate",
            "restart-strategy.failure-rate.delay": "1 s",
            "restart-strategy.failure-rate.max-failures-per-interval": "5",
            "restart-strategy.failure-rate.failure-rate-interval": "1 min",
            "metrics.reporters": "prom",
            f"{reporter}.factory.class": flink_parts.REPORTER_CLASS,
            f"{reporter}.portFile": str(self.port_file.resolve()),
            "pipeline.jars": jar.resolve().as_uri(),
            "python.executable": python,
            "python.client.executable": python,
            "python.pythonpath": os.pathsep.join(map(str, filter(None, (self.packages, site_packages)))),
            "io.tmp.dirs": str((self.folder / "tmp").resolve()),
        }


_LOG4J = """\
rootLogger.level = WARN
logger.tokens.name = org.apache.flink.runtime.security.token
logger.tokens.level = ERROR
logger.names.name = org.apache.flink.runtime.metrics.util.MetricUtils
logger.names.level = ERROR
rootLogger.appenderRef.out.ref = Out
appender.out.name = Out
appender.out.type = CONSOLE
appender.out.target = SYSTEM_OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %-5p %c{1}: %m%n%ex{40}
"""


def groups(
    job: str, region: str, namespace: str, account: str = ACCOUNT, connector: str = ""
) -> dict[str, dict[str, str]]:
    """The property groups of a job as its folder states them, with names filled in.

    Args:
        connector: file name of the connector in the job's package.
    """
    text = (ROOT / "flink_jobs" / job / "application_properties.json").read_text(encoding="utf-8")
    names = {"region": region, "account": account, "namespace": namespace, "connector": connector}
    filled = string.Template(text).substitute(names)
    return {row["PropertyGroupId"]: row["PropertyMap"] for row in json.loads(filled)}


def at_endpoint(url: str, key: str, secret: str) -> dict[str, str]:
    """Connector options for a Kinesis at this URL."""
    return {
        "aws.endpoint": url,
        "aws.http.protocol.version": "HTTP1_1",
        "aws.credentials.provider": "BASIC",
        "aws.credentials.basic.accesskeyid": key,
        "aws.credentials.basic.secretkey": secret,
    }


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
