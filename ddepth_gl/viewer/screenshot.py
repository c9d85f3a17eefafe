"""screenshot: what the viewer draws, without panels and without a display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..engines.scene import Scene
from ..engines.shared.image_targets import ImageTarget
from ..mesh.mesh import Mesh
from ..renderer import DepthRenderer
from .canvas import Canvas
from .device_images import DeviceImages
from .probe import Probe, render_probe
from .state import ViewerState
from .world import World

__all__ = ["Picture", "Screenshots", "screenshot", "taken"]


@dataclass(frozen=True, eq=False)
class Picture:
    """Image that the viewer draws, and what its colors mean.

    Attributes:
        image: (H, W, 4) uint8 sRGB, alpha 255, row 0 at the top.
        limits: values at both ends of the color scale; None if the image has none.
        has_values: whether any pixel has a value; True for images without a scale.
    """

    image: npt.NDArray[np.uint8]
    limits: tuple[float, float] | None
    has_values: bool


class Screenshots:
    """Images of states as arrays, drawn by the viewer's own canvas in the context of a renderer.

    Args:
        renderer: renders them; it must outlive this object, or be closed right after it.
    """

    def __init__(self, renderer: DepthRenderer) -> None:
        self._renderer, self._context = renderer, renderer._context
        self._images = DeviceImages(renderer)
        self._canvas: Canvas | None = None
        self._world: World | None = None

    def take(
        self, scene: Scene, state: ViewerState, width: int, height: int
    ) -> npt.NDArray[np.uint8]:
        """Return the image of `take_picture`; see there."""
        return self.take_picture(scene, state, width, height).image

    def take_picture(self, scene: Scene, state: ViewerState, width: int, height: int) -> Picture:
        """Return what the viewer draws.

        Args:
            scene: of the renderer.
            state: what to show; in the mould view, also the ray of its pin.
            width, height: of the image, pixels.

        Raises:
            CameraError, ContextError, DeviceMemoryError: see `DepthRenderer.entry_exit`.
        """
        viewport = 0, 0, width, height
        probe = self._probe(scene, state, width, height) if state.place == "mould" else None
        image: Any
        limits, has_values = None, True
        if state.place == "mould":
            image = self._images.points(scene, state, width, height)
        else:
            image = self._images.update(scene, state, width, height)
            if state.mode_info.has_scale:
                limits, has_values = state.limits or image.limits, image.value_range is not None
        with self._context as context:
            target = ImageTarget(context, (width, height), 4, "f1")
            try:
                if state.place == "mould":
                    self._world = self._world or World(context.gl)
                    self._world.draw(
                        target.framebuffer, image, scene.mesh, state, viewport, probe=probe
                    )
                else:
                    self._canvas = self._canvas or Canvas(context.gl)
                    self._canvas.draw(target.framebuffer, image, state, viewport)
                pixels = np.frombuffer(target.framebuffer.read(components=4), np.uint8)
            finally:
                target.release()
            context.check_error("drawing the view", "the image size")
        pixels = np.ascontiguousarray(pixels.reshape(height, width, 4)[::-1])
        return Picture(pixels, limits, has_values)

    def _probe(self, scene: Scene, state: ViewerState, width: int, height: int) -> Probe | None:
        """Return the probe of the pinned pixel; None if none of the image is pinned."""
        if state.pin is None or not (state.pin[0] < width and state.pin[1] < height):
            return None
        camera = state.camera_for(width, height)
        return render_probe(self._renderer, scene, camera, state.pin, state.surfaces)

    def release(self) -> None:
        """Free every OpenGL object. Idempotent."""
        self._images.release()
        if not self._context.is_closed:
            with self._context:
                for each in (self._canvas, self._world):
                    if each is not None:
                        each.release()
        self._canvas = self._world = None


def screenshot(
    mesh: Mesh, state: ViewerState, width: int, height: int, device: int | str | None = None
) -> npt.NDArray[np.uint8]:
    """Return what the viewer shows of a mesh, without panels. It needs no display.

    Args:
        mesh: to show.
        state: what to show of it, by which engine.
        width, height: of the image, pixels.
        device: see `DepthRenderer`.

    Returns:
        (H, W, 4) uint8 sRGB, alpha 255, row 0 at the top.

    Raises:
        CameraError, ContextError, DeviceMemoryError, MeshError: see `DepthRenderer`.
    """
    return taken(mesh, state, width, height, device).image


def taken(
    mesh: Mesh, state: ViewerState, width: int, height: int, device: int | str | None = None
) -> Picture:
    """Return the image of `screenshot`, with the meaning of its colors; see there."""
    with DepthRenderer(state.engine, device=device) as renderer:
        screenshots = Screenshots(renderer)
        try:
            return screenshots.take_picture(renderer.upload(mesh), state, width, height)
        finally:
            screenshots.release()
