"""The console's composition root: the service, and the command `report`."""

from __future__ import annotations

import sys

from services.console.api import Api
from services.console.logs.search import Logs
from services.console.metrics import ConsoleMetrics
from services.console.settings import Settings
from services.kernel.adapters.opensearch import OpenSearch
from services.kernel.core.errors import Misconfigured
from services.kernel.core.http_api import listening
from services.kernel.core.lifecycle import Lifecycle, run
from services.kernel.core.tokens import Verifier

_MAX_LINE_BYTES = 16 * 1024  # a query string of 1,000 characters takes up to 12,000


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    """Answer requests until asked to stop, then let those at work end; OpenSearch need not be there for it."""
    if settings.jwks_file is None:
        raise Misconfigured("CADABRA_JWKS_FILE is not set")
    metrics = ConsoleMetrics()
    await life.metrics_server(metrics)
    verifier = Verifier(settings.jwks_file)
    async with OpenSearch.open(
        settings.opensearch_endpoint, settings.region, max_connections=settings.max_requests
    ) as engine:
        logs = Logs(engine, settings.namespace, settings.query_timeout_s)
        api = Api(logs, verifier, metrics, settings)
        async with listening(api.application(), settings, max_line_bytes=_MAX_LINE_BYTES) as port:
            life.ready(port=port)
            await life.stopping.wait()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        # Only the command draws charts; the service need not load what draws them.
        from services.console.report.command import main

        sys.exit(main(sys.argv[1:]))
    run("console", Settings, serve)
