"""Crossings as lists of (pixel, face): read from sheets and layers, and written back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..request import LayerBuffers
from .crossing_keys import BLOCK_SIZE, crossing_blocks

__all__ = [
    "Arrays",
    "CrossingBlock",
    "StoreValues",
    "fill_batches",
    "layer_crossings",
    "sheet_crossings",
    "store_in_images",
    "store_in_lists",
]

IntArray = npt.NDArray[np.integer[Any]]
Arrays = dict[str, npt.NDArray[Any]]
# Of up to BLOCK_SIZE consecutive crossings: (n,) pixels, as row * width + column, and (n,) faces.
CrossingBlock = tuple[IntArray, IntArray]
# Takes the name of an attribute, the number of crossings before these, their (n,) pixels and their
# (n, channels) values.
StoreValues = Callable[[str, int, IntArray, npt.NDArray[np.float32]], None]


def sheet_crossings(faces: IntArray) -> Iterator[CrossingBlock]:
    """Yield the crossings of a sheet, given its (H * W,) faces, -1 for a miss."""
    for start in range(0, len(faces), BLOCK_SIZE):
        block = faces[start : start + BLOCK_SIZE]
        pixels = np.flatnonzero(block >= 0)
        yield pixels + start, block.take(pixels)


def layer_crossings(layers: LayerBuffers) -> Iterator[CrossingBlock]:
    """Yield the crossings of all layers, in their order."""
    for pixel_range, crossing_range in crossing_blocks(layers.offsets):
        counts = np.diff(layers.offsets[pixel_range.start : pixel_range.stop + 1])
        pixels = np.repeat(np.arange(pixel_range.start, pixel_range.stop, dtype=np.int32), counts)
        faces = layers.face[crossing_range]
        for start in range(0, len(faces), BLOCK_SIZE):  # a single pixel may have more
            block = slice(start, start + BLOCK_SIZE)
            yield pixels[block], faces[block]


def fill_batches(batch: npt.NDArray[np.int32], blocks: Iterator[CrossingBlock]) -> Iterator[int]:
    """Fill an array with crossings, as often as needed for all of them.

    Args:
        batch: (n, 2) pixels and faces, at least BLOCK_SIZE rows; overwritten.
        blocks: the crossings.

    Yields:
        The number of rows that are filled.
    """
    count = 0
    for pixels, faces in blocks:
        if count + len(faces) > len(batch):
            yield count
            count = 0
        rows = batch[count : count + len(faces)]
        rows[:, 0], rows[:, 1] = pixels, faces
        count += len(faces)
    if count:
        yield count


def store_in_images(
    images: Arrays, name: str, first: int, pixels: IntArray, values: npt.NDArray[np.float32]
) -> None:
    """Store values of crossings in the image of their attribute, by pixel."""
    pixel_dtype = f"V{values.itemsize * values.shape[1]}"  # one element a pixel is far faster
    np.put(images[name].view(pixel_dtype), pixels, np.ascontiguousarray(values).view(pixel_dtype))


def store_in_lists(
    lists: Arrays, name: str, first: int, pixels: IntArray, values: npt.NDArray[np.float32]
) -> None:
    """Store values of crossings in the list of their attribute, in order."""
    lists[name][first : first + len(values)] = values
