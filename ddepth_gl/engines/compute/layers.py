"""All layers on the engine `compute`: crossings counted, given their places, stored, and sorted by pixel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...errors import DeviceMemoryError
from ...gl.context import GLContext
from ..request import LayerBuffers, SheetRequest
from ..scene import Scene
from ..shared.crossing_keys import (
    BLOCK_SIZE,
    IntArray,
    crossing_offsets,
    running_total,
    split_keys,
    take_first_layers,
)
from ..shared.crossing_memory import BYTES_PER_KEY, check_crossings_fit, default_memory_limit
from .passes import COUNT, SORTED_MOST, STORE, FacePasses, Transformed

__all__ = ["LayerLists"]

Band = tuple[int, int]

# Bytes of a buffer that is kept for the next image. Fresh memory costs as much as a fifth of an image.
_KEPT = 1 << 26


class LayerLists:
    """Lists the crossings of images, in buffers that it keeps for the next one.

    Args:
        context: current whenever it is used.
        passes: over the faces of scenes.
    """

    def __init__(self, context: GLContext, passes: FacePasses) -> None:
        self._context, self._passes = context, passes
        self._buffers: dict[str, Any] = {}

    def of(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        max_layers: int | None,
        memory_limit: int | None,
        more_bytes_per_crossing: int = 0,
    ) -> LayerBuffers:
        """Every crossing of one image.

        The list on the device is as long as there are crossings. Where it would be longer than one buffer
        or than `memory_limit`, the image is rendered in bands of rows.

        Args:
            scene, camera, request: of the image.
            max_layers: keep the first that many of each pixel; None keeps all.
            memory_limit: bytes that the crossings may take; None for `default_memory_limit`.
            more_bytes_per_crossing: what the caller will add to each.

        Raises:
            DeviceMemoryError: the crossings would take more than `memory_limit`, or one row of them more than
                the device's largest buffer.
        """
        try:
            width = camera.width
            listed, most, faces = self._count(scene, camera, request)
            offsets, truncated = _cut(listed, most, max_layers, (camera.height, width))
            in_rows = listed[::width]
            most_in_row = int(np.diff(in_rows).max())
            if memory_limit is None:
                memory_limit = default_memory_limit(
                    self._context.memory, most_in_row, more_bytes_per_crossing
                )
            left = check_crossings_fit(
                int(offsets[-1]),
                most_in_row,
                lambda: most if max_layers is None else min(most, max_layers),
                more_bytes_per_crossing,
                memory_limit,
            )
            depth = np.empty(int(offsets[-1]), np.float32)
            face, front_facing = np.empty(len(depth), np.int64), np.empty(len(depth), np.bool_)
            room = min(self._context.max_storage_block, left) // BYTES_PER_KEY
            for band in _bands(in_rows, room, width, self._context.max_storage_block):
                if band != faces.band:
                    faces = self._passes.transform(scene, [camera], request, band)
                pixels = slice(band[0] * width, band[1] * width + 1)
                kept = slice(*offsets[pixels][[0, -1]])
                into = depth[kept], face[kept], front_facing[kept]
                self._list(faces, camera, listed[pixels], most, room, max_layers, into)
            self._context.check_error("listing layers", "the image size or the number of faces")
        finally:
            self.trim(_KEPT)
        return LayerBuffers(offsets, depth, face, front_facing, truncated)

    def _count(
        self, scene: Scene, camera: Camera, request: SheetRequest
    ) -> tuple[IntArray, int, Transformed]:
        """(H * W + 1,) where each pixel's crossings begin, the most of one, the faces of the last band."""
        context, (width, height) = self._context, (camera.width, camera.height)
        listed = np.empty(height * width + 1, np.int64)
        listed[0] = end = most = 0
        rows = min(height, context.max_storage_block // (4 * width))
        counter = self._buffer("cursors", camera, 4 * width * rows)
        for start in range(0, height, rows):
            band = start, min(start + rows, height)
            pixels = width * (band[1] - start)
            context.functions.fill_buffer(counter, 0, pixels)
            faces = self._passes.transform(scene, [camera], request, band)
            self._passes.run(COUNT, faces, counter)
            with context.functions.mapped(counter, np.uint32, pixels) as counts:
                for first in range(0, pixels, BLOCK_SIZE):
                    some = counts[first : first + BLOCK_SIZE]
                    place = width * start + 1 + first
                    most = max(most, int(some.max()))
                    end = running_total(some, end, listed[place : place + len(some)])
        return listed, most, faces

    def _list(
        self,
        faces: Transformed,
        camera: Camera,
        listed: IntArray,
        most: int,
        room: int,
        max_layers: int | None,
        into: tuple[npt.NDArray[np.float32], IntArray, npt.NDArray[np.bool_]],
    ) -> None:
        """The crossings of a band, sorted.

        Args:
            faces: of the band, those that were transformed last.
            camera: of the image.
            listed: (N + 1,) where those of the band's pixels begin in the list of the image.
            most: that any pixel has.
            room: how many a buffer may have room for, if not for more than these.
            max_layers: of them are kept.
            into: (M,) depth, face and facing, are filled with those that are kept.
        """
        pixels, before, crossings = len(listed) - 1, int(listed[0]), int(listed[-1] - listed[0])
        if crossings == 0:
            return
        functions = self._context.functions
        cursors = self._buffer("cursors", camera, 4 * pixels)
        stored = self._buffer("stored", camera, BYTES_PER_KEY * crossings, BYTES_PER_KEY * room)
        with functions.mapped(cursors, np.uint32, pixels, write=True) as starts:
            np.subtract(listed[:-1], before, out=starts, casting="unsafe")
        self._passes.run(STORE, faces, cursors, stored)
        # Each cursor has moved to the end of its pixel's stretch.
        self._passes.sort(pixels, most, cursors, stored)
        if most > SORTED_MOST:
            _sort_longest(stored, listed - before)
        with functions.mapped(stored, np.int64, crossings) as keys:
            if max_layers is None or most <= max_layers:
                split_keys(keys, *into)
            else:
                _, face, _ = into
                take_first_layers(keys, listed - before, max_layers, face)
                split_keys(face, *into)

    def _buffer(self, name: str, camera: Camera, size: int, most: int | None = None) -> Any:
        """The one of that name if it has `size` bytes or more, but no more than `most`; else a new one."""
        context = self._context
        if size > context.max_storage_block:
            raise DeviceMemoryError(
                f"a row of {camera.width} pixels has {size // BYTES_PER_KEY:,} crossings, more than the "
                f"{context.max_storage_block // BYTES_PER_KEY:,} that {context.renderer} holds in a "
                "buffer; reduce the image size"
            )
        kept = self._buffers.get(name)
        if kept and size <= kept.size and (most is None or kept.size <= max(size, most)):
            return kept
        if kept:
            self._buffers.pop(name).release()
        made: list[Any] = []
        with context.allocating("layers", (camera.width, camera.height), made):
            made.append(context.gl.buffer(reserve=size))
        self._buffers[name] = made[0]
        return made[0]

    def trim(self, keep: int) -> None:
        """Frees buffers of more than `keep` bytes."""
        for name in [name for name, buffer in self._buffers.items() if buffer.size > keep]:
            self._buffers.pop(name).release()

    def release(self) -> None:
        """Frees all buffers."""
        self.trim(keep=-1)


def _cut(
    listed: IntArray, most: int, max_layers: int | None, shape: tuple[int, int]
) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Where each pixel's first `max_layers` crossings begin, and (H, W) which pixels have more."""
    if max_layers is None or most <= max_layers:
        return listed, np.zeros(shape, np.bool_)
    counts = np.empty(len(listed) - 1, np.int32)
    np.subtract(listed[1:], listed[:-1], out=counts, casting="unsafe")
    return crossing_offsets(counts, max_layers=max_layers), (counts > max_layers).reshape(shape)


def _bands(total: IntArray, most: int, width: int, block_limit: int) -> Iterator[Band]:
    """Consecutive rows, as many at a time as have no more than `most` crossings; at least one.

    Args:
        total: (H + 1,) crossings in the rows before each.
        most: crossings of a band.
        width: of a row, pixels.
        block_limit: bytes that one number for each pixel of a band may take.
    """
    rows = block_limit // (4 * width)
    start = 0
    while start < len(total) - 1:
        stop = int(np.searchsorted(total, total[start] + most, side="right")) - 1
        stop = min(max(stop, start + 1), start + rows, len(total) - 1)
        yield start, stop
        start = stop


def _sort_longest(stored: Any, listed: IntArray) -> None:
    """Sorts the crossings of pixels with more than SORTED_MOST, which the device has left."""
    for pixel in np.flatnonzero(np.diff(listed) > SORTED_MOST):
        first, end = (BYTES_PER_KEY * int(place) for place in listed[pixel : pixel + 2])
        keys = np.frombuffer(stored.read(end - first, offset=first), np.int64)
        stored.write(np.sort(keys), offset=first)
