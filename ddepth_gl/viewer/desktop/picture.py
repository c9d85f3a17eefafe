"""Picture: the image of a state, rendered and drawn in the window's context."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...mesh.mesh import Mesh
from ...renderer import DepthRenderer
from ..canvas import Canvas, Viewport
from ..device_images import DeviceImage, DeviceImages, DevicePoints
from ..session import Session
from ..state import ViewerState
from ..world import World

if TYPE_CHECKING:
    from ..probe import Probe

__all__ = ["Picture"]


class Picture:
    """A mesh in the window's context: its renderer, and what was rendered last.

    Args:
        gl: the moderngl.Context of the window, current in every call.
        mesh: the mesh.
        name: name to show.
        engine: name of an engine, or "auto".

    Attributes:
        session: renders what the panels show.
        engine_asked, engine, device: the argument, and what renders.
        rendered_size: width and height of the last image, pixels.
        milliseconds: how long it took, until the device had finished it.
        limits: values at both ends of its color scale.
        is_unknown: whether rays meet the mesh, but no length inside the solid is known.
        layers_known: most crossings of a pixel in the last image that needed them; 1 before.
        left_out: layers that the mould view has no room for.
        stride: of the points that are drawn there.

    Raises:
        ContextError: the context cannot render by this engine.
        DeviceMemoryError: the mesh does not fit.
    """

    def __init__(self, gl: Any, mesh: Mesh, name: str, engine: str) -> None:
        self._gl: Any = gl
        self.engine_asked: Any = engine
        self._image: DeviceImage | None = None
        self._points: DevicePoints | None = None
        self._drawn: tuple[Any, ...] = ()
        self.rendered_size, self.milliseconds = (0, 0), 0.0
        self.limits, self.layers_known, self.left_out, self.stride = (0.0, 1.0), 1, 0, 1
        self.is_unknown = False
        self._renderer = DepthRenderer(engine, context=gl)
        try:
            info = self._renderer.info
            self.engine, self.device = info.engine, info.renderer
            self.session = Session(self._renderer, mesh, name)
            self._images = DeviceImages(self._renderer)
            self._canvas, self._world = Canvas(gl), World(gl)
        except BaseException:
            self._renderer.close()
            raise

    def render(self, state: ViewerState, width: int, height: int) -> None:
        """Render the image of a state; of the mould view, the points.

        Raises:
            DDepthError: it cannot be rendered, and `draw` draws nothing.
        """
        start, scene = time.perf_counter(), self.session.scene
        self._image = self._points = None
        self.is_unknown = False
        if state.place == "mould":
            points = self._images.points(scene, state, width, height)
            self._points, self.left_out = points, points.left_out
        else:
            image = self._images.update(scene, state, width, height)
            if state.mode_info.has_scale:
                self.limits = image.limits
            if image.max_count is not None:
                self.layers_known = max(image.max_count, 1)
            if state.mode == "solid_length" and image.max_count:
                self.is_unknown = image.value_range is None
            self._image = image
        self._gl.finish()
        self.milliseconds = 1e3 * (time.perf_counter() - start)
        self.rendered_size = width, height

    def draw(
        self,
        state: ViewerState,
        viewport: Viewport,
        *,
        probe: Probe | None,
        shows_mesh: bool,
        stride: int,
    ) -> bool:
        """Draw the last image into a part of the window; nothing if there is none.

        Args:
            state: colors of the image, camera of the mould view.
            viewport: part of the window.
            probe, shows_mesh, stride: see `World.draw`.

        Returns:
            Whether it took the time to draw the mould view anew.
        """
        screen = self._gl.screen
        if self._image is not None:
            self._canvas.draw(screen, self._image, state, viewport)
        if self._points is None:
            return False
        drawn = self._points, state.mould_orbit, viewport, probe, shows_mesh, stride
        if drawn == self._drawn:
            self._world.show(screen, viewport)
            return False
        start = time.perf_counter()
        self._world.draw(
            screen, self._points, self.session.mesh, state, viewport,
            probe=probe, shows_mesh=shows_mesh, stride=stride,
        )  # fmt: skip
        self._gl.finish()
        self.milliseconds = 1e3 * (time.perf_counter() - start)
        self._drawn, self.stride = drawn, stride
        return True

    def mould_pixels(self, width: int, height: int) -> npt.NDArray[np.uint8]:
        """Return (H, W, 4) uint8 sRGB: the mould view of this size as it was drawn last."""
        framebuffer = self._gl.simple_framebuffer((width, height))
        try:
            self._world.show(framebuffer, (0, 0, width, height))
            pixels = np.frombuffer(framebuffer.read(components=4), np.uint8)
        finally:
            framebuffer.release()
        return pixels.reshape(height, width, 4)[::-1].copy()

    def replace_mesh(self, mesh: Mesh, name: str) -> None:
        """Show another mesh; if it cannot be uploaded, the old one stays.

        Raises:
            DDepthError: see `DepthRenderer.upload`.
        """
        self.session.replace_mesh(mesh, name)
        self.layers_known = 1

    def release(self) -> None:
        """Free all that was made in the context."""
        self._world.release()
        self._canvas.release()
        self._images.release()
        self.session.release()
        self._renderer.close()
