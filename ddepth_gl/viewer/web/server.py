"""The viewer in the browser: one mesh, any number of clients, one renderer thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..._packages import import_needed
from ...camera.camera import Camera
from ...errors import DDepthError, ViewerError
from ...mesh.mesh import Mesh
from ...renderer import DepthRenderer
from ..session import Session
from ..state import ViewerState
from .addresses import DEFAULT_HOST
from .page import Page
from .page_server import PageServer
from .page_world import beside
from .render_thread import RenderThread
from .requests import Requests
from .shared_session import SharedSession

__all__ = ["WebViewer"]


class WebViewer(PageServer):
    """A viewer for browsers. It serves until it is closed; a context manager.

    Args:
        mesh: mesh to show.
        state: what clients see first; None for all of the mesh.
        name: name of the mesh; None for its own.
        host, port: see `PageServer`.
        device: device to render on, see `DepthRenderer`.
        mesh_line: line of Python that makes the mesh, see `code_of`.
        cameras: cameras to step through.
        is_framed: whether the orbit of the state frames the mesh, and is to fit the canvas of each
            client; it is without a state.

    Attributes:
        url, notes: see `PageServer`.
        renderer_name: engine and device.

    Raises:
        ViewerError: viser is not installed, or the address cannot be used.
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
        device: Any = None,
        mesh_line: str | None = None,
        cameras: Sequence[Camera] = (),
        is_framed: bool = False,
    ) -> None:
        import_needed("viser", "the viewer in the browser", ViewerError, "web")
        self.mesh = mesh
        self.mesh_line = mesh_line
        self.cameras = list(cameras)
        self.is_framed = is_framed or state is None
        self.state = ViewerState.framing(mesh) if state is None else state
        if self.state.mould_orbit == self.state.orbit:
            self.state = replace(self.state, mould_orbit=beside(self.state.orbit))
        self.renderer_name = ""
        self._report: str | None = None
        self._awaiting_report: list[Callable[[str], None]] = []
        name = mesh.name if name is None else name
        self._thread: RenderThread[Session] = RenderThread(
            lambda: self._make_session(device, name), _release
        )
        self.session = SharedSession(self._thread, mesh, name, mesh_line)
        self.requests = Requests()
        first = self.state.orbit if self.state.place == "image" else self.state.mould_orbit
        try:
            super().__init__(first, name, host, port)
        except BaseException:
            self._free()
            raise
        threading.Thread(target=self._make_report, name="ddepth-report", daemon=True).start()

    @property
    def pages(self) -> list[Page]:
        """Pages of the clients that are connected."""
        return list(self._pages.values())

    def make_page(self, client: Any) -> Page:
        """Return the page of a client, with a state of its own."""
        return Page(client, self)

    def close(self) -> None:
        """End the server, disconnect all clients and free what was rendered. Idempotent."""
        super().close()
        self._free()

    def when_reported(self, show: Callable[[str], None]) -> None:
        """Call a function with the report on the mesh, on the event loop, once there is one."""
        if self._report is None:
            self._awaiting_report.append(show)
        else:
            show(self._report)

    def _free(self) -> None:
        self._thread.close()
        self.requests.close()

    def _make_session(self, device: Any, name: str) -> Session:
        renderer = DepthRenderer(engine=self.state.engine, device=device)
        try:
            session = Session(renderer, self.mesh, name, self.mesh_line)
        except BaseException:
            renderer.close()
            raise
        info = renderer.info
        self.renderer_name = f"{info.engine} on {info.renderer}"
        return session

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
