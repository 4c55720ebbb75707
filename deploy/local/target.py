"""The platform that runs in this checkout, as its users see it: addresses, tokens, and who sends under which name."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import plan
from deploy.local.layout import Layout, read_json
from services.kernel.core.names import database_name

FILE_SOURCE_VARIABLE = "CADABRA_ORDER_FILES_SOURCE"
LEDGER_NAME = "ledger.jsonl"


class NotRunning(RuntimeError):
    """No platform runs in this folder."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send to and to read from.

    Args:
        run_id: of the run that is up; another one has other engines, which are empty.
        alarm_job: where the metrics of the alarm's Flink job are.
        aws: S3 and the Glue Data Catalog.
        postgresql: the warehouse, in the place of Redshift.
        source: the sender that the token speaks for.
        file_source: the sender that the folder of order files is read for.
    """

    layout: Layout
    run_id: str
    order_ingest: str
    storefront: str
    alarm_notifier: str
    webhook_receiver: str
    alarm_job: str
    console: str
    dynamodb: str
    opensearch: str
    aws: str
    postgresql: str
    namespace: str
    sender_token: str
    operator_token: str
    source: str
    file_source: str

    @classmethod
    def current(cls, layout: Layout | None = None) -> Target:
        """The platform that is up.

        Raises:
            NotRunning: there is none; `make up` starts it.
        """
        where = layout or Layout.current()
        endpoints = read_json(where.endpoints_file)
        run_id = read_json(where.state_file).get("run_id")
        if not endpoints or not run_id:
            raise NotRunning(f"nothing runs in {where.folder}: start it with make up")
        tokens, services = endpoints["tokens"], endpoints["services"]
        return cls(
            layout=where,
            run_id=run_id,
            order_ingest=services["order_ingest"]["url"],
            storefront=services["storefront"]["url"],
            alarm_notifier=services["alarm_notifier"]["url"],
            webhook_receiver=services["webhook_receiver"]["url"],
            alarm_job=services["order_rate_alarm"]["metrics_url"],
            console=services["console"]["url"],
            dynamodb=endpoints["engines"]["dynamodb"]["url"],
            opensearch=endpoints["engines"]["opensearch"]["url"],
            aws=endpoints["engines"]["aws"]["url"],
            postgresql=endpoints["engines"]["postgresql"]["url"],
            namespace=endpoints["namespace"],
            sender_token=tokens["sender"],
            operator_token=tokens["operator"],
            source=subject(tokens["sender"]),
            file_source=_planned(FILE_SOURCE_VARIABLE, ""),
        )

    @property
    def order_history(self) -> str:
        """The physical name of the order store."""
        return f"{self.namespace}-order_history"

    @property
    def sales(self) -> str:
        """The lake's database in the Glue Data Catalog, and the warehouse's schema."""
        return database_name(self.namespace)

    @property
    def access_logs(self) -> str:
        """The names of the search indices, as a pattern."""
        return f"{self.namespace}-access-logs-*"

    @property
    def ledger_file(self) -> Path:
        """Where the replay's ledger of this platform is."""
        return self.layout.folder / LEDGER_NAME


def subject(token: str) -> str:
    """Who a token speaks for; the signature is not looked at, for the services do that."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["sub"])


def _planned(variable: str, default: str) -> str:
    """A setting as the supervisor gives it: the shell's, then a service's own, then the plan's."""
    if variable in os.environ:
        return os.environ[variable]
    known = plan.read()
    for service in known.services:
        if variable in service.environment:
            return service.environment[variable]
    return known.environment.get(variable, default)
