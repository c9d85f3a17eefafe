"""VisibleFaces: the faces that may cover a pixel center of an image, found with NumPy.

A rasterizer transforms, clips and sets up every triangle before it knows whether the triangle is
culled, and whether it covers a pixel center. Most faces of a dense mesh cover none. A software
rasterizer does this on one core, again in each pass; here it takes a fraction of a pass.

Coverage is still the rasterizer's decision. A face is left out only if it certainly covers nothing,
whichever way the rasterizer rounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..shared.crossing_keys import CountArray, IntArray
from .screen_vertices import BESIDES, ScreenVertices

__all__ = ["VisibleFaces", "visible_faces"]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

# Faces processed at a time: they stay in the cache.
_BLOCK_SIZE = 1 << 14
# Sides of boxes of pixels are rounded up to one of these. _LARGE stands for all larger ones.
_SIDES, _LARGE = (1, 2, 4, 8, 16, 32), 64
_ROUNDED_SIDES = np.array([1, *(1 << (side - 1).bit_length() for side in range(1, 33)), _LARGE])


@dataclass(frozen=True)
class VisibleFaces:
    """Faces that may cover a pixel center. A box holds the centers that a face may cover.

    Attributes:
        faces: (n,) indices into the mesh's faces, ascending.
        may_face: (2, n): whether a face may be a front face, and whether it may be a back face.
        first_pixels: (n,) first pixel of the box, row * width + column.
        sides: (n,) side of the box, which is one of _SIDES or _LARGE, pixels.
    """

    faces: IntArray
    may_face: BoolArray
    first_pixels: IntArray
    sides: IntArray

    def of_facing(self, facing: int) -> VisibleFaces:
        """Return those that may be front faces (0) or back faces (1)."""
        return self.where(self.may_face[facing])

    def where(self, condition: BoolArray) -> VisibleFaces:
        """Return the faces for which a condition (n,) holds."""
        which = np.flatnonzero(condition)
        return VisibleFaces(
            self.faces.take(which),
            self.may_face.take(which, axis=1),
            self.first_pixels.take(which),
            self.sides.take(which),
        )

    def largest_counts(self, counts: CountArray) -> CountArray:
        """Return (n,): for each face, at least the largest count (H, W) of its box."""
        largest = np.full(len(self.faces), counts.max(), counts.dtype)
        for side in _SIDES:
            those = np.flatnonzero(self.sides == side)
            largest[those] = counts.take(self.first_pixels[those])
            if not (self.sides > side).any():
                break
            counts = _largest_of_four(counts, side)
        return largest


def _largest_of_four(counts: CountArray, step: int) -> CountArray:
    """Return the largest of each count and those `step` rows and columns farther."""
    rows = counts.copy()
    np.maximum(rows[:-step], counts[step:], out=rows[:-step])
    result = rows.copy()
    np.maximum(result[:, :-step], rows[:, step:], out=result[:, :-step])
    return result


def visible_faces(faces: npt.NDArray[np.int32], vertices: ScreenVertices) -> VisibleFaces:
    """Return the faces that may cover a pixel center.

    Args:
        faces: (F, 3) vertices of the mesh's faces.
        vertices: the vertices in the image.
    """
    starts = range(0, len(faces), _BLOCK_SIZE)
    candidates = np.concatenate([_candidates(faces, vertices, start) for start in starts])
    count = len(candidates)
    found = VisibleFaces(
        candidates,
        np.empty((2, count), np.bool_),
        np.empty(count, np.int64),
        np.empty(count, np.int64),
    )
    covers = np.empty(count, np.bool_)
    for start in range(0, count, _BLOCK_SIZE):
        block = slice(start, start + _BLOCK_SIZE)
        corners = np.ascontiguousarray(faces.take(candidates[block], axis=0).T)
        column, row, sides = _boxes(corners, vertices)
        found.sides[block] = sides
        np.multiply(row, vertices.size[0], out=found.first_pixels[block], dtype=np.int64)
        found.first_pixels[block] += column
        covers[block], found.may_face[:, block] = _examine(corners, vertices, column, row, sides)
    return found.where(covers)


def _candidates(faces: npt.NDArray[np.int32], vertices: ScreenVertices, start: int) -> IntArray:
    """Return those of a block of faces whose bounding box may hold a pixel center."""
    corners = faces[start : start + _BLOCK_SIZE]
    a, b, c = vertices.codes.take(corners).T
    # None does if all corners lie between the same two rows, or columns, of centers.
    differs = a ^ b
    differs |= a ^ c
    differs |= a & 0x10001
    holds = differs > 0xFFFF
    holds &= (differs & 0xFFFF) != 0
    if vertices.outcodes is not None:
        outcodes = vertices.outcodes.take(corners)
        holds |= np.bitwise_or.reduce(outcodes, axis=1) != 0
        holds &= (np.bitwise_and.reduce(outcodes, axis=1) & BESIDES) == 0
    candidates: IntArray = np.flatnonzero(holds)
    candidates += start
    return candidates


def _boxes(
    corners: npt.NDArray[np.int32], vertices: ScreenVertices
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], IntArray]:
    """Return first column, first row and side of the boxes of faces with corners (3, n)."""
    a, b, c = vertices.codes.take(corners)
    first, longest = [], np.zeros(len(a), np.uint32)
    for codes in ((a & 0xFFFF, b & 0xFFFF, c & 0xFFFF), (a >> 16, b >> 16, c >> 16)):
        low = np.minimum(np.minimum(codes[0], codes[1]), codes[2])
        high = np.maximum(np.maximum(codes[0], codes[1]), codes[2])
        low >>= 1
        high += 1
        high >>= 1
        high -= low
        first.append(low)
        np.maximum(longest, high, out=longest)
    sides = _ROUNDED_SIDES.take(longest, mode="clip")
    if vertices.outcodes is not None:
        sides[_is_uncertain(corners, vertices.outcodes)] = _LARGE
    return first[0], first[1], sides


def _is_uncertain(corners: npt.NDArray[np.int32], outcodes: npt.NDArray[np.uint8]) -> BoolArray:
    """Return (n,): whether a corner of the face has no position to trust."""
    a, b, c = outcodes.take(corners)
    uncertain: BoolArray = (a | b | c) != 0
    return uncertain


def _examine(
    corners: npt.NDArray[np.int32],
    vertices: ScreenVertices,
    columns: npt.NDArray[np.uint32],
    rows: npt.NDArray[np.uint32],
    sides: IntArray,
) -> tuple[BoolArray, BoolArray]:
    """Return which faces may cover a center of their box, (n,), and `may_face`."""
    x, y = (axis.take(corners) for axis in vertices.positions)
    area = _cross(x[1] - x[0], y[1] - y[0], x[2] - x[0], y[2] - y[0])
    # A product of two edges, the ends of which are off by a margin.
    tolerance = np.ptp(x, axis=0) + np.ptp(y, axis=0) + np.float32(2.0 * vertices.margin)
    tolerance *= np.float32(2.0 * vertices.margin)
    if vertices.outcodes is not None:
        tolerance[_is_uncertain(corners, vertices.outcodes)] = np.inf
    # Rows count downward, so counter-clockwise faces have a negative area.
    may_face = np.stack([area <= tolerance, area >= -tolerance])
    covers = np.ones(len(sides), np.bool_)
    # The center of a box of one pixel has to be on the inner side of each edge.
    those = np.flatnonzero((sides == 1) & (may_face[0] != may_face[1]))
    x, y, tolerance = x.take(those, axis=1), y.take(those, axis=1), tolerance.take(those)
    x -= columns.take(those) + np.float32(0.5)
    y -= rows.take(those) + np.float32(0.5)
    tolerance *= np.sign(area.take(those))
    outside = np.zeros(len(those), np.bool_)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        value = _cross(x[a], y[a], x[b], y[b])
        outside |= np.where(tolerance > 0.0, value < -tolerance, value > -tolerance)
    covers[those] = ~outside
    return covers, may_face


def _cross(x_a: FloatArray, y_a: FloatArray, x_b: FloatArray, y_b: FloatArray) -> FloatArray:
    area = x_a * y_b
    area -= x_b * y_a
    return area
