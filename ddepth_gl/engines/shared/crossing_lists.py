"""Lists of crossings: read from sheets and layers in blocks, and their values written back.

A list holds runs of consecutive pixels, each pixel with its face. Of a sheet, these are the runs of
`SHEET_RUN` pixels where any pixel has a face: NumPy finds, copies and stores a run as one element,
several times faster than pixel by pixel. Of layers, each crossing is a run of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...results.attributes import ATTRIBUTES
from ..request import LayerBuffers
from .crossing_keys import BLOCK_SIZE, crossing_blocks

__all__ = [
    "SHEET_RUN",
    "Arrays",
    "CrossingBatch",
    "CrossingBlock",
    "layer_blocks",
    "sheet_blocks",
]

SHEET_RUN = 8  # pixels: as many as a 64-bit number has bytes

IntArray = npt.NDArray[np.integer[Any]]
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class CrossingBlock:
    """Up to about BLOCK_SIZE crossings.

    Attributes:
        first_pixels: (n,) first pixel of each run, row * width + column.
        faces: (n * run,) face of each pixel of each run, -1 for a miss.
        store: takes the name of an attribute and its values, C-contiguous, one for each face.
    """

    first_pixels: IntArray
    faces: IntArray
    store: Callable[[str, npt.NDArray[Any]], None]


def sheet_blocks(faces: npt.NDArray[np.int32], images: Arrays) -> Iterator[CrossingBlock]:
    """Yield the crossings of a sheet. Storing the values of all blocks fills the whole images.

    Args:
        faces: (H, W), -1 for a miss.
        images: (H, W) or (H, W, channels) by name, where the values go.
    """
    flat = faces.reshape(-1)
    for start in range(0, len(flat), BLOCK_SIZE):
        pixels = slice(start, start + BLOCK_SIZE)
        block = flat[pixels]
        missing = -len(block) % SHEET_RUN
        if missing:
            block = np.append(block, np.full(missing, -1, np.int32))
        runs = np.flatnonzero((block >= 0).view(np.uint64) != 0)  # of booleans it is faster

        def store(
            name: str,
            values: npt.NDArray[Any],
            pixels: slice = pixels,
            runs: IntArray = runs,
            missing: int = missing,
        ) -> None:
            image = images[name].reshape(len(flat), -1)[pixels]
            _fill_runs(image, missing, runs, values, ATTRIBUTES[name].fill)

        run_at_once = block.view(f"V{SHEET_RUN * block.itemsize}")
        yield CrossingBlock(
            runs * SHEET_RUN + start, run_at_once.take(runs).view(block.dtype), store
        )


def _fill_runs(
    image: npt.NDArray[Any],
    missing: int,
    runs: IntArray,
    values: npt.NDArray[Any],
    fill: float,
) -> None:
    """Fill a block of an image: some runs with their values, the others with one value.

    Filled block by block, the memory is still in the cache when the values are stored.

    Args:
        image: (n, channels), C-contiguous; overwritten.
        missing: number of pixels that the last run of the block lacks.
        runs: (k,) indices of runs.
        values: (k * SHEET_RUN,) or (k * SHEET_RUN, channels), C-contiguous.
        fill: value of all other runs.
    """
    whole = image if not missing else np.empty((len(image) + missing, image.shape[1]), image.dtype)
    if len(runs) * SHEET_RUN < len(whole):
        whole.fill(fill)
    run_dtype = f"V{SHEET_RUN * image.shape[1] * image.itemsize}"
    np.put(whole.reshape(-1).view(run_dtype), runs, values.reshape(-1).view(run_dtype))
    if missing:
        image[:] = whole[: len(image)]


def layer_blocks(layers: LayerBuffers, lists: Arrays) -> Iterator[CrossingBlock]:
    """Yield the crossings of all layers, in their order.

    Args:
        layers: the layers.
        lists: (M,) or (M, channels) by name, where the values go.
    """
    for pixel_range, crossing_range in crossing_blocks(layers.offsets):
        counts = np.diff(layers.offsets[pixel_range.start : pixel_range.stop + 1])
        pixels = np.repeat(np.arange(pixel_range.start, pixel_range.stop, dtype=np.int32), counts)
        # A single pixel may have more crossings than a block.
        for start in range(crossing_range.start, crossing_range.stop, BLOCK_SIZE):
            block = slice(start, min(start + BLOCK_SIZE, crossing_range.stop))

            def store(name: str, values: npt.NDArray[Any], block: slice = block) -> None:
                values_of = lists[name].reshape(len(layers.face), -1)
                values_of[block] = values.reshape(block.stop - block.start, -1)

            first = start - crossing_range.start
            yield CrossingBlock(pixels[first : first + BLOCK_SIZE], layers.face[block], store)


class CrossingBatch:
    """Blocks of crossings that are computed at once.

    Args:
        size: number of crossings that there is room for; at least a block, see `CrossingBlock`.
        run: pixels of each run.

    Attributes:
        size: number of crossings that there is room for.
        run: pixels of each run.
        count: number of crossings, misses included.
    """

    def __init__(self, size: int, run: int) -> None:
        self.size, self.run, self.count = size, run, 0
        self._first_pixels = np.zeros(size // run, np.int32)
        self._faces = np.zeros(size, np.int32)
        self._blocks: list[tuple[slice, CrossingBlock]] = []

    @property
    def first_pixels(self) -> npt.NDArray[np.int32]:
        """(count / run,) int32, see `CrossingBlock`."""
        return self._first_pixels[: self.count // self.run]

    @property
    def faces(self) -> npt.NDArray[np.int32]:
        """(count,) int32, see `CrossingBlock`."""
        return self._faces[: self.count]

    def rounded_up(self, multiple: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return first pixels and faces of a multiple of some number of crossings.

        Those beyond `count` are any crossings of the mesh.
        """
        count = -(-self.count // multiple) * multiple
        return self._first_pixels[: count // self.run], self._faces[:count]

    def add(self, block: CrossingBlock) -> bool:
        """Copy a block to the end of the batch, if it has room; return whether it has."""
        end = self.count + len(block.faces)
        if end > self.size:
            return False
        crossings, runs = slice(self.count, end), slice(self.count // self.run, end // self.run)
        self._first_pixels[runs], self._faces[crossings] = block.first_pixels, block.faces
        self._blocks.append((crossings, block))
        self.count = end
        return True

    def clear(self) -> None:
        """Remove all blocks."""
        self._blocks.clear()
        self.count = 0

    def store(self, name: str, values: npt.NDArray[Any]) -> None:
        """Store the values of an attribute, one for each crossing of the batch."""
        for crossings, block in self._blocks:
            block.store(name, values[crossings])
