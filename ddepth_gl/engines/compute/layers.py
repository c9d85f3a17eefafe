"""All layers on the engine `compute`: crossings are counted, stored pixel by pixel, and sorted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
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
from ..shared.image_limits import ImageLimits
from ..shared.image_targets import FullscreenPasses
from ..shared.target_pool import TargetPool
from .listed_crossings import ListedCrossings, ListTargets, OffsetSums
from .passes import COUNT, STORE, FacePasses, QueuedFaces
from .programs import ComputePrograms
from .sorting import sort_crossings, sort_listed

__all__ = ["LayerBuilder"]

Band = tuple[int, int]

# Larger buffers are freed after the image. Allocating fresh memory costs as much as a fifth of it.
_MAX_KEPT_BYTES = 1 << 26


class LayerBuilder:
    """A builder of lists of all crossings, whose buffers are kept for the next image.

    Args:
        context: current whenever a method is called.
        passes: over the faces of scenes.
        programs: of the context.
    """

    def __init__(self, context: GLContext, passes: FacePasses, programs: ComputePrograms) -> None:
        self._context, self._passes, self._programs = context, passes, programs
        self._buffers: dict[str, Any] = {}
        self._sums = OffsetSums(context, programs)
        self._targets = TargetPool(partial(ListTargets, context))

    def build(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        max_layers: int | None,
        memory_limit: int | None,
        more_bytes_per_crossing: int = 0,
    ) -> LayerBuffers:
        """Return every crossing of one image.

        The list on the device holds all crossings at once. If it would exceed one buffer or the
        `memory_limit`, the image is rendered in bands of rows.

        Args:
            scene: to render.
            camera: of the image.
            request: of the image.
            max_layers: how many of each pixel's crossings to keep; None keeps all.
            memory_limit: bytes that the crossings may take; None means `default_memory_limit`.
            more_bytes_per_crossing: bytes that the caller will add to each crossing.

        Raises:
            DeviceMemoryError: the crossings take more than `memory_limit`, or those of one row more
                than the device's largest buffer.
        """
        try:
            width = camera.width
            starts, max_count, faces = self._count(scene, camera, request)
            offsets, truncated = _kept(starts, max_count, max_layers, (camera.height, width))
            row_starts = starts[::width]
            max_in_row = int(np.diff(row_starts).max())
            if memory_limit is None:
                memory_limit = default_memory_limit(
                    self._context.memory, max_in_row, more_bytes_per_crossing
                )
            left = check_crossings_fit(
                int(offsets[-1]),
                max_in_row,
                lambda: max_count if max_layers is None else min(max_count, max_layers),
                more_bytes_per_crossing,
                memory_limit,
            )
            depth = np.empty(int(offsets[-1]), np.float32)
            face, front_facing = np.empty(len(depth), np.int64), np.empty(len(depth), np.bool_)
            capacity = min(self._context.max_storage_block, left) // BYTES_PER_KEY
            for band in _bands(row_starts, capacity, width, self._context.max_storage_block):
                if band != (0, camera.height):  # otherwise `_count` has prepared everything
                    faces = self._passes.queue_faces(scene, [camera], request, band)
                    self._write_cursors(camera, starts[width * band[0] : width * band[1]])
                pixels = slice(band[0] * width, band[1] * width + 1)
                kept = slice(*offsets[pixels][[0, -1]])
                arrays = depth[kept], face[kept], front_facing[kept]
                self._fill_band(
                    faces, camera, starts[pixels], max_count, capacity, max_layers, arrays
                )
            self._context.check_error("listing layers", "the image size or the number of faces")
        finally:
            self.trim(_MAX_KEPT_BYTES)
        return LayerBuffers(offsets, depth, face, front_facing, truncated)

    @contextmanager
    def list_on_device(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        fullscreen: FullscreenPasses,
        limits: ImageLimits,
    ) -> Iterator[ListedCrossings]:
        """Lend every crossing of one image, without reading them.

        Only their total and the largest count come to the CPU, and the crossings of pixels that
        have too many for the device to sort.

        Args:
            scene, camera, request: see `build`.
            fullscreen, limits: of the context.

        Raises:
            DeviceMemoryError: the crossings do not fit into one buffer.
        """
        context, size = self._context, (camera.width, camera.height)
        pixels = size[0] * size[1]
        textures: list[Any] = []
        targets = self._targets.take(size)
        try:
            cursors = self._buffer("cursors", camera, 4 * pixels)
            context.functions.fill_buffer(cursors, 0, pixels)
            faces = self._passes.queue_faces(scene, [camera], request, (0, camera.height))
            self._passes.run(COUNT, faces, cursors)
            textures.append(context.functions.buffer_texture(cursors, 1))
            fullscreen.draw(
                targets.counts.framebuffer,
                "crossing_counts",
                {"IN_BUFFER": 1},
                {"cursors": textures[0]},
                {"image_width": size[0]},
                marks=True,
            )
            _, most = limits.of(targets.counts.texture, is_integer=True) or (0, 0)
            total, max_count = self._sums.replace(cursors, pixels), int(most)
            if BYTES_PER_KEY * total > context.max_storage_block or total > context.max_texels:
                raise DeviceMemoryError(
                    f"{total:,} crossings do not fit into one buffer of {context.renderer}; "
                    "reduce the image size, or choose engine='raster'"
                )
            stored = self._buffer("crossings", camera, max(BYTES_PER_KEY * total, BYTES_PER_KEY))
            self._passes.run(STORE, faces, cursors, stored)
            sort_listed(self._programs, context.staging, pixels, max_count, cursors, stored)
            textures.append(context.functions.buffer_texture(stored, 2))
            lists = {"range_ends": textures[0], "crossings": textures[1]}
            yield ListedCrossings(fullscreen, targets, max_count, lists)
            context.check_error("listing layers", "the image size or the number of faces")
        finally:
            for texture in textures:
                texture.release()
            self._targets.give_back(targets)
            self.trim(_MAX_KEPT_BYTES)

    def _count(
        self, scene: Scene, camera: Camera, request: SheetRequest
    ) -> tuple[IntArray, int, QueuedFaces]:
        """Count the crossings of every pixel; leave the cursors at the start of its range.

        Returns:
            (H * W + 1,) where each pixel's crossings begin, the largest number of crossings of a
            pixel, and the faces of the last band.
        """
        context, (width, height) = self._context, (camera.width, camera.height)
        starts = np.empty(height * width + 1, np.int64)
        starts[0] = total = max_count = 0
        rows = min(height, context.max_storage_block // (4 * width))
        counter = self._buffer("cursors", camera, 4 * width * rows)
        for start in range(0, height, rows):
            band = start, min(start + rows, height)
            pixels = width * (band[1] - start)
            context.functions.fill_buffer(counter, 0, pixels)
            faces = self._passes.queue_faces(scene, [camera], request, band)
            self._passes.run(COUNT, faces, counter)
            with context.staging.updating(counter, np.uint32, pixels) as (counts, cursors):
                for first in range(0, pixels, BLOCK_SIZE):
                    chunk = counts[first : first + BLOCK_SIZE]
                    index = width * start + 1 + first
                    max_count = max(max_count, int(chunk.max()))
                    total = running_total(chunk, total, starts[index : index + len(chunk)])
                    cursors[first : first + len(chunk)] = starts[index - 1 : index - 1 + len(chunk)]
        return starts, max_count, faces

    def _write_cursors(self, camera: Camera, starts: IntArray) -> None:
        """Set the cursors of a band to the start of each pixel's range."""
        cursors = self._buffer("cursors", camera, 4 * len(starts))
        with self._context.staging.writing(cursors, np.uint32, len(starts)) as first_cursors:
            np.subtract(starts, starts[0], out=first_cursors, casting="unsafe")

    def _fill_band(
        self,
        faces: QueuedFaces,
        camera: Camera,
        starts: IntArray,
        max_count: int,
        capacity: int,
        max_layers: int | None,
        arrays: tuple[npt.NDArray[np.float32], IntArray, npt.NDArray[np.bool_]],
    ) -> None:
        """Fill arrays with the sorted crossings of a band, whose cursors are ready.

        Args:
            faces: of the band, the ones that were queued last.
            camera: of the image.
            starts: (N + 1,) where the crossings of each of the band's pixels begin in the list of
                the image, and where the last ones end.
            max_count: largest number of crossings of a pixel.
            capacity: crossings that a buffer may hold, unless the band has more.
            max_layers: how many of each pixel's crossings to keep; None keeps all.
            arrays: (M,) depth, face and facing, filled with the crossings that are kept.
        """
        pixels, before, crossings = len(starts) - 1, int(starts[0]), int(starts[-1] - starts[0])
        if crossings == 0:
            return
        cursors = self._buffer("cursors", camera, 4 * pixels)
        stored = self._buffer(
            "crossings", camera, BYTES_PER_KEY * crossings, BYTES_PER_KEY * capacity
        )
        self._passes.run(STORE, faces, cursors, stored)
        # Each cursor is now at the end of its pixel's range.
        sort_crossings(self._programs, self._context.staging, starts, max_count, cursors, stored)
        with self._context.staging.reading(stored, np.int64, crossings) as keys:
            if max_layers is None or max_count <= max_layers:
                split_keys(keys, *arrays)
            else:
                _, face, _ = arrays
                take_first_layers(keys, starts - before, max_layers, face)
                split_keys(face, *arrays)

    def _buffer(self, name: str, camera: Camera, size: int, max_size: int | None = None) -> Any:
        """Return the buffer of a name, of at least `size` bytes.

        The kept one is replaced if it is smaller, or larger than both `size` and `max_size`.
        """
        context = self._context
        if size > context.max_storage_block:
            raise DeviceMemoryError(
                f"a row of {camera.width} pixels has {size // BYTES_PER_KEY:,} crossings, but a "
                f"buffer of {context.renderer} holds at most "
                f"{context.max_storage_block // BYTES_PER_KEY:,}; reduce the image size"
            )
        kept = self._buffers.get(name)
        if kept and size <= kept.size and (max_size is None or kept.size <= max(size, max_size)):
            return kept
        if kept:
            self._buffers.pop(name).release()
        created: list[Any] = []
        with context.allocating("layers", (camera.width, camera.height), created):
            created.append(context.gl.buffer(reserve=size))
        self._buffers[name] = created[0]
        return created[0]

    def trim(self, keep: int) -> None:
        """Free buffers of more than `keep` bytes."""
        for name in [name for name, buffer in self._buffers.items() if buffer.size > keep]:
            self._buffers.pop(name).release()

    def release(self) -> None:
        """Free all buffers and images."""
        self.trim(keep=-1)
        self._sums.release()
        self._targets.trim(max_idle=0)


def _kept(
    starts: IntArray, max_count: int, max_layers: int | None, shape: tuple[int, int]
) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Return where the first `max_layers` crossings of each pixel begin, and the truncated pixels.

    Args:
        starts: (H * W + 1,) where all crossings of each pixel begin.
        max_count: largest number of crossings of a pixel.
        max_layers: how many to keep; None keeps all.
        shape: (H, W), that of the second result.
    """
    if max_layers is None or max_count <= max_layers:
        return starts, np.zeros(shape, np.bool_)
    counts = np.empty(len(starts) - 1, np.int32)
    np.subtract(starts[1:], starts[:-1], out=counts, casting="unsafe")
    return crossing_offsets(counts, max_layers=max_layers), (counts > max_layers).reshape(shape)


def _bands(row_starts: IntArray, capacity: int, width: int, block_limit: int) -> Iterator[Band]:
    """Yield bands of consecutive rows, each with as many rows as fit, but at least one.

    Args:
        row_starts: (H + 1,) number of crossings in the rows before each row.
        capacity: largest number of crossings of a band.
        width: of a row, pixels.
        block_limit: bytes that one 32-bit integer for each pixel of a band may take.
    """
    rows = block_limit // (4 * width)
    start = 0
    while start < len(row_starts) - 1:
        stop = int(np.searchsorted(row_starts, row_starts[start] + capacity, side="right")) - 1
        stop = min(max(stop, start + 1), start + rows, len(row_starts) - 1)
        yield start, stop
        start = stop
