"""The session of all clients, for threads that do not use OpenGL."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...mesh.mesh import Mesh
from ...results.depth_layers import DepthLayers
from ...results.depth_maps import DepthMaps
from ...results.frame import Frame
from ..probe import Probe
from ..section import Section
from ..session import Session
from ..state import ViewerState
from .render_thread import RenderThread

__all__ = ["SharedSession"]


class SharedSession:
    """A Session in the renderer thread; each method waits for its turn there.

    What is computed from results, such as colors and files, is computed by the thread that calls.

    Attributes:
        mesh, name, mesh_line: see `Session`.
    """

    def __init__(
        self, thread: RenderThread[Session], mesh: Mesh, name: str, mesh_line: str | None
    ) -> None:
        self._thread = thread
        self.mesh = mesh
        self.name = name
        self.mesh_line = mesh_line

    def frame(self, state: ViewerState, width: int, height: int, layers: bool = False) -> Frame:
        """See `Session.frame`."""
        return self._thread.call(lambda session: session.frame(state, width, height, layers))

    def maps(
        self, state: ViewerState, width: int, height: int, attributes: tuple[str, ...] = ()
    ) -> DepthMaps:
        """See `Session.maps`."""
        return self._thread.call(lambda session: session.maps(state, width, height, attributes))

    def layers(
        self, state: ViewerState, width: int, height: int, attributes: tuple[str, ...] = ()
    ) -> DepthLayers:
        """See `Session.layers`."""
        return self._thread.call(lambda session: session.layers(state, width, height, attributes))

    def values(self, state: ViewerState, width: int, height: int) -> npt.NDArray[Any]:
        """See `Session.values`."""
        return self._thread.call(lambda session: session.values(state, width, height))

    def limits(self, state: ViewerState, width: int, height: int) -> tuple[float, float] | None:
        """See `Session.limits`."""
        return self._thread.call(lambda session: session.limits(state, width, height))

    def image(self, state: ViewerState, width: int, height: int) -> npt.NDArray[np.uint8]:
        """See `Session.image`."""
        return self._thread.call(lambda session: session.image(state, width, height))

    def probe(self, state: ViewerState, width: int, height: int, x: int, y: int) -> Probe:
        """See `Session.probe`."""
        return self._thread.call(lambda session: session.probe(state, width, height, x, y))

    def section(self, state: ViewerState, width: int, height: int) -> Section:
        """See `Session.section`."""
        return self._thread.call(lambda session: session.section(state, width, height))
