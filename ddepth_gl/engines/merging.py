"""Where peeled layers go: fronts and backs of every pixel, merged into one list sorted by (depth, face)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .sheets import LayerBuffers

__all__ = ["FacingLayer", "FacingLayers", "Window"]

IntArray = npt.NDArray[np.int64]
Window = tuple[int, int, int, int]  # x, y, width, height


@dataclass(frozen=True)
class FacingLayer:
    """The k-th fronts, or the k-th backs, of all pixels that have so many.

    Attributes:
        facing: 0 for fronts, 1 for backs.
        number: k, from 0.
        window: one that holds all of its pixels.
        in_window: (N,) where its crossings are in the window, row by row.
        places: (N,) where they belong among all crossings.
    """

    facing: int
    number: int
    window: Window
    in_window: IntArray
    places: IntArray


class FacingLayers:
    """Crossings that arrive layer by layer, of one facing at a time, as keys.

    A key is a 64-bit number: the bits of the float32 depth, then those of face * 2 + facing. Depths are
    positive, so the order of keys is that of (depth, face).

    Along most rays fronts and backs take turns, so that is how they are laid out as they arrive: front, back,
    front, back, as long as there are both. Only pixels where that turns out not to be the order, as where
    bodies overlap, are sorted in the end.

    Args:
        fronts, backs: (H, W) int32, how many of each a pixel has.
    """

    def __init__(self, fronts: npt.NDArray[np.int32], backs: npt.NDArray[np.int32]) -> None:
        self._counts = (fronts, backs)
        self.offsets: IntArray = np.zeros(fronts.size + 1, dtype=np.int64)
        np.cumsum((fronts + backs).reshape(-1), out=self.offsets[1:])
        self._keys = np.empty(int(self.offsets[-1]), dtype=np.uint64)

    def expected(self) -> Iterator[FacingLayer]:
        """The layers that will arrive, first those of fronts."""
        for facing in (0, 1):
            own, other = (self._counts[side].reshape(-1) for side in (facing, 1 - facing))
            pixels = np.flatnonzero(own > 0)  # of truth values: several times faster than of numbers
            if not len(pixels):
                continue
            width = self._counts[facing].shape[1]
            columns = np.flatnonzero(self._counts[facing].any(axis=0))
            left, wide = int(columns[0]), int(columns[-1]) + 1 - int(columns[0])
            # Of a pixel in a window of these columns and all rows. Dividing is faster in 32 bits.
            in_columns = pixels
            if wide < width:
                in_columns = pixels - pixels.astype(np.int32) // np.int32(width) * (width - wide) - left
            most = int(own.max())
            own, other, starts = own[pixels], other[pixels], self.offsets[pixels]
            for number in range(most):
                top, bottom = int(in_columns[0]) // wide, int(in_columns[-1]) // wide + 1
                window = (left, top, wide, bottom - top)
                # So many of the other facing come before: as many as of this one, and a front comes first.
                before = np.minimum(other, np.int32(number + facing))
                places = starts + number
                places += before
                yield FacingLayer(facing, number, window, in_columns - top * wide, places)
                if number + 1 < most:
                    more = np.flatnonzero(own > number + 1)
                    own, other, starts, in_columns = own[more], other[more], starts[more], in_columns[more]

    def put(self, layer: FacingLayer, keys: npt.NDArray[np.uint64]) -> None:
        """One layer's crossings, in the order of its places."""
        self._keys[layer.places] = keys

    def merged(self, truncated: npt.NDArray[np.bool_], max_layers: int | None) -> LayerBuffers:
        """All crossings in order, of each pixel at most `max_layers`."""
        self._sort(self._unsorted_pixels())
        offsets, keys = self.offsets, self._keys
        if max_layers is not None:
            counts = np.diff(offsets)
            layer = np.arange(len(keys)) - np.repeat(offsets[:-1], counts)
            keys = keys[layer < max_layers]
            offsets = np.concatenate(([0], np.cumsum(np.minimum(counts, max_layers))))
        faces = keys.view(np.uint32)[::2]  # the lower half comes first
        return LayerBuffers(
            offsets,
            keys.view(np.float32)[1::2].copy(),
            (faces >> np.uint32(1)).astype(np.int64),
            (faces & np.uint32(1)) == 0,
            truncated,
        )

    def _unsorted_pixels(self) -> IntArray:
        descends = self._keys[1:] < self._keys[:-1]
        # From one pixel to the next it may.
        starts = self.offsets[1:-1]
        descends[starts[(starts > 0) & (starts < len(self._keys))] - 1] = False
        return np.unique(np.searchsorted(self.offsets, np.flatnonzero(descends), side="right") - 1)

    def _sort(self, pixels: IntArray) -> None:
        counts = self.offsets[pixels + 1] - self.offsets[pixels]
        starts = np.cumsum(counts) - counts
        here = np.arange(int(counts.sum())) + np.repeat(self.offsets[pixels] - starts, counts)
        keys = self._keys[here]
        self._keys[here] = keys[np.lexsort((keys, np.repeat(pixels, counts)))]
