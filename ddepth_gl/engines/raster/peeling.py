"""All layers on the engine `raster`: exact depth peeling in the order (depth, face), each facing by itself.

Everitt's depth peeling ("Interactive Order-Independent Transparency", 2001) draws the mesh once a layer and
drops what is not behind the layer before. Compared by depth alone that loses coincident faces; compared by
(depth, face) it loses nothing. Fronts and backs are peeled apart and merged afterward: a closed mesh has
as many passes either way, but each draws only one facing, as a sheet of the double depth map does. While the
first layer of a facing is drawn, the stencil buffer counts how many there are: so the passes that follow are
known, the memory is exact, and the device is never asked whether it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gl.context import GLContext
from ...gl.functions import STENCIL_MAX
from ..request import LayerBuffers
from ..shared.crossing_keys import CountArray, KeyArray
from ..shared.crossing_memory import check_crossings_fit, default_memory_limit
from .merging import FacingLayer, FacingLayers

__all__ = ["LayerDraws", "PeelTargets", "peel_layers"]

_CULLED = ("back", "front")  # while fronts and while backs are peeled


@dataclass(frozen=True)
class LayerDraws:
    """Draws every face of the mesh, in one of three ways.

    Attributes:
        first: with the layer shader, for the first layer of a facing.
        later: with the layer shader, the layer before being bound to texture unit 0.
        count: with a fragment shader that gives (1, 0) for a front, (0, 1) for a back.
    """

    first: Callable[[], None]
    later: Callable[[], None]
    count: Callable[[], None]


def peel_layers(
    context: GLContext,
    targets: PeelTargets,
    draws: LayerDraws,
    max_layers: int | None,
    memory_limit: int | None,
    more_bytes_per_crossing: int = 0,
) -> LayerBuffers:
    """Peels one image.

    Args:
        context: current.
        targets: of the image's size.
        draws: of the mesh.
        max_layers: keep the first that many of each pixel; None keeps all.
        memory_limit: bytes that the crossings may take; None for `default_memory_limit`.
        more_bytes_per_crossing: what the caller will add to each.

    Raises:
        DeviceMemoryError: the crossings would take more than `memory_limit`.
    """
    try:
        fronts, backs = targets.draw_first(draws)
        truncated = np.zeros(fronts.shape, dtype=np.bool_)

        def total() -> npt.NDArray[np.int32]:
            return np.add(fronts, backs, dtype=np.int32)

        kept = -1
        if max_layers is not None:
            np.greater(total(), max_layers, out=truncated)
            if truncated.any():
                kept = int(np.minimum(total(), max_layers).sum(dtype=np.int64))
                most = min(max_layers, int(max(fronts.max(), backs.max())))  # fits into their type
                fronts, backs = np.minimum(fronts, most), np.minimum(backs, most)
            else:
                max_layers = None  # it cuts nothing
        layers = FacingLayers(fronts, backs)
        listed = int(layers.offsets[-1])
        if max_layers is None:
            kept, listed = listed, 0  # the list itself is what is kept
        if memory_limit is None:
            most_in_row = int(total().sum(axis=1).max())
            memory_limit = default_memory_limit(
                context.memory, most_in_row, more_bytes_per_crossing
            )
        check_crossings_fit(
            kept,
            listed,
            lambda: max_layers or int(total().max()),
            more_bytes_per_crossing,
            memory_limit,
        )
        _peel(targets, draws, layers)
        context.check_error("peeling", "the image size or the number of faces")
    finally:
        context.unbind_framebuffer()
    return layers.merged(truncated, max_layers)


def _peel(targets: PeelTargets, draws: LayerDraws, layers: FacingLayers) -> None:
    """Hands the first layers over, which are drawn already, and draws all others."""
    fronts, backs = targets.layers
    layers.put_first(fronts.read, backs.read)
    unread: tuple[FacingLayer, _LayerTarget] | None = None
    for facing in (0, 1):
        last, target = targets.layers[facing], targets.layers[1 - facing]
        for number in range(1, layers.most[facing]):
            if facing == 1 and number == 1 and layers.most[0] > 1:
                if unread is not None:
                    layers.put(unread[0], unread[1].read)
                    unread = None
                last.draw(layers.layer(1, 0), None, draws)  # again: fronts went over it
            layer = layers.layer(facing, number)
            target.draw(layer, last, draws)
            # The one before is read only now, so that the device is not left waiting.
            if unread is not None:
                layers.put(unread[0], unread[1].read)
            unread = layer, target
            last, target = target, last
    if unread is not None:
        layers.put(unread[0], unread[1].read)


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
        with context.allocating("layers", size, self._objects):
            # One for both: every layer starts from a cleared one.
            depth_buffer = context.functions.depth_texture(size, stencil=True)
            self._objects.append(depth_buffer)
            self.layers = [
                _LayerTarget(context, size, depth_buffer, self._objects) for _ in range(2)
            ]

    def draw_first(self, draws: LayerDraws) -> tuple[CountArray, CountArray]:
        """Draws the first fronts into ``layers[0]``, the first backs into ``layers[1]``.

        Returns:
            (H, W) each: how many fronts and how many backs cover each pixel.
        """
        everything = 0, self.size[1]
        counts = []
        for facing, target in enumerate(self.layers):
            target.draw(FacingLayer(facing, 0, everything), None, draws)
            counts.append(target.count())
        fronts, backs = counts
        if max(fronts.max(), backs.max()) == STENCIL_MAX:
            return self._count(draws.count)
        return fronts, backs

    def _count(self, draw: Callable[[], None]) -> tuple[CountArray, CountArray]:
        """How many fronts and how many backs, where they are more than the stencil can count."""
        gl = self._context.gl
        made: list[Any] = []
        with self._context.allocating("counts", self.size, made):
            made.append(gl.texture(self.size, 2, dtype="f4"))
            made.append(gl.framebuffer(made[:1]))
        framebuffer = made[1]
        try:
            framebuffer.use()
            framebuffer.viewport = (0, 0, *self.size)
            framebuffer.clear()
            gl.enable_only(gl.BLEND)
            gl.blend_equation = gl.FUNC_ADD
            gl.blend_func = gl.ONE, gl.ONE
            gl.front_face = "cw"  # see RasterEngine
            draw()
            gl.enable_only(gl.NOTHING)
            counts = np.empty((*self.size[::-1], 2), np.float32)  # exact: integers below 2**24
            framebuffer.read_into(counts, components=2, dtype="f4")
        finally:
            self._context.unbind_framebuffer()
            for each in reversed(made):
                each.release()
        kind = np.min_scalar_type(int(counts.max()))
        return counts[..., 0].astype(kind), counts[..., 1].astype(kind)

    def release(self) -> None:
        """Frees everything."""
        self._context.unbind_framebuffer()
        for made in reversed(self._objects):
            made.release()
        self._objects.clear()


class _LayerTarget:
    """The image of one layer, on the depth buffer of all: the key of each pixel's crossing."""

    def __init__(
        self, context: GLContext, size: tuple[int, int], depth_buffer: Any, objects: list[Any]
    ) -> None:
        self._context, self._size = context, size
        self._image = context.gl.texture(size, 2, dtype="u4")
        objects.append(self._image)
        self._framebuffer = context.gl.framebuffer([self._image], depth_buffer)
        objects.append(self._framebuffer)
        context.functions.attach_stencil(self._framebuffer, depth_buffer)

    def draw(self, layer: FacingLayer, last: _LayerTarget | None, draws: LayerDraws) -> None:
        """Draws one layer, behind the one of the same facing in `last`; counts, if it is the first."""
        gl, framebuffer = self._context.gl, self._framebuffer
        gl.enable_only(gl.DEPTH_TEST | gl.CULL_FACE)
        gl.front_face, gl.depth_func = "cw", "<"  # see RasterEngine
        gl.cull_face = _CULLED[layer.facing]
        framebuffer.color_mask = (True,) * 4
        framebuffer.depth_mask = True
        framebuffer.use()  # only now do masks take effect
        framebuffer.viewport = (0, 0, *self._size)
        # Clearing all is faster than clearing some rows. What was in the image does not matter: every pixel
        # that will be looked at is drawn.
        framebuffer.scissor = None
        self._context.functions.clear_depth()
        top, bottom = layer.rows
        framebuffer.scissor = (0, top, self._size[0], bottom - top)
        if last is None:
            with self._context.functions.counting_fragments():
                draws.first()
        else:
            last._image.use(0)
            draws.later()

    def count(self) -> npt.NDArray[np.uint8]:
        """(H, W) how many faces there are of the facing whose first layer was drawn, up to STENCIL_MAX."""
        return self._context.functions.read_stencil(self._framebuffer)

    def read(self, top: int, bottom: int) -> KeyArray:
        """(n,) keys of the rows from `top` up to, not including, `bottom`."""
        width = self._size[0]
        keys = np.empty((bottom - top) * width, np.int64)
        self._framebuffer.read_into(
            keys, viewport=(0, top, width, bottom - top), components=2, dtype="u4"
        )
        return keys
