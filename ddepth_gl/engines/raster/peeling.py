"""Depth peeling: all layers on the engine `raster`, in the order (depth, face).

Depth peeling (Everitt, "Interactive Order-Independent Transparency", 2001) draws the mesh once per
layer and discards what is not behind the previous layer. Compared by depth alone, coincident faces
are lost. Compared by (depth, face), nothing is.

Fronts and backs are peeled separately and merged afterward. A closed mesh takes as many passes
either way, but each pass draws only one facing, as a sheet does. While the first layer of a facing
is drawn, the stencil buffer counts all its crossings. So the number of passes and the memory are
known exactly, and the CPU never waits to learn whether a pass was the last one. See decision 5.

A software rasterizer draws each layer with fewer faces, see `LaterFaces`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gl.context import GLContext
from ...gl.functions import STENCIL_MAX
from ..request import LayerBuffers
from ..shared.crossing_keys import CountArray, KeyArray
from ..shared.crossing_memory import check_crossings_fit, default_memory_limit
from .merging import FacingLayer, LayerMerger
from .mesh_draws import DrawFaces, DrawFacing
from .selection import FaceList, LaterFaces
from .visible_faces import VisibleFaces

__all__ = ["LayerDraws", "PeelTargets", "peel_layers"]

_CULLED_FACES = ("back", "front")  # by facing: what is culled while that facing is peeled


@dataclass(frozen=True)
class LayerDraws:
    """Draw calls for faces of a mesh, with three variants of layer.frag.

    Attributes:
        culls: faces of the other facing are to be culled; if not, `first` and `later` discard them.
        first: draws the first layer of a facing.
        later: draws a later layer; the previous one is on texture unit 0.
        count: adds (1, 0) for each front and (0, 1) for each back, by blending.
    """

    culls: bool
    first: DrawFacing
    later: DrawFacing
    count: DrawFaces


def peel_layers(
    context: GLContext,
    targets: PeelTargets,
    draws: LayerDraws,
    visible: VisibleFaces | None,
    find_visible: Callable[[], VisibleFaces | None],
    max_layers: int | None,
    memory_limit: int | None,
    attribute_bytes: int = 0,
) -> LayerBuffers:
    """Return every crossing of one image, without attributes.

    Args:
        context: current.
        targets: targets of the image's size.
        draws: draw calls for the mesh.
        visible: faces to draw for the first layers; None for all.
        find_visible: returns the faces to select from for later layers; None for all.
        max_layers: number of crossings to return per pixel, nearest first; None for all.
        memory_limit: bytes that the crossings may take; None for `default_memory_limit`.
        attribute_bytes: bytes of attributes that the caller will add to each crossing.

    Raises:
        DeviceMemoryError: the crossings would take more than `memory_limit`.
    """
    try:
        fronts, backs = targets.draw_first_layers(draws, visible)
        truncated = np.zeros(fronts.shape, dtype=np.bool_)

        def total() -> npt.NDArray[np.int32]:
            return np.add(fronts, backs, dtype=np.int32)

        if max_layers is not None:
            np.greater(total(), max_layers, out=truncated)
            if truncated.any():
                # NumPy rejects a limit that the integer type of the counts cannot hold.
                limit = min(max_layers, int(max(fronts.max(), backs.max())))
                fronts, backs = np.minimum(fronts, limit), np.minimum(backs, limit)
            else:
                max_layers = None  # no pixel has more
        merger = LayerMerger(fronts, backs)
        peeled = int(merger.offsets[-1])
        if max_layers is None:
            returned, listed = peeled, 0  # the list itself is returned
        else:
            returned = int(np.minimum(total(), max_layers).sum(dtype=np.int64))
            listed = peeled
        if memory_limit is None:
            max_per_row = int(total().sum(axis=1).max())
            memory_limit = default_memory_limit(context.memory, max_per_row, attribute_bytes)
        check_crossings_fit(
            returned,
            listed,
            lambda: max_layers or int(total().max()),
            attribute_bytes,
            memory_limit,
        )
        _peel(targets, draws, find_visible, (fronts, backs), merger)
        context.check_error("peeling", "the image size or the number of faces")
    finally:
        context.unbind_framebuffer()
    return merger.merge(truncated, max_layers)


def _peel(
    targets: PeelTargets,
    draws: LayerDraws,
    find_visible: Callable[[], VisibleFaces | None],
    counts: tuple[CountArray, CountArray],
    merger: LayerMerger,
) -> None:
    """Add the first layers, which are drawn already, to the merger; draw and add all others."""
    first_fronts, first_backs = targets.first_layers
    merger.add_first(first_fronts.read, first_backs.read)
    unread: list[tuple[FacingLayer, _LayerTarget]] = []

    def add_unread() -> None:
        while unread:
            layer, target = unread.pop()
            merger.add(layer, target.read)

    visible = find_visible() if max(merger.layer_counts) > 1 else None
    for facing, (previous, target) in enumerate(targets.later_layers):
        add_unread()  # the last fronts may be in the image that both facings use
        faces = LaterFaces(visible, facing, counts[facing])
        for index in range(1, merger.layer_counts[facing]):
            layer = merger.layer(facing, index)
            target.draw(layer, previous, draws.later, faces.of_layer(index), culls=draws.culls)
            # A layer is read while the next one is drawn, so that the GPU is not idle.
            add_unread()
            unread.append((layer, target))
            previous, target = target, previous
    add_unread()


class PeelTargets:
    """The images that peeling draws to; worth keeping for the next image of the same size.

    Args:
        context: current in every call.
        size: (width, height) in pixels.

    Attributes:
        size: (width, height) in pixels.
        first_layers: images of the first fronts and of the first backs.
        later_layers: for each facing, the image of its first layer, and one for the second. From
            there on, layers alternate between both.

    Raises:
        DeviceMemoryError: they do not fit into the device's memory.
    """

    def __init__(self, context: GLContext, size: tuple[int, int]) -> None:
        self.size = size
        self._context = context
        self._gl_objects: list[Any] = []
        with context.allocating("layers", size, self._gl_objects):
            # One depth buffer serves both, because it is cleared for every layer.
            depth_buffer = context.functions.depth_texture(size, stencil=True)
            self._gl_objects.append(depth_buffer)
            fronts, backs, third = (
                _LayerTarget(context, size, depth_buffer, self._gl_objects) for _ in range(3)
            )
        self.first_layers = fronts, backs
        self.later_layers = (fronts, third), (backs, third)

    def draw_first_layers(
        self, draws: LayerDraws, visible: VisibleFaces | None
    ) -> tuple[CountArray, CountArray]:
        """Draw the first fronts to ``first_layers[0]``, the first backs to ``first_layers[1]``.

        Args:
            draws: draw calls for the mesh.
            visible: faces that may cover a pixel; None if all may.

        Returns:
            (H, W) each: number of fronts, and number of backs, at each pixel.
        """
        all_rows = 0, self.size[1]
        counts = []
        for facing, target in enumerate(self.first_layers):
            faces = None if visible is None else visible.faces.take(visible.of_facing[facing])
            layer = FacingLayer(facing, 0, all_rows)
            target.draw(layer, None, draws.first, faces, culls=draws.culls)
            counts.append(target.read_counts())
        fronts, backs = counts
        if max(fronts.max(), backs.max()) == STENCIL_MAX:
            return self._count_by_blending(
                partial(draws.count, None if visible is None else visible.faces)
            )
        return fronts, backs

    def _count_by_blending(self, draw: Callable[[], None]) -> tuple[CountArray, CountArray]:
        """Return the numbers of fronts and backs, which may exceed STENCIL_MAX."""
        gl = self._context.gl
        gl_objects: list[Any] = []
        with self._context.allocating("counts", self.size, gl_objects):
            gl_objects.append(gl.texture(self.size, 2, dtype="f4"))
            gl_objects.append(gl.framebuffer(gl_objects[:1]))
        framebuffer = gl_objects[1]
        try:
            framebuffer.use()
            framebuffer.viewport = (0, 0, *self.size)
            framebuffer.clear()
            gl.enable_only(gl.BLEND)
            gl.blend_equation = gl.FUNC_ADD
            gl.blend_func = gl.ONE, gl.ONE
            gl.front_face = "cw"  # see Camera.projection
            draw()
            gl.enable_only(gl.NOTHING)
            counts = np.empty((*self.size[::-1], 2), np.float32)  # exact below 2**24
            framebuffer.read_into(counts, components=2, dtype="f4")
        finally:
            self._context.release_all(gl_objects)
        dtype = np.min_scalar_type(int(counts.max()))
        return counts[..., 0].astype(dtype), counts[..., 1].astype(dtype)

    def release(self) -> None:
        """Free all textures and framebuffers."""
        self._context.release_all(self._gl_objects)


class _LayerTarget:
    """The image of one layer: the key of each pixel's crossing.

    Args:
        context: current in every call.
        size: (width, height) in pixels.
        depth_buffer: depth and stencil, shared by all layers.
        gl_objects: list to add the GL objects to; whoever owns the list releases them.
    """

    def __init__(
        self, context: GLContext, size: tuple[int, int], depth_buffer: Any, gl_objects: list[Any]
    ) -> None:
        self._context, self._size = context, size
        self._image = context.gl.texture(size, 2, dtype="u4")
        gl_objects.append(self._image)
        self._framebuffer = context.gl.framebuffer([self._image], depth_buffer)
        gl_objects.append(self._framebuffer)
        context.functions.attach_stencil(self._framebuffer, depth_buffer)

    def draw(
        self,
        layer: FacingLayer,
        previous: _LayerTarget | None,
        draw: DrawFacing,
        faces: FaceList | None,
        *,
        culls: bool,
    ) -> None:
        """Draw one layer.

        Args:
            layer: the layer.
            previous: image of the previous layer of the same facing. None draws the first layer,
                and counts all crossings of this facing.
            draw: draw call of `LayerDraws` for this layer.
            faces: faces to draw, see `DrawFaces`.
            culls: see `LayerDraws`.
        """
        gl, framebuffer = self._context.gl, self._framebuffer
        gl.enable_only(gl.DEPTH_TEST | (gl.CULL_FACE if culls else gl.NOTHING))
        gl.front_face, gl.depth_func = "cw", "<"  # "cw": see Camera.projection
        gl.cull_face = _CULLED_FACES[layer.facing]
        framebuffer.color_mask = (True,) * 4
        framebuffer.depth_mask = True
        framebuffer.use()  # moderngl applies the masks here
        framebuffer.viewport = (0, 0, *self._size)
        # Clearing all rows is faster than clearing some. The image itself needs no clearing: the
        # merger ignores pixels that have no crossing in this layer.
        framebuffer.scissor = None
        self._context.functions.clear_depth()
        first_row, stop_row = layer.rows
        framebuffer.scissor = (0, first_row, self._size[0], stop_row - first_row)
        if previous is None:
            with self._context.functions.counting_fragments():
                draw(layer.facing, faces)
        else:
            previous._image.use(0)
            draw(layer.facing, faces)

    def read_counts(self) -> npt.NDArray[np.uint8]:
        """Return (H, W): the number of crossings of this facing, at most STENCIL_MAX.

        Call it right after drawing the first layer, since every later layer clears the stencil.
        """
        return self._context.functions.read_stencil(self._framebuffer)

    def read(self, first_row: int, stop_row: int) -> KeyArray:
        """Return (n,): the keys of all pixels in rows [first_row, stop_row)."""
        width, rows = self._size[0], stop_row - first_row
        keys = np.empty(rows * width, np.int64)
        self._framebuffer.read_into(
            keys, viewport=(0, first_row, width, rows), components=2, dtype="u4"
        )
        return keys
