"""The server of the page: one mesh, any number of clients, one renderer thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

from ..._packages import import_needed
from ...errors import DDepthError, ViewerError
from ...mesh.mesh import Mesh
from ...renderer import DepthRenderer
from ..session import Session
from ..state import ViewerState
from .addresses import DEFAULT_HOST, free_port, notes_on, numeric_address, url_of
from .page import Page
from .page_world import PageWorld
from .render_thread import RenderThread
from .requests import Requests
from .shared_session import SharedSession

__all__ = ["WebViewer"]

_PANEL_WIDTH = 400
_FARTHEST = 100.0  # from the mesh, in its radii; depth is sent up to 168


class WebViewer:
    """A viewer for browsers. It serves until it is closed; a context manager.

    Args:
        mesh: mesh to show.
        state: what clients see first; None for all of the mesh.
        name: name of the mesh; None for its own.
        host: name or address of this computer to listen on. By default, only programs of this
            computer reach it; there is no password.
        port: port to listen on; 0 for any, None for the first free one from 8080 on.
        device: device to render on, see `DepthRenderer`.
        mesh_line: line of Python that makes the mesh, see `code_lines`.

    Attributes:
        url: address for a browser.
        notes: lines about who reaches it, and how from another computer.

    Raises:
        ViewerError: viser is not installed, or the port cannot be used.
        DDepthError: the mesh cannot be rendered here.
    """

    def __init__(
        self,
        mesh: Mesh,
        state: ViewerState | None = None,
        *,
        name: str | None = None,
        host: str = DEFAULT_HOST,
        port: int | None = None,
        device: int | None = None,
        mesh_line: str | None = None,
    ) -> None:
        viser = import_needed("viser", "the viewer in the browser", ViewerError, "web")
        self.mesh = mesh
        self.name = mesh.name if name is None else name
        self.mesh_line = mesh_line
        self.state = ViewerState.framing(mesh) if state is None else state
        self.world = PageWorld.around(self.state.orbit)
        self._closed = threading.Event()
        self._pages: dict[int, Page] = {}
        self._report: str | None = None
        self._awaiting_report: list[Callable[[str], None]] = []
        number = free_port(host, port)
        engine = self.state.engine
        self._thread: RenderThread[Session] = RenderThread(
            lambda: self._make_session(engine, device), _release
        )
        self.session = SharedSession(self._thread, mesh, self.name, mesh_line)
        self.requests = Requests()
        try:
            with _quiet():
                self.server = viser.ViserServer(
                    numeric_address(host), number, label=self.name or "ddepth", verbose=False
                )
        except BaseException:
            self._thread.close()
            raise
        try:
            if self.server.get_port() != number:
                raise ViewerError(
                    f"port {number} of {host} was taken by another program; try again"
                )
            self.url, self.notes = url_of(host, number), notes_on(host, number)
            self._set_up()
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._make_report, name="ddepth-report", daemon=True).start()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Event loop of the server, on which all pages run."""
        loop: asyncio.AbstractEventLoop = self.server.get_event_loop()
        return loop

    def wait(self, seconds: float | None = None) -> bool:
        """Return True once the viewer is closed, or False after some seconds."""
        return self._closed.wait(seconds)

    def close(self) -> None:
        """End the server, disconnect all clients and free what was rendered. Idempotent."""
        if self._closed.is_set():
            return
        self._closed.set()
        with _quiet():
            self.server.stop()
        for page in list(self._pages.values()):
            page.close()
        self._pages.clear()
        self._thread.close()
        self.requests.close()

    def __enter__(self) -> WebViewer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def when_reported(self, show: Callable[[str], None]) -> None:
        """Call a function with the report on the mesh, as soon as there is one."""
        if self._report is None:
            self._awaiting_report.append(show)
        else:
            show(self._report)

    # Setting up

    def _set_up(self) -> None:
        server = self.server
        # A tunnel would show the mesh to the internet, at the wish of any client.
        server.request_share_url = lambda *_, **__: None
        server.gui.configure_theme(
            dark_mode=True, show_logo=False, show_share_button=False, control_width="medium"
        )
        server.gui.main_panel.dock_right()
        server.gui.main_panel.set_width(_PANEL_WIDTH)
        first = self.state.orbit if self.state.place == "image" else self.state.mould_orbit
        position, look_at, up, fov = self.world.camera_of(first)
        server.scene.set_up_direction(up)
        initial = server.initial_camera
        initial.position, initial.look_at, initial.fov = position, look_at, fov
        server.on_client_connect(self._connected)
        server.on_client_disconnect(self._disconnected)

    def _make_session(self, engine: Any, device: int | None) -> Session:
        renderer = DepthRenderer(engine=engine, device=device)
        try:
            session = Session(renderer, self.mesh, self.name, self.mesh_line)
        except BaseException:
            renderer.close()
            raise
        info = renderer.info
        self.renderer_name = f"{info.engine} on {info.renderer}"
        return session

    async def _connected(self, client: Any) -> None:
        client.camera.max_orbit_distance = _FARTHEST
        self._pages[client.client_id] = Page(client, self)

    async def _disconnected(self, client: Any) -> None:
        page = self._pages.pop(client.client_id, None)
        if page is not None:
            page.close()

    def _make_report(self) -> None:
        """Describe the mesh, which takes long for a large one."""
        try:
            text = str(self.mesh.report())
        except DDepthError as error:
            text = str(error)

        def publish() -> None:
            self._report = text
            for show in self._awaiting_report:
                show(text)
            self._awaiting_report.clear()

        with suppress(RuntimeError):  # closed meanwhile
            self.loop.call_soon_threadsafe(publish)


def _release(session: Session) -> None:
    session.release()
    session.renderer.close()


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
