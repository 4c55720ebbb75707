"""How a floor and a stub of aiohttp are served: on a free port of 127.0.0.1 that they print."""

from __future__ import annotations

import asyncio

from aiohttp import web


async def serve(app: web.Application) -> None:
    """Serve until killed; the port is the first line on stdout."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()
