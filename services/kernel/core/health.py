"""The health server: /metrics, /healthz (alive) and /readyz (takes work), on a port of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiohttp import web

from services.kernel.core.errors import Misconfigured
from services.kernel.core.metrics import CONTENT_TYPE, Metrics


class HealthServer:
    """Serves metrics and health until closed.

    `ready` is False until the service says so, and again from the moment it is asked to stop. `alive_check`
    returns None, or the reason why the process is beyond help and should be replaced.

    Args:
        metrics: of the service; several where it does several things, each under a name of its own.
    """

    def __init__(self, metrics: Metrics | Sequence[Metrics], host: str = "127.0.0.1", port: int = 0) -> None:
        self.ready = False
        self.alive_check: Callable[[], str | None] = lambda: None
        self._metrics = [metrics] if isinstance(metrics, Metrics) else list(metrics)
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._port

    async def start(self) -> int:
        """Listen and return the port.

        Raises:
            Misconfigured: the address cannot be listened on.
        """
        app = web.Application()
        app.router.add_get("/metrics", self._serve_metrics)
        app.router.add_get("/healthz", self._serve_alive)
        app.router.add_get("/readyz", self._serve_ready)
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, shutdown_timeout=1.0).start()
        except OSError as error:
            await runner.cleanup()
            raise Misconfigured(
                f"CADABRA_METRICS_PORT: cannot listen on {self._host}:{self._port}: {error}"
            ) from error
        self._runner = runner
        self._port = runner.addresses[0][1]
        return self._port

    async def close(self) -> None:
        """Stop listening; closing twice is harmless."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _serve_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=b"".join(one.exposition() for one in self._metrics), headers={"Content-Type": CONTENT_TYPE}
        )

    async def _serve_alive(self, _request: web.Request) -> web.Response:
        reason = self.alive_check()
        if reason is None:
            return web.json_response({"alive": True})
        return web.json_response({"alive": False, "reason": reason}, status=503)

    async def _serve_ready(self, _request: web.Request) -> web.Response:
        return web.json_response({"ready": self.ready}, status=200 if self.ready else 503)
