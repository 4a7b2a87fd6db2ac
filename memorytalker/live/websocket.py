"""A WebSocket server of live frames: JSON, one message a frame, to any number of listeners up to a bound.

Every listener reads the same bounded memory at its own place. One that is slow or stalls costs the others nothing, and
loses nothing itself while it is less than `ring.LONGEST` frames behind; then its connection is closed, which says so.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from memorytalker.live.frame import LiveFrame
from memorytalker.live.outputs import LiveError
from memorytalker.live.ring import Ring

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

WEBSOCKET_PORT = 8765
#: Listeners at once; bytes of a message that a listener may send, all of which are ignored.
MOST_LISTENERS, LARGEST_MESSAGE = 64, 1024
#: Bytes that the system keeps for a listener; what does not fit waits in the ring, which all of them share.
KEPT = 65_536
#: Seconds for the last frames at the end.
_FAREWELL = 2.0
#: Close codes of the protocol.
_NORMAL, _TOO_LATE = 1000, 1013
#: Hosts of pages that may listen; a page of another host needs to be allowed by name.
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1")


class WebSocketOutput:
    """Serves frames until it is closed.

    Args:
        address: host and port to listen at; port 0 is any free one.
        origins: pages that may listen beside those of this machine, such as "https://example.org"; "*" is all.
        ring: keeps the frames for listeners that are late.

    Raises:
        LiveError: an address at which nothing can be served.
        ModuleNotFoundError: the extra "live" is not installed.
    """

    def __init__(self, address: tuple[str, int], origins: tuple[str, ...] = (), ring: Ring | None = None) -> None:
        import websockets.asyncio.server as _  # noqa: F401 - a missing extra is told before a thread is started

        self._address, self._origins, self._ring = address, origins, ring or Ring()
        self._events: dict[Any, asyncio.Event] = {}
        self._places: dict[Any, int] = {}
        self._loop = asyncio.new_event_loop()
        self._ready: threading.Event = threading.Event()
        self._failed: OSError | None = None
        self.port = 0
        self._thread = threading.Thread(target=self._run, name="live websocket", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            raise LiveError(f"Nothing can be served at {address[0]}:{address[1]}; choose another --websocket address.")
        self._ring.wake(self._wake)

    @property
    def listeners(self) -> int:
        """Number of listeners at present."""
        return len(self._events)

    def behind(self) -> list[int]:
        """For each listener the frames that it has not been sent yet."""
        return [self._ring.end - place for place in list(self._places.values())]

    def send(self, frame: LiveFrame) -> None:
        """Hand a frame to all listeners."""
        self._ring.put(frame.json())

    def close(self) -> None:
        """Let listeners that are not late have the last frames, and stop."""
        self._ring.close()
        self._thread.join(2 * _FAREWELL)

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._set_all)
        except RuntimeError:  # the loop has ended
            return

    def _set_all(self) -> None:
        for event in self._events.values():
            event.set()
        if self._ring.closed:
            self._over.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        from websockets.asyncio.server import serve

        self._over = asyncio.Event()
        host, port = self._address
        try:
            server = await serve(
                self._follow, host, port, process_request=self._admit, compression=None, ping_interval=None,
                max_size=LARGEST_MESSAGE, max_queue=4, close_timeout=_FAREWELL,
                logger=logging.Logger("memorytalker.live", logging.CRITICAL),  # strangers' mistakes are not ours
            )  # fmt: skip
        except OSError as error:
            self._failed = error
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        await self._leave(server)

    async def _leave(self, server: Server) -> None:
        """Give listeners time for the last frames, then close."""
        for _ in range(round(_FAREWELL / 0.05)):
            if not self._events:
                break
            await asyncio.sleep(0.05)
        server.close()
        await server.wait_closed()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse pages of foreign hosts, which any browser might open, and more listeners than there is room for."""
        origin = request.headers.get("Origin")
        known = origin in (None, "null") or _host_of(origin or "") in _OWN_HOSTS
        if not known and origin not in self._origins and "*" not in self._origins:
            return connection.respond(HTTPStatus.FORBIDDEN, "This page may not listen; allow it with --allow-origin.\n")
        if len(self._events) >= MOST_LISTENERS:
            return connection.respond(
                HTTPStatus.SERVICE_UNAVAILABLE, "There are too many listeners; try again later.\n"
            )
        return None

    async def _follow(self, connection: ServerConnection) -> None:
        """Send frames to one listener from now on, as fast as it takes them."""
        event, place = asyncio.Event(), self._ring.end
        self._events[connection] = event
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KEPT)
        deaf = asyncio.ensure_future(_ignore(connection))
        try:
            while not deaf.done():
                taken = self._ring.take(place)
                place = taken.place
                if taken.lost:
                    await connection.close(_TOO_LATE, "You are too late; connect again.")
                    return
                for sent, item in enumerate(taken.items, start=place - len(taken.items)):
                    self._places[connection] = sent
                    await connection.send(item)
                self._places[connection] = place
                if not taken.items:
                    if self._ring.closed:
                        await connection.close(_NORMAL, "The sound has ended.")
                        return
                    event.clear()
                    if self._ring.end == place and not self._ring.closed:
                        await _first_of(event, deaf)
        finally:
            self._events.pop(connection, None)
            self._places.pop(connection, None)
            deaf.cancel()


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).hostname
    except ValueError:  # it is no address at all
        return None


async def _ignore(connection: ServerConnection) -> None:
    """Read what a listener sends, so that its farewell is seen."""
    async for _ in connection:
        pass


async def _first_of(event: asyncio.Event, other: asyncio.Future) -> None:
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait({waiting, other}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
