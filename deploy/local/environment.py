"""The environment of every process that the supervisor starts: nothing of the shell's cloud account gets in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local.engines.engine import SERVES
from deploy.local.layout import Layout
from deploy.local.plan import Plan, Service, Task
from deploy.local.processes import RUN_ID_VARIABLE

REGION = "us-east-1"
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "SSL_CERT_FILE")


def wanted_port(name: str, what: str = "PORT") -> int:
    """The port that the shell asks for, such as CADABRA_STOREFRONT_PORT=8080; 0 for a free one.

    Args:
        what: METRICS_PORT for the one of /metrics.
    """
    return int(os.environ.get(f"CADABRA_{name.upper()}_{what}") or 0)


def cloud() -> dict[str, str]:
    """Credentials that no real account accepts, and no way to find others."""
    return {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def endpoints(engine_urls: Mapping[str, str]) -> dict[str, str]:
    """Where everything is that these engines stand in for.

    Args:
        engine_urls: by the engine's name.
    """
    return {
        f"CADABRA_{served.upper()}_ENDPOINT": url
        for name, url in engine_urls.items()
        for served in SERVES[name]
    }


def job(run_id: str, namespace: str, engine_urls: Mapping[str, str]) -> dict[str, str]:
    """The environment of a job that is run beside a platform that is up, and ends with it."""
    return {
        **_kept(),
        **cloud(),
        **endpoints(engine_urls),
        RUN_ID_VARIABLE: run_id,
        "CADABRA_NAMESPACE": namespace,
        "PYTHONUNBUFFERED": "1",
    }


def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


class Maker:
    """Makes the environments of one run; learns addresses and ports as the run comes up."""

    def __init__(self, plan: Plan, layout: Layout, run_id: str, namespace: str) -> None:
        self.engine_urls: dict[str, str] = {}
        self._plan = plan
        self._layout = layout
        self._run_id = run_id
        self._namespace = namespace
        self._ports: dict[str, tuple[int, int]] = {}

    def mark(self) -> dict[str, str]:
        """What every process of the run carries."""
        return {RUN_ID_VARIABLE: self._run_id}

    def task(self, task: Task) -> dict[str, str]:
        """The environment of a task."""
        return {**self._base({}), "CADABRA_INSTANCE": task.name}

    def service(self, service: Service, restarts: int) -> dict[str, str]:
        """The environment of a service; the same ports as in its last life, so that addresses stay."""
        wanted = (wanted_port(service.name), wanted_port(service.name, "METRICS_PORT"))
        port, metrics_port = self._ports.get(service.name, wanted)
        return {
            **self._base(service.environment),
            "CADABRA_PORT": str(port),
            "CADABRA_METRICS_PORT": str(metrics_port),
            "CADABRA_READY_FILE": str(self.ready_file(service.name)),
            "CADABRA_INSTANCE": f"{service.name}-{restarts}-{self._run_id[-8:]}",
        }

    def ready_file(self, name: str) -> Path:
        """Where this service says that it is ready, and on which ports."""
        return self._layout.run / f"{name}.ready"

    def remember_ports(self, name: str, ports: dict[str, Any]) -> None:
        """Keep the ports of a service for its next life."""
        self._ports[name] = (int(ports["port"] or 0), int(ports["metrics_port"]))

    def forget_port(self, name: str) -> bool:
        """Let the service take new ports; whether there were any to forget."""
        return self._ports.pop(name, None) is not None

    def _base(self, own: dict[str, str]) -> dict[str, str]:
        words = {
            "keys": self._layout.keys,
            "order_files": self._layout.order_files,
            "web_logs": self._layout.web_logs,
            "log_positions": self._layout.log_positions,
            "flink": self._layout.flink,
            "baselines": self._layout.baselines,
        }
        planned = {**self._plan.environment, **own}
        return {
            **_kept(),
            **{name: value.format(**words) for name, value in planned.items()},
            **{name: value for name, value in os.environ.items() if name.startswith("CADABRA_")},
            **cloud(),
            **endpoints(self.engine_urls),
            **self.mark(),
            "CADABRA_NAMESPACE": self._namespace,
            "CADABRA_HOST": "127.0.0.1",
            "PYTHONUNBUFFERED": "1",
        }
