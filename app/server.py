"""The web server in this process: uvicorn, told to end live streams first when it stops."""

import asyncio
import gc
import socket

import uvicorn
from litestar import Litestar

_GRACE_SECONDS = 10
_COLLECTOR = (50_000, 20, 50)


class Server(uvicorn.Server):
    """Serves `app` until a signal, or until `should_exit` is set.

    A stop waits for requests under way, and a live stream never ends by itself: it is told at once.
    """

    def __init__(self, app: Litestar) -> None:
        super().__init__(
            uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=_GRACE_SECONDS)
        )
        self._closing: asyncio.Event = app.state.closing

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; and look for garbage less often, as an upload makes thousands of objects that go by themselves."""
        await super().startup(sockets)
        gc.freeze()
        gc.set_threshold(*_COLLECTOR)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, end the streams, and wait for what is under way."""
        self._closing.set()
        await super().shutdown(sockets)
