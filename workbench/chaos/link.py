"""The line between agent and machine: as the benches' proxy, and one whose far end may go without a word."""

import asyncio
import socket
import struct

from workbench.bench.faults.proxy import Proxy


class Link(Proxy):
    """A proxy in front of a server that need not be there yet. A fault lasts until `mend`."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self._dead: set[asyncio.StreamWriter] = set()
        self._mended = asyncio.Event()

    def spoil(self, what: str, seconds: float) -> None:
        """Begin one of `plan.LINK`; a delay is of a tenth of its length for each piece that passes."""
        if what == "cut":
            self.cut()
        elif what == "reset":
            self.reset()
        elif what == "stall":
            self.stall()
        elif what == "half-open":
            self._mended.clear()
            self._dead = set(self._writers)
        elif what == "delay":
            self.delay_seconds = seconds / 10
        else:
            raise ValueError(f"no such fault of a line: {what}")

    def reset(self) -> None:
        for writer in self._writers:
            _end_by_reset(writer)
        super().reset()

    def mend(self) -> None:
        """As if nothing had been; but connections that were half open end now, as they do when an answer is a reset."""
        super().mend()
        self.delay_seconds = 0.0
        for writer in self._dead:
            _end_by_reset(writer)
            writer.transport.abort()
        self._dead = set()
        self._mended.set()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._flows.wait()
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            if writer in self._dead:
                continue
            writer.write(data)
            await writer.drain()
        # One side closed; of a connection that is half open the other does not hear of it before it is mended.
        if writer in self._dead:
            await self._mended.wait()


def _end_by_reset(writer: asyncio.StreamWriter) -> None:
    """Let the other side see an error when it is closed, and not an orderly end."""
    opened: socket.socket | None = writer.get_extra_info("socket")
    if opened is not None and opened.fileno() >= 0:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
