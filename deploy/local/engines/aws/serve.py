"""Serves MiniStack on 127.0.0.1 and says on which port. Runs in .venv-aws: standard library and hypercorn only.

The socket is bound here, so that the port is known before MiniStack is imported: it writes addresses of its own
(such as the one that confirms a subscription) with the port that it is told at import.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"


def main() -> None:
    """Listen, write the port file, serve until SIGTERM."""
    listening = socket.create_server((HOST, int(os.environ["CADABRA_ENGINE_PORT"])), backlog=256)
    port = listening.getsockname()[1]
    os.environ.update(GATEWAY_PORT=str(port), MINISTACK_HOST=HOST)
    # Only now: its modules read the port when they are imported.
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    config = Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.loglevel = "ERROR"
    # A client's idle connection is not cut under its hands, as AWS's endpoints hold them for long, too.
    config.keep_alive_timeout = 3600.0
    port_file = Path(os.environ["CADABRA_ENGINE_PORT_FILE"])
    asyncio.run(serve(_telling(app, lambda: _tell(port_file, port)), config))


def _telling(app: Any, tell: Callable[[], None]) -> Any:
    """The application, which calls `tell` once it has started: a call before that would only wait."""

    async def telling(scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                tell()

        await app(scope, receive, sent if scope["type"] == "lifespan" else send)

    return telling


def _tell(file: Path, port: int) -> None:
    part = file.with_name(f".{file.name}.part")
    part.write_text(str(port), encoding="ascii")
    part.replace(file)


if __name__ == "__main__":
    main()
