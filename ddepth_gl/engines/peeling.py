"""All layers on the engine `raster`: exact depth peeling in the order (depth, face).

Everitt's depth peeling ("Interactive Order-Independent Transparency", 2001) draws the mesh once a layer and
drops what is not behind the layer before. Compared by depth alone that loses coincident faces; compared by
(depth, face) it loses nothing. How many layers there are is counted beforehand, by a pass that adds up the
fragments of each pixel: so the passes are known, the memory is exact, and the device is never asked whether
it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..context import GLContext
from ..errors import DeviceMemoryError
from .sheets import LayerBuffers

__all__ = ["BYTES_PER_CROSSING", "peel_layers"]

# What a crossing takes while it is peeled and handed over: depth, crossing, face, facing.
BYTES_PER_CROSSING = 4 + 4 + 8 + 1


def peel_layers(
    context: GLContext,
    size: tuple[int, int],
    draw_count: Callable[[], None],
    draw_layer: Callable[[], None],
    max_layers: int | None,
    memory_limit: int,
) -> LayerBuffers:
    """Peels one image.

    Args:
        context: current.
        size: (width, height) in pixels.
        draw_count: draws every face with a fragment shader that gives 1.
        draw_layer: draws every face with the layer shader; the last layer is bound to texture units 0
            (depth) and 1 (crossing).
        max_layers: stop after that many; None peels all.
        memory_limit: bytes that the crossings may take.

    Raises:
        DeviceMemoryError: the crossings would take more than `memory_limit`, or the images do not fit.
    """
    width, height = size
    objects: list[Any] = []
    try:
        targets = [_LayerTarget(context, size, objects) for _ in range(2)]
        counts = _count(context, targets[0], draw_count)
        truncated = np.zeros((height, width), dtype=np.bool_)
        if max_layers is not None:
            truncated = counts > max_layers
            counts = np.minimum(counts, max_layers)
        offsets = np.zeros(width * height + 1, dtype=np.int64)
        np.cumsum(counts.reshape(-1), out=offsets[1:])
        total, layers = int(offsets[-1]), int(counts.max())
        if total * BYTES_PER_CROSSING > memory_limit:
            raise DeviceMemoryError(
                f"{total:,} crossings ({layers} layers) take {total * BYTES_PER_CROSSING / 2**20:.0f} MiB, "
                f"more than the limit of {memory_limit / 2**20:.0f} MiB; reduce the image size, pass "
                "max_layers=, or raise memory_limit="
            )
        depth = np.empty(total, dtype=np.float32)
        crossing = np.empty(total, dtype=np.int32)
        # Layer k is drawn before layer k - 1 is read, so that the device is not left waiting.
        drawn: list[tuple[int, tuple[int, int, int, int]]] = []
        for layer in range(layers + 1):
            if layer < layers:
                window = _window(counts > layer)
                targets[layer % 2].draw(targets[(layer + 1) % 2], window, draw_layer, first=layer == 0)
                drawn.append((layer, window))
            if layer > 0:
                done, window = drawn.pop(0)
                _keep(targets[done % 2], window, done, counts, offsets, depth, crossing)
        context.check_error("peeling", "the image size or the number of faces")
    finally:
        context.unbind_framebuffer()
        for made in reversed(objects):
            made.release()
    return LayerBuffers(offsets, depth, crossing, truncated)


class _LayerTarget:
    """Depth buffer, depth and crossing of one layer."""

    def __init__(self, context: GLContext, size: tuple[int, int], objects: list[Any]) -> None:
        gl = context.gl
        self.gl, self.size = gl, size

        def keep(made: Any) -> Any:
            objects.append(made)
            return made

        try:
            self.depth_buffer = keep(context.depth_texture(size))
            self.depth = keep(gl.texture(size, 1, dtype="f4"))
            self.crossing = keep(gl.texture(size, 1, dtype="i4"))
            self.framebuffer = keep(gl.framebuffer([self.depth, self.crossing], self.depth_buffer))
            self.depth_only = keep(gl.framebuffer([self.depth]))
        except Exception as error:
            raise context.no_room("layers", size, error) from error

    def draw(
        self, last: _LayerTarget, window: tuple[int, int, int, int], draw: Callable[[], None], *, first: bool
    ) -> None:
        """Draws one layer within `window` (x, y, width, height), behind the layer in `last`."""
        if first:
            last.clear_depth(window, -1.0)
        gl = self.gl
        gl.enable_only(gl.DEPTH_TEST)
        gl.front_face, gl.depth_func = "cw", "<"  # see RasterEngine.submit
        self.framebuffer.use()
        self.framebuffer.viewport = (0, 0, *self.size)
        self.framebuffer.scissor = window
        self.framebuffer.color_mask = ((True,) * 4,) * 2
        self.framebuffer.depth_mask = True
        self.framebuffer.clear(float("nan"), 0.0, 0.0, 0.0, depth=1.0)
        last.depth.use(0)
        last.crossing.use(1)
        draw()

    def clear_depth(self, window: tuple[int, int, int, int], value: float) -> None:
        """Sets the depth image to one value."""
        self.depth_only.use()
        self.depth_only.viewport = (0, 0, *self.size)
        self.depth_only.scissor = window
        self.depth_only.color_mask = (True,) * 4
        self.depth_only.clear(value, 0.0, 0.0, 0.0)

    def read(
        self, window: tuple[int, int, int, int]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Depth and crossing within `window`."""
        shape = (window[3], window[2])
        depth, crossing = np.empty(shape, np.float32), np.empty(shape, np.int32)
        self.framebuffer.read_into(depth, viewport=window, components=1, dtype="f4")
        self.framebuffer.read_into(crossing, viewport=window, components=1, attachment=1, dtype="i4")
        return depth, crossing


def _count(context: GLContext, target: _LayerTarget, draw: Callable[[], None]) -> npt.NDArray[np.int64]:
    """(H, W) how many faces cover each pixel."""
    gl = context.gl
    whole = (0, 0, *target.size)
    target.clear_depth(whole, 0.0)
    gl.enable_only(gl.BLEND)
    gl.blend_equation = gl.FUNC_ADD
    gl.blend_func = gl.ONE, gl.ONE
    draw()
    gl.enable_only(gl.NOTHING)
    counts = np.empty(target.size[::-1], np.float32)  # exact: whole numbers below 2**24
    target.depth_only.read_into(counts, components=1, dtype="f4")
    return counts.astype(np.int64)


def _window(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """(x, y, width, height) of the smallest window that holds all of `mask`."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top


def _keep(
    target: _LayerTarget,
    window: tuple[int, int, int, int],
    layer: int,
    counts: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
    depth: npt.NDArray[np.float32],
    crossing: npt.NDArray[np.int32],
) -> None:
    """Puts one layer's pixels to their places among all crossings."""
    left, top, width, height = window
    layer_depth, layer_crossing = target.read(window)
    inside = (slice(top, top + height), slice(left, left + width))
    here = counts[inside] > layer
    places = offsets[:-1].reshape(counts.shape)[inside][here] + layer
    depth[places] = layer_depth[here]
    crossing[places] = layer_crossing[here]
