"""Where peeled layers go: fronts and backs of every pixel, merged into one list sorted by (depth, face)."""

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

__all__ = ["FacingLayer", "FacingLayers"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Read = Callable[[int, int], KeyArray]


@dataclass(frozen=True)
class FacingLayer:
    """The k-th fronts, or the k-th backs, of all pixels that have so many.

    Attributes:
        facing: 0 for fronts, 1 for backs.
        number: k, from 0.
        rows: all of its pixels are in the rows from the first up to, not including, the second.
    """

    facing: int
    number: int
    rows: tuple[int, int]


class FacingLayers:
    """Crossings that arrive layer by layer, of one facing at a time, as keys (see `crossing_keys`).

    Along most rays fronts and backs take turns, so that is how they are laid out as they arrive: front, back,
    front, back, as long as there are both. Only pixels where that turns out not to be the order, as where
    bodies overlap, are sorted in the end.

    Args:
        fronts, backs: (H, W) integers, how many of each a pixel has.

    Attributes:
        offsets: (H * W + 1,) int64, where each pixel's crossings begin.
        most: how many fronts, and how many backs, any pixel has.
    """

    def __init__(self, fronts: CountArray, backs: CountArray) -> None:
        height, width = fronts.shape
        self._rows_at_a_time = max(BLOCK_SIZE // width, 1)
        self._height, self._band = height, self._rows_at_a_time * width
        self._in_rows = [counts.max(axis=1) for counts in (fronts, backs)]
        self.most = [int(in_rows.max()) for in_rows in self._in_rows]
        self._counts = [np.ascontiguousarray(counts).reshape(-1) for counts in (fronts, backs)]
        self.offsets = crossing_offsets(*self._counts)
        self._keys: KeyArray = np.empty(0, dtype=np.int64)
        # Of each facing, the pixels of the layer that arrived last, band by band, from its first pixel on.
        self._arrived: list[dict[int, IntArray]] = [{}, {}]
        self._unsorted: list[int] = []  # bands that may be

    def layer(self, facing: int, number: int) -> FacingLayer:
        """A layer that will arrive; each facing's come in order, and there are `most` of them."""
        rows = np.flatnonzero(self._in_rows[facing] > number)
        return FacingLayer(facing, number, (int(rows[0]), int(rows[-1]) + 1))

    def put_first(self, read_fronts: Read, read_backs: Read) -> None:
        """Takes the first layers of both facings.

        Args:
            read_fronts, read_backs: each gives the keys (n,) of the rows from the first up to, not including,
                the second; what is no crossing may be anything. Called for a few rows at a time, while they
                are in the cache.
        """
        self._keys = np.empty(int(self.offsets[-1]), dtype=np.int64)
        for band in range(-(-self._height // self._rows_at_a_time)):
            fronts, backs = (counts[self._pixels_of(band)] for counts in self._counts)
            if not (fronts.any() or backs.any()):
                continue
            if fronts.max() == 1 and np.array_equal(fronts, backs):
                self._put_pairs(band, np.flatnonzero(fronts > 0), read_fronts, read_backs)
                continue
            self._unsorted.append(band)
            for facing, (counts, read) in enumerate(((fronts, read_fronts), (backs, read_backs))):
                self._put(band, facing, 0, np.flatnonzero(counts > 0), read)

    def put(self, layer: FacingLayer, read: Read) -> None:
        """Takes a later layer; `read` as for `put_first`."""
        facing, number = layer.facing, layer.number
        arrived, self._arrived[facing] = self._arrived[facing], {}
        for band, pixel in arrived.items():
            counts = self._counts[facing][self._pixels_of(band)]
            self._put(band, facing, number, pixel[counts.take(pixel) > number], read)

    def _pixels_of(self, band: int) -> slice:
        return slice(band * self._band, (band + 1) * self._band)

    def _read(self, band: int, read: Read) -> KeyArray:
        top = band * self._rows_at_a_time
        return read(top, min(top + self._rows_at_a_time, self._height))

    def _put(self, band: int, facing: int, number: int, pixel: IntArray, read: Read) -> None:
        """Takes the crossings of some pixels, counted from the first of the band."""
        if not len(pixel):
            return
        places = self.offsets[self._pixels_of(band)].take(pixel)
        # So many of the other facing come before: as many as of this one, and a front comes first.
        if number + facing:
            other = self._counts[1 - facing][self._pixels_of(band)]
            places += np.minimum(other.take(pixel), number + facing)
            places += number
        self._keys[places] = self._read(band, read).take(pixel)
        if number + 1 < self.most[facing]:
            self._arrived[facing][band] = pixel

    def _put_pairs(self, band: int, pixel: IntArray, read_fronts: Read, read_backs: Read) -> None:
        """Takes all crossings of a band whose pixels have one front and one back: no places needed."""
        first = int(self.offsets[band * self._band])
        pairs = self._keys[first : first + 2 * len(pixel)].reshape(-1, 2)
        pairs[:, 0] = self._read(band, read_fronts).take(pixel)
        pairs[:, 1] = self._read(band, read_backs).take(pixel)
        swapped = pairs[:, 0] > pairs[:, 1]
        if swapped.any():
            pairs[swapped] = pairs[swapped, ::-1]

    def merged(self, truncated: BoolArray, max_layers: int | None) -> LayerBuffers:
        """All crossings in order, of each pixel at most `max_layers`; to be called once."""
        for band in self._unsorted:
            offsets = self.offsets[band * self._band : (band + 1) * self._band + 1]
            for pixels, crossings in crossing_blocks(offsets):
                starts = offsets[pixels.start : pixels.stop + 1] - crossings.start
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
    """Sorts the keys of each pixel, in place; offsets (n + 1,) as ever."""
    pixels = _unsorted_pixels(keys, offsets)
    if not len(pixels):
        return
    counts = offsets[pixels + 1] - offsets[pixels]
    starts = np.cumsum(counts) - counts
    here = np.arange(int(counts.sum())) + np.repeat(offsets[pixels] - starts, counts)
    listed = keys[here]
    keys[here] = listed[np.lexsort((listed, np.repeat(pixels, counts)))]


def _unsorted_pixels(keys: KeyArray, offsets: IntArray) -> IntArray:
    begins = np.zeros(len(keys) + 1, np.bool_)
    begins[offsets] = True
    # From one pixel to the next they may descend.
    descends = np.flatnonzero((keys[1:] < keys[:-1]) > begins[1:-1])
    return (
        np.unique(np.searchsorted(offsets, descends, side="right") - 1)
        if len(descends)
        else descends
    )
