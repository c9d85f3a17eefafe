"""LayerMerger: peeled layers of fronts and backs, merged into one list sorted by (depth, face)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..request import LayerBuffers
from ..shared.crossing_keys import (
    BLOCK_SIZE,
    CountArray,
    KeyArray,
    crossing_blocks,
    crossing_offsets,
    split_keys,
    take_first_layers,
)

__all__ = ["FacingLayer", "LayerMerger"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
# Returns the (n,) keys of the pixels in rows [first, stop). Pixels without crossing may hold any
# number.
ReadRows = Callable[[int, int], KeyArray]


@dataclass(frozen=True)
class FacingLayer:
    """The k-th fronts, or the k-th backs, of all pixels that have as many.

    Attributes:
        facing: 0 for fronts, 1 for backs.
        index: k, counted from 0.
        rows: first row, and the row after the last, that hold its pixels.
    """

    facing: int
    index: int
    rows: tuple[int, int]


class LayerMerger:
    """Merges layers of crossing keys, which are added one facing and layer at a time.

    Along most rays fronts and backs alternate. So crossings are stored in this order as they are
    added: front, back, front, back, as long as there are both. Only pixels where the order turns
    out to be different, such as where bodies overlap, are sorted at the end.

    All work proceeds in bands of rows, so that arrays stay in the cache.

    Args:
        fronts: (H, W) integers, number of fronts of each pixel.
        backs: (H, W) integers, number of backs of each pixel.

    Attributes:
        offsets: (H * W + 1,) int64, first crossing of each pixel, and the end of the last pixel.
        layer_counts: largest number of fronts, and of backs, of a pixel.
    """

    def __init__(self, fronts: CountArray, backs: CountArray) -> None:
        height, width = fronts.shape
        self._height = height
        self._rows_per_band = max(BLOCK_SIZE // width, 1)
        self._pixels_per_band = self._rows_per_band * width
        self._row_maxima = [counts.max(axis=1) for counts in (fronts, backs)]
        self.layer_counts = [int(maxima.max()) for maxima in self._row_maxima]
        self._counts = [np.ascontiguousarray(counts).reshape(-1) for counts in (fronts, backs)]
        self.offsets = crossing_offsets(*self._counts)
        self._keys: KeyArray = np.empty(0, dtype=np.int64)
        # For each facing and band: the band's pixels in the layer added last, from its first pixel.
        self._last_pixels: list[dict[int, IntArray]] = [{}, {}]
        self._unsorted_bands: list[int] = []  # bands that may need sorting

    def layer(self, facing: int, index: int) -> FacingLayer:
        """Return a layer to be added. Layers of a facing are added in order."""
        rows = np.flatnonzero(self._row_maxima[facing] > index)
        return FacingLayer(facing, index, (int(rows[0]), int(rows[-1]) + 1))

    def add_first(self, read_fronts: ReadRows, read_backs: ReadRows) -> None:
        """Add the first layers of both facings, reading a few rows at a time."""
        self._keys = np.empty(int(self.offsets[-1]), dtype=np.int64)
        for band in range(-(-self._height // self._rows_per_band)):
            fronts, backs = (counts[self._pixels_of(band)] for counts in self._counts)
            if not (fronts.any() or backs.any()):
                continue
            if fronts.max() == 1 and np.array_equal(fronts, backs):
                self._add_pairs(band, np.flatnonzero(fronts > 0), read_fronts, read_backs)
                continue
            self._unsorted_bands.append(band)
            for facing, (counts, read) in enumerate(((fronts, read_fronts), (backs, read_backs))):
                self._add_to_band(band, facing, 0, np.flatnonzero(counts > 0), read)

    def add(self, layer: FacingLayer, read: ReadRows) -> None:
        """Add a later layer, reading a few rows at a time."""
        facing, index = layer.facing, layer.index
        last_pixels, self._last_pixels[facing] = self._last_pixels[facing], {}
        for band, pixels in last_pixels.items():
            counts = self._counts[facing][self._pixels_of(band)]
            self._add_to_band(band, facing, index, pixels[counts.take(pixels) > index], read)

    def _pixels_of(self, band: int) -> slice:
        return slice(band * self._pixels_per_band, (band + 1) * self._pixels_per_band)

    def _read(self, band: int, read: ReadRows) -> KeyArray:
        first = band * self._rows_per_band
        return read(first, min(first + self._rows_per_band, self._height))

    def _add_to_band(
        self, band: int, facing: int, index: int, pixels: IntArray, read: ReadRows
    ) -> None:
        """Store the crossings of some pixels, which are counted from the first of the band."""
        if not len(pixels):
            return
        positions = self.offsets[self._pixels_of(band)].take(pixels)
        if index + facing:
            # Before the k-th front there are k backs, before the k-th back k + 1 fronts, or all.
            other_counts = self._counts[1 - facing][self._pixels_of(band)]
            positions += np.minimum(other_counts.take(pixels), index + facing)
            positions += index
        self._keys[positions] = self._read(band, read).take(pixels)
        if index + 1 < self.layer_counts[facing]:
            self._last_pixels[facing][band] = pixels

    def _add_pairs(
        self, band: int, pixels: IntArray, read_fronts: ReadRows, read_backs: ReadRows
    ) -> None:
        """Store a band whose pixels have one front and one back each, or nothing."""
        first = int(self.offsets[band * self._pixels_per_band])
        pairs = self._keys[first : first + 2 * len(pixels)].reshape(-1, 2)
        pairs[:, 0] = self._read(band, read_fronts).take(pixels)
        pairs[:, 1] = self._read(band, read_backs).take(pixels)
        swapped = pairs[:, 0] > pairs[:, 1]
        if swapped.any():
            pairs[swapped] = pairs[swapped, ::-1]

    def merge(self, truncated: BoolArray, max_layers: int | None) -> LayerBuffers:
        """Return the crossings of all layers, sorted. To be called once, when all are added.

        Args:
            truncated: (H, W) bool, returned with the layers.
            max_layers: number of crossings to return per pixel, the first ones; None for all.
        """
        for band in self._unsorted_bands:
            pixels = self._pixels_of(band)
            offsets = self.offsets[pixels.start : pixels.stop + 1]
            for block, crossings in crossing_blocks(offsets):
                starts = offsets[block.start : block.stop + 1] - crossings.start
                _sort(self._keys[crossings], starts)
        offsets, keys = self.offsets, self._keys
        if max_layers is not None:
            offsets = crossing_offsets(*self._counts, max_layers=max_layers)
            keys = np.empty(int(offsets[-1]), dtype=np.int64)
            take_first_layers(self._keys, self.offsets, max_layers, keys)
        depth, front_facing = np.empty(len(keys), np.float32), np.empty(len(keys), np.bool_)
        split_keys(keys, depth, keys, front_facing)
        return LayerBuffers(offsets, depth, keys, front_facing, truncated)


def _sort(keys: KeyArray, offsets: IntArray) -> None:
    """Sort the keys of each pixel in place, given their (n + 1,) offsets."""
    pixels = _unsorted_pixels(keys, offsets)
    if not len(pixels):
        return
    counts = offsets[pixels + 1] - offsets[pixels]
    starts = np.cumsum(counts) - counts
    positions = np.arange(int(counts.sum())) + np.repeat(offsets[pixels] - starts, counts)
    unsorted = keys[positions]
    keys[positions] = unsorted[np.lexsort((unsorted, np.repeat(pixels, counts)))]


def _unsorted_pixels(keys: KeyArray, offsets: IntArray) -> IntArray:
    is_first = np.zeros(len(keys) + 1, np.bool_)
    is_first[offsets] = True
    # From one pixel to the next, keys may descend.
    descents = np.flatnonzero((keys[1:] < keys[:-1]) > is_first[1:-1])
    if not len(descents):
        return descents
    return np.unique(np.searchsorted(offsets, descents, side="right") - 1)
