"""All layers on the engine `compute`: crossings counted, given their places, stored, and sorted by pixel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..camera import Camera
from ..context import GLContext
from ..errors import DeviceMemoryError
from ..scene import Scene
from .crossing_keys import KeyArray, first_of_each_pixel, offsets_of, split_keys
from .crossing_memory import BYTES_PER_LISTED, check_crossings_fit
from .face_passes import COUNT, SORTED_MOST, STORE, FacePasses, Transformed
from .sheets import LayerBuffers, SheetRequest

__all__ = ["list_layers"]

Band = tuple[int, int]


def list_layers(
    context: GLContext,
    passes: FacePasses,
    scene: Scene,
    camera: Camera,
    request: SheetRequest,
    max_layers: int | None,
    memory_limit: int,
    more_bytes_per_crossing: int = 0,
) -> LayerBuffers:
    """Every crossing of one image.

    The list on the device is exactly as long as there are crossings. Where it would be longer than one buffer
    or than `memory_limit`, the image is rendered in bands of rows.

    Args:
        context: current.
        passes: over the scene's faces.
        scene, camera, request: of the image.
        max_layers: keep the first that many of each pixel; None keeps all.
        memory_limit: bytes that the crossings may take.
        more_bytes_per_crossing: what the caller will add to each.

    Raises:
        DeviceMemoryError: the crossings would take more than `memory_limit`, or one row of them more than the
            device's largest buffer.
    """
    width, height = camera.width, camera.height
    objects: list[Any] = []
    try:
        counts, faces = _counts(context, passes, scene, camera, request, objects)
        truncated = np.zeros((height, width), dtype=np.bool_)
        if max_layers is not None:
            np.greater(counts, max_layers, out=truncated)
            if not truncated.any():
                max_layers = None  # it cuts nothing
        offsets = offsets_of(counts.reshape(-1), max_layers=max_layers)
        in_rows = counts.sum(axis=1, dtype=np.int64)
        # Lists are on the device and, where something is to be cut off, once more here.
        lists = 1 if max_layers is None else 2
        left = check_crossings_fit(
            int(offsets[-1]),
            int(in_rows.max()) * lists,
            lambda: max_layers or int(counts.max()),
            more_bytes_per_crossing,
            memory_limit,
        )
        keys = np.empty(int(offsets[-1]), np.int64)
        most = min(context.max_storage_block, left // lists) // BYTES_PER_LISTED
        for band in _bands(in_rows, most, width, context.max_storage_block):
            if band != faces.band:
                faces = passes.transform(scene, [camera], request, band)
            here = counts[slice(*band)].reshape(-1)
            place = keys[offsets[band[0] * width] : offsets[band[1] * width]]
            if max_layers is None:
                _list(context, passes, faces, camera, here, place)
            else:
                listed = np.empty(int(here.sum(dtype=np.int64)), np.int64)
                _list(context, passes, faces, camera, here, listed)
                first_of_each_pixel(listed, offsets_of(here), max_layers, place)
        context.check_error("listing layers", "the image size or the number of faces")
    finally:
        for made in reversed(objects):
            made.release()
    return LayerBuffers(offsets, *split_keys(keys), truncated)


def _bands(crossings: npt.NDArray[np.int64], most: int, width: int, block_limit: int) -> Iterator[Band]:
    """Consecutive rows, as many at a time as have no more than `most` crossings; at least one.

    Args:
        crossings: (H,) of each row.
        most: crossings of a band.
        width: of a row, pixels.
        block_limit: bytes that one number for each pixel of a band may take.
    """
    total = np.concatenate(([0], np.cumsum(crossings)))
    rows = block_limit // (4 * width)
    start = 0
    while start < len(crossings):
        stop = int(np.searchsorted(total, total[start] + most, side="right")) - 1
        stop = min(max(stop, start + 1), start + rows, len(crossings))
        yield start, stop
        start = stop


def _counts(
    context: GLContext,
    passes: FacePasses,
    scene: Scene,
    camera: Camera,
    request: SheetRequest,
    objects: list[Any],
) -> tuple[npt.NDArray[np.uint32], Transformed]:
    """(H, W) how many faces cover each pixel, and the faces of the last band that was counted."""
    counts = np.empty((camera.height, camera.width), np.uint32)
    rows = min(camera.height, context.max_storage_block // (4 * camera.width))
    counter = _buffer(context, camera, objects, counts[:rows].nbytes)
    for start in range(0, camera.height, rows):
        band = start, min(start + rows, camera.height)
        part = counts[slice(*band)]
        context.calls.fill_buffer(counter, 0, part.size)
        faces = passes.transform(scene, [camera], request, band)
        passes.run(COUNT, faces, counter)
        counter.read_into(part, part.nbytes)
    return counts, faces


def _list(
    context: GLContext,
    passes: FacePasses,
    faces: Transformed,
    camera: Camera,
    counts: npt.NDArray[np.uint32],
    into: KeyArray,
) -> None:
    """The crossings of a band, sorted.

    Args:
        context, passes, camera: as for `list_layers`.
        faces: of the band, those that were transformed last.
        counts: (N,) of the band's pixels.
        into: (M,) is filled with them.
    """
    if not len(into):
        return
    ends = np.cumsum(counts, dtype=np.uint32)
    objects: list[Any] = []
    try:
        cursors = _buffer(context, camera, objects, ends.nbytes)
        stored = _buffer(context, camera, objects, into.nbytes)
        cursors.write(ends - counts)
        passes.run(STORE, faces, cursors, stored)
        # Each cursor has moved to the end of its pixel's stretch.
        passes.sort(len(ends), int(counts.max()), cursors, stored)
        stored.read_into(into, into.nbytes)
        for pixel in np.flatnonzero(counts > SORTED_MOST):
            into[ends[pixel] - counts[pixel] : ends[pixel]].sort()
    finally:
        for made in reversed(objects):
            made.release()


def _buffer(context: GLContext, camera: Camera, objects: list[Any], size: int) -> Any:
    if size > context.max_storage_block:
        raise DeviceMemoryError(
            f"a row of {camera.width} pixels has {size // BYTES_PER_LISTED:,} crossings, more than the "
            f"{context.max_storage_block // BYTES_PER_LISTED:,} that {context.renderer} holds in a buffer; "
            "reduce the image size"
        )
    try:
        objects.append(context.gl.buffer(reserve=size))
    except Exception as error:
        raise context.no_room("layers", (camera.width, camera.height), error) from error
    return objects[-1]
