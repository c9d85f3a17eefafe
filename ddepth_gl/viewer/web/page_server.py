"""A server of pages: its address, its clients, and its end."""

from __future__ import annotations

import asyncio
import atexit
import threading
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from ..._log import logger
from ..._packages import import_needed
from ..._text import printable
from ...errors import ViewerError
from ..orbit import Orbit
from .addresses import DEFAULT_HOST, free_port, is_local, notes_on, numeric_address, url_of
from .guard import guarded
from .page_world import PageWorld

__all__ = ["PageServer", "ServedPage"]

ServerT = TypeVar("ServerT", bound="PageServer")

_LOG = logger(__name__)
_PANEL_WIDTH = 400
_FARTHEST = 100.0  # from the mesh, in its radii; depth is sent up to 168


class ServedPage(Protocol):
    """The page of a client, as its server knows it."""

    def close(self) -> None:
        """Free what the client had."""


class PageServer:
    """A server of pages; it serves until it is closed. A context manager.

    Args:
        first: what clients see first.
        name: shown above the controls.
        host: name or address of this computer to listen on. By default, only programs of this
            computer reach it; there is no password.
        port: port to listen on; 0 for any, None for the first free one from 8080 on.

    Attributes:
        world: coordinates of the pages.
        url: address for a browser.
        notes: lines about who reaches it, and how from another computer.

    Raises:
        RequestError: `port` is no port number.
        ViewerError: viser is not installed, or the address cannot be used.
    """

    def __init__(
        self, first: Orbit, name: str, host: str = DEFAULT_HOST, port: int | None = None
    ) -> None:
        viser = import_needed("viser", "the viewer in the browser", ViewerError, "web")
        self.world = PageWorld.around(first)
        self._closed = threading.Event()
        self._pages: dict[int, Any] = {}
        number = free_port(host, port)
        # viser warns of what is sent to a client that is gone, and of values that a client made up.
        warnings.filterwarnings("ignore", r"Queued a \w+ on a closed connection")
        warnings.filterwarnings("ignore", r"\[viser\] .* does not match annotation")
        with _quiet(), guarded(host, is_local=is_local(host)):
            self.server = viser.ViserServer(
                numeric_address(host), number, label=printable(name) or "ddepth", verbose=False
            )
        self.loop.call_soon_threadsafe(self.loop.set_exception_handler, _note_error)
        atexit.register(self.close)
        try:
            if self.server.get_port() != number:
                raise ViewerError(
                    f"port {number} of {host} was taken by another program; try again"
                )
            self.url, self.notes = url_of(host, number), notes_on(host, number)
            self._set_up(first)
        except BaseException:
            self.close()
            raise

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Event loop of the server, on which all pages run."""
        loop: asyncio.AbstractEventLoop = self.server.get_event_loop()
        return loop

    @property
    def is_closed(self) -> bool:
        """Boolean: it has ended."""
        return self._closed.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Return True once it is closed, or False after some seconds."""
        return self._closed.wait(seconds)

    def close(self) -> None:
        """End the server, disconnect all clients and free what they had. Idempotent."""
        if self._closed.is_set():
            return
        self._closed.set()
        atexit.unregister(self.close)
        with _quiet():
            self.server.stop()
        for page in list(self._pages.values()):
            page.close()
        self._pages.clear()

    def __enter__(self: ServerT) -> ServerT:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def make_page(self, client: Any) -> ServedPage:
        """Return the page of a client of viser that has connected; called on the event loop."""

    def _set_up(self, first: Orbit) -> None:
        server = self.server
        # A tunnel would show the mesh to the internet, at the wish of any client.
        server.request_share_url = lambda *_, **__: None
        server.gui.configure_theme(dark_mode=True, show_logo=False, show_share_button=False)
        server.gui.main_panel.dock_right()
        server.gui.main_panel.set_width(_PANEL_WIDTH)
        position, look_at, up, fov = self.world.camera_of(first)
        server.scene.set_up_direction(up)
        initial = server.initial_camera
        initial.position, initial.look_at, initial.fov = position, look_at, fov
        server.on_client_connect(self._connected)
        server.on_client_disconnect(self._disconnected)

    async def _connected(self, client: Any) -> None:
        client.camera.max_orbit_distance = _FARTHEST
        self._pages[client.client_id] = self.make_page(client)

    async def _disconnected(self, client: Any) -> None:
        page = self._pages.pop(client.client_id, None)
        if page is not None:
            page.close()


def _note_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error of a message that a client sent and nobody expects; the server goes on."""
    _LOG.info("%s", context.get("message"), exc_info=context.get("exception"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep viser from printing an address and a goodbye of its own."""
    import rich

    console = rich.get_console()
    was_quiet, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = was_quiet
