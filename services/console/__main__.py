"""The console's composition root: the service, and its commands."""

from __future__ import annotations

import importlib
import sys

from services.console.api import Api
from services.console.logs.search import Logs
from services.console.metrics import ConsoleMetrics
from services.console.sales import engine
from services.console.sales.sales import Sales
from services.console.settings import Settings
from services.kernel.adapters.opensearch import OpenSearch
from services.kernel.core.errors import Misconfigured
from services.kernel.core.http_api import listening
from services.kernel.core.lifecycle import Lifecycle, run
from services.kernel.core.tokens import Verifier

_COMMANDS = {
    "report": "services.console.report.command",
    "query": "services.console.sales.query_command",
    "weekly-report": "services.console.sales.weekly.command",
}
"""Each has a `main(arguments)`, which is given its name too, and returns the exit code."""
_MAX_LINE_BYTES = 16 * 1024  # a query string of 1,000 characters takes up to 12,000


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    """Answer requests until asked to stop, then let those at work end; OpenSearch and the lake need not be there."""
    if settings.jwks_file is None:
        raise Misconfigured("CADABRA_JWKS_FILE is not set")
    metrics = ConsoleMetrics()
    await life.metrics_server(metrics)
    verifier = Verifier(settings.jwks_file)
    async with (
        OpenSearch.open(
            settings.opensearch_endpoint, settings.region, max_connections=settings.max_requests
        ) as search,
        engine.opened(settings) as lake,
    ):
        logs = Logs(search, settings.namespace, settings.query_timeout_s)
        sales = Sales(lake, settings.question_timeout_s, metrics)
        api = Api(logs, sales, verifier, metrics, settings)
        async with listening(api.application(), settings, max_line_bytes=_MAX_LINE_BYTES) as port:
            life.ready(port=port)
            await life.stopping.wait()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        # Only commands draw charts; the service need not load what draws them.
        command = importlib.import_module(_COMMANDS.get(sys.argv[1], _COMMANDS["report"]))
        sys.exit(command.main(sys.argv[1:]))
    run("console", Settings, serve)
