"""VisibleFaces: the faces that may cover a pixel center of an image, found with NumPy.

A rasterizer transforms, clips and sets up every triangle before it knows whether the triangle is
culled, and whether it covers a pixel center. Most faces of a dense mesh cover none. A software
rasterizer does this on one core, again in each pass; here it takes a fraction of a pass.

Coverage is still the rasterizer's decision. A face is left out only if it certainly covers nothing,
whichever way the rasterizer rounds.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..shared.crossing_keys import CountArray
from .screen_vertices import BESIDES, ScreenVertices

__all__ = ["VisibleFaces"]

IntArray = npt.NDArray[np.int64]

# Faces processed at a time: they stay in the cache.
_BLOCK_SIZE = 1 << 14
# Longest sides of boxes that `largest_counts` examines, in pixels: powers of two.
_BOX_SIDES = (1, 2, 4, 8, 16, 32)


class VisibleFaces:
    """Faces that may cover a pixel center. Lists of faces are in ascending order.

    Args:
        faces: (F, 3) vertices of the mesh's faces.
        vertices: the vertices in the image.
    """

    def __init__(self, faces: npt.NDArray[np.int32], vertices: ScreenVertices) -> None:
        self._corners, self._vertices = faces, vertices

    @cached_property
    def all(self) -> IntArray:
        """(n,) int64: all of them."""
        starts = range(0, len(self._corners), _BLOCK_SIZE)
        return np.concatenate([self._visible_from(start) for start in starts])

    def _visible_from(self, start: int) -> IntArray:
        corners = self._corners[start : start + _BLOCK_SIZE]
        a, b, c = self._vertices.codes.take(corners).T
        # Nothing is covered if all corners lie between the same two rows, or columns, of centers.
        differs = a ^ b
        differs |= a ^ c
        differs |= a & 0x10001
        is_visible = differs > 0xFFFF
        is_visible &= (differs & 0xFFFF) != 0
        if self._vertices.outcodes is not None:
            outcodes = self._vertices.outcodes.take(corners)
            is_visible |= np.bitwise_or.reduce(outcodes, axis=1) != 0
            is_visible &= (np.bitwise_and.reduce(outcodes, axis=1) & BESIDES) == 0
        visible: IntArray = np.flatnonzero(is_visible)
        visible += start
        return visible

    @cached_property
    def by_facing(self) -> tuple[IntArray, IntArray]:
        """Two (n,) int64: those that may be front faces, and those that may be back faces."""
        lists: list[list[IntArray]] = [[self.all[:0]], [self.all[:0]]]
        for start in range(0, len(self.all), _BLOCK_SIZE):
            faces = self.all[start : start + _BLOCK_SIZE]
            area, tolerance = self._areas(self._corners[faces])
            # Rows count downward, so counter-clockwise faces have a negative area.
            lists[0].append(faces[area <= tolerance])
            lists[1].append(faces[area >= -tolerance])
        fronts, backs = (np.concatenate(blocks) for blocks in lists)
        return fronts, backs

    def _areas(self, corners: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.float32], ...]:
        """Return twice the signed areas of faces (n, 3), square pixels, and bounds on the error."""
        x, y = (axis.take(corners).T for axis in self._vertices.positions)
        x_ab, y_ab = x[1] - x[0], y[1] - y[0]
        x_ac, y_ac = x[2] - x[0], y[2] - y[0]
        area = x_ab * y_ac - x_ac * y_ab
        # Both ends of an edge are off by up to a margin.
        tolerance = 1.0 + np.abs(x_ab) + np.abs(y_ab) + np.abs(x_ac) + np.abs(y_ac)
        tolerance *= 4.0 * self._vertices.margin
        if self._vertices.outcodes is not None:
            tolerance[self._is_uncertain(corners)] = np.inf
        return area, tolerance

    def _is_uncertain(self, corners: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Return (n,) bool: a corner of the face has no position to trust."""
        outcodes = self._vertices.outcodes
        if outcodes is None:
            return np.zeros(len(corners), np.bool_)
        uncertain: npt.NDArray[np.bool_] = np.bitwise_or.reduce(outcodes.take(corners), axis=1) != 0
        return uncertain

    def largest_counts(self, faces: IntArray, counts: CountArray) -> CountArray:
        """Return (n,): for each face, a bound on the counts (H, W) of the pixels that it covers."""
        largest = np.full(len(faces), counts.max(), counts.dtype)
        tables = [counts]
        for start in range(0, len(faces), _BLOCK_SIZE):
            block = slice(start, start + _BLOCK_SIZE)
            first_pixel, side = self._boxes(self._corners[faces[block]])
            above = 0
            for level, longest in enumerate(_BOX_SIDES):
                those = np.flatnonzero((side > above) & (side <= longest))
                if level == len(tables):
                    tables.append(_largest_of_four(tables[-1], above))
                if len(those):
                    largest[block][those] = tables[level].take(first_pixel[those])
                above = longest
                if not (side > above).any():
                    break
        return largest

    def _boxes(self, corners: npt.NDArray[np.int32]) -> tuple[IntArray, npt.NDArray[np.int32]]:
        """Return the first pixel of the box of each face, and its longer side in pixels."""
        a, b, c = self._vertices.codes.take(corners).T
        first, side = [], np.zeros(len(corners), np.uint32)
        for codes in ((a & 0xFFFF, b & 0xFFFF, c & 0xFFFF), (a >> 16, b >> 16, c >> 16)):
            low = np.minimum(np.minimum(codes[0], codes[1]), codes[2])
            high = np.maximum(np.maximum(codes[0], codes[1]), codes[2])
            low >>= 1
            high += 1
            high >>= 1
            high -= low
            first.append(low)
            np.maximum(side, high, out=side)
        if self._vertices.outcodes is not None:
            side[self._is_uncertain(corners)] = _BOX_SIDES[-1] + 1
        width = self._vertices.size[0]
        return first[1].astype(np.int64) * width + first[0], side


def _largest_of_four(counts: CountArray, step: int) -> CountArray:
    """Return the largest of each count and those `step` rows and columns farther."""
    rows = counts.copy()
    np.maximum(rows[:-step], counts[step:], out=rows[:-step])
    result = rows.copy()
    np.maximum(result[:, :-step], rows[:, step:], out=result[:, :-step])
    return result
