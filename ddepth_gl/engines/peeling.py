"""All layers on the engine `raster`: exact depth peeling in the order (depth, face), each facing by itself.

Everitt's depth peeling ("Interactive Order-Independent Transparency", 2001) draws the mesh once a layer and
drops what is not behind the layer before. Compared by depth alone that loses coincident faces; compared by
(depth, face) it loses nothing. Fronts and backs are peeled apart and merged afterwards: a closed mesh has
as many passes either way, but each draws only one facing, as a sheet of the double depth map does. How many
layers there are is counted beforehand, by a pass that adds up the fragments of each pixel: so the passes
are known, the memory is exact, and the device is never asked whether it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..context import GLContext
from ..errors import DeviceMemoryError
from .crossing_memory import check_crossings_fit
from .merging import FacingLayer, FacingLayers, Window
from .sheets import LayerBuffers

__all__ = ["PeelTargets", "peel_layers"]

_CULLED = ("back", "front")  # while fronts and while backs are peeled

CountArray = npt.NDArray[np.int32]


def peel_layers(
    context: GLContext,
    targets: PeelTargets,
    draw_count: Callable[[], None],
    draw_layer: Callable[[bool], None],
    max_layers: int | None,
    memory_limit: int,
    more_bytes_per_crossing: int = 0,
) -> LayerBuffers:
    """Peels one image.

    Args:
        context: current.
        targets: of the image's size.
        draw_count: draws every face with a fragment shader that gives (1, 0) for a front, (0, 1) for a back.
        draw_layer: draws every face with the layer shader, told whether it is the first layer of its facing;
            if it is not, the layer before is bound to texture unit 0.
        max_layers: keep the first that many of each pixel; None keeps all.
        memory_limit: bytes that the crossings may take.
        more_bytes_per_crossing: what the caller will add to each.

    Raises:
        DeviceMemoryError: the crossings would take more than `memory_limit`.
    """
    try:
        fronts, backs = targets.count(draw_count)
        total = fronts + backs
        most, crossings = int(total.max()), int(total.sum(dtype=np.int64))
        if max_layers is not None and most > max_layers:
            truncated = total > max_layers
            np.minimum(fronts, max_layers, out=fronts)
            np.minimum(backs, max_layers, out=backs)
            crossings = int((fronts + backs).sum(dtype=np.int64))
        else:
            max_layers = None  # it cuts nothing
            truncated = np.zeros(total.shape, dtype=np.bool_)
        check_crossings_fit(crossings, most, more_bytes_per_crossing, memory_limit)
        layers = FacingLayers(fronts, backs)
        last: tuple[_LayerTarget, FacingLayer] | None = None
        for number, layer in enumerate(layers.expected()):
            target, other = targets.layers[number % 2], targets.layers[1 - number % 2]
            target.draw(layer, other, draw_layer)
            # Read only now, so that the device is not left waiting.
            if last is not None:
                _read(*last, layers)
            last = target, layer
        if last is not None:
            _read(*last, layers)
        context.check_error("peeling", "the image size or the number of faces")
    finally:
        context.unbind_framebuffer()
    return layers.merged(truncated, max_layers)


def _read(target: _LayerTarget, layer: FacingLayer, layers: FacingLayers) -> None:
    layers.put(layer, target.read(layer.window)[layer.in_window])


class PeelTargets:
    """The images that peeling draws to; worth keeping from one image to the next of the same size.

    Args:
        context: current.
        size: (width, height) in pixels.

    Raises:
        DeviceMemoryError: they do not fit.
    """

    def __init__(self, context: GLContext, size: tuple[int, int]) -> None:
        self.size = size
        self._context = context
        self._objects: list[Any] = []
        gl = context.gl
        try:
            self.layers = [_LayerTarget(context, size, self._objects) for _ in range(2)]
            self._objects.append(gl.texture(size, 2, dtype="f4"))
            self._counts = gl.framebuffer(self._objects[-1:])
            self._objects.append(self._counts)
            context.check_error("making the images", "the image size")
        except BaseException as error:
            self.release()
            if isinstance(error, DeviceMemoryError) or not isinstance(error, Exception):
                raise
            raise context.no_room("layers", size, error) from error

    def count(self, draw: Callable[[], None]) -> tuple[CountArray, CountArray]:
        """(H, W) each: how many fronts and how many backs cover each pixel."""
        gl, framebuffer = self._context.gl, self._counts
        framebuffer.color_mask = (True,) * 4
        framebuffer.use()
        framebuffer.viewport = (0, 0, *self.size)
        framebuffer.scissor = None
        framebuffer.clear()
        gl.enable_only(gl.BLEND)
        gl.blend_equation = gl.FUNC_ADD
        gl.blend_func = gl.ONE, gl.ONE
        gl.front_face = "cw"  # see RasterEngine
        draw()
        gl.enable_only(gl.NOTHING)
        counts = np.empty((*self.size[::-1], 2), np.float32)  # exact: whole numbers below 2**24
        framebuffer.read_into(counts, components=2, dtype="f4")
        return counts[..., 0].astype(np.int32), counts[..., 1].astype(np.int32)

    def release(self) -> None:
        """Frees everything."""
        self._context.unbind_framebuffer()
        for made in reversed(self._objects):
            made.release()
        self._objects.clear()


class _LayerTarget:
    """Depth buffer and image of one layer: the key of each pixel's crossing, see `FacingLayers`."""

    def __init__(self, context: GLContext, size: tuple[int, int], objects: list[Any]) -> None:
        self._gl, self._size = context.gl, size
        objects.append(context.depth_texture(size))
        objects.append(self._gl.texture(size, 2, dtype="u4"))
        depth_buffer, self.image = objects[-2:]
        self._framebuffer = self._gl.framebuffer([self.image], depth_buffer)
        objects.append(self._framebuffer)

    def draw(self, layer: FacingLayer, last: _LayerTarget, draw_layer: Callable[[bool], None]) -> None:
        """Draws one layer, behind the one of the same facing in `last`."""
        gl, framebuffer = self._gl, self._framebuffer
        gl.enable_only(gl.DEPTH_TEST | gl.CULL_FACE)
        gl.front_face, gl.depth_func = "cw", "<"  # see RasterEngine
        gl.cull_face = _CULLED[layer.facing]
        framebuffer.depth_mask = True
        # What was in the image does not matter: every pixel that will be looked at is drawn.
        for color_mask in (False, True):
            framebuffer.color_mask = (color_mask,) * 4
            framebuffer.use()  # only now do masks take effect
            framebuffer.viewport = (0, 0, *self._size)
            framebuffer.scissor = layer.window
            if not color_mask:
                framebuffer.clear(depth=1.0)
        last.image.use(0)
        draw_layer(layer.number == 0)

    def read(self, window: Window) -> npt.NDArray[np.uint64]:
        """(height * width,) keys within `window`."""
        keys = np.empty(window[3] * window[2], np.uint64)
        self._framebuffer.read_into(keys, viewport=window, components=2, dtype="u4")
        return keys
