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

__all__ = ["VisibleFaces", "share_of_visible_faces", "visible_faces"]

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
        of_facing: positions, in `faces`, of those that may be front faces, and of those that may be
            back faces.
        first_pixels: (n,) first pixel of the box, row * width + column.
        sides: (n,) side of the box in pixels: one of _SIDES, or _LARGE.
    """

    faces: IntArray
    of_facing: tuple[IntArray, IntArray]
    first_pixels: IntArray
    sides: IntArray

    def largest_counts(self, which: IntArray, counts: CountArray) -> CountArray:
        """Return bounds, not below the largest count in each face's box.

        Args:
            which: (m,) positions in `faces`.
            counts: (H, W).
        """
        first_pixels, sides = self.first_pixels.take(which), self.sides.take(which)
        largest = np.full(len(which), counts.max(), counts.dtype)
        for side in _SIDES:
            those = np.flatnonzero(sides == side)
            largest[those] = counts.take(first_pixels[those])
            if side == _SIDES[-1] or not (sides > side).any():
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
    candidates = np.concatenate(
        [
            _candidates(faces, vertices, slice(start, start + _BLOCK_SIZE)) + start
            for start in range(0, len(faces), _BLOCK_SIZE)
        ]
    )
    count = len(candidates)
    may_be_front, may_be_back = np.empty((2, count), np.bool_)
    first_pixels, sides = np.empty((2, count), np.int64)
    for start in range(0, count, _BLOCK_SIZE):
        block = slice(start, start + _BLOCK_SIZE)
        corners = np.ascontiguousarray(faces.take(candidates[block], axis=0).T)
        boxes = _boxes(corners, vertices)
        np.multiply(boxes.row, vertices.size[0], out=first_pixels[block], dtype=np.int64)
        first_pixels[block] += boxes.column
        sides[block] = boxes.side
        may_be_front[block], may_be_back[block] = _facings(corners, vertices, boxes)
    which = np.flatnonzero(may_be_front | may_be_back)
    fronts, backs = (np.flatnonzero(may.take(which)) for may in (may_be_front, may_be_back))
    return VisibleFaces(
        candidates.take(which), (fronts, backs), first_pixels.take(which), sides.take(which)
    )


def share_of_visible_faces(faces: npt.NDArray[np.int32], vertices: ScreenVertices) -> float:
    """Return how many of the faces have a bounding box that may hold a pixel center, 0 to 1."""
    return len(_candidates(faces, vertices, slice(None))) / len(faces)


def _candidates(faces: npt.NDArray[np.int32], vertices: ScreenVertices, block: slice) -> IntArray:
    """Return the faces of a block, counted within, whose bounding box may hold a pixel center."""
    corners = faces[block]
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
    return np.flatnonzero(holds)


@dataclass(frozen=True)
class _Boxes:
    """First column, first row and side, (n,) each, of the boxes of faces."""

    column: npt.NDArray[np.uint32]
    row: npt.NDArray[np.uint32]
    side: IntArray


def _boxes(corners: npt.NDArray[np.int32], vertices: ScreenVertices) -> _Boxes:
    """Return the boxes of faces with corners (3, n)."""
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
    return _Boxes(first[0], first[1], sides)


def _is_uncertain(corners: npt.NDArray[np.int32], outcodes: npt.NDArray[np.uint8]) -> BoolArray:
    """Return (n,): whether a corner of the face has no position to trust."""
    a, b, c = outcodes.take(corners)
    uncertain: BoolArray = (a | b | c) != 0
    return uncertain


def _facings(
    corners: npt.NDArray[np.int32], vertices: ScreenVertices, boxes: _Boxes
) -> tuple[BoolArray, BoolArray]:
    """Return whether faces may cover a center of their box as front faces, and as back faces."""
    x, y = (axis.take(corners) for axis in vertices.positions)
    area = _cross(x[1] - x[0], y[1] - y[0], x[2] - x[0], y[2] - y[0])
    # Bounds the error of a product of two edges, the ends of which are off by a margin.
    tolerance = np.ptp(x, axis=0) + np.ptp(y, axis=0) + np.float32(2.0 * vertices.margin)
    tolerance *= np.float32(2.0 * vertices.margin)
    if vertices.outcodes is not None:
        tolerance[_is_uncertain(corners, vertices.outcodes)] = np.inf
    # Rows count downward, so counter-clockwise faces have a negative area.
    may_be_front, may_be_back = area <= tolerance, area >= -tolerance
    # The center of a box of one pixel has to be on the inner side of each edge.
    those = np.flatnonzero((boxes.side == 1) & (may_be_front != may_be_back))
    x, y, tolerance = x.take(those, axis=1), y.take(those, axis=1), tolerance.take(those)
    x -= boxes.column.take(those) + np.float32(0.5)
    y -= boxes.row.take(those) + np.float32(0.5)
    inward = np.sign(area.take(those))
    is_outside = np.zeros(len(those), np.bool_)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        is_outside |= inward * _cross(x[a], y[a], x[b], y[b]) < -tolerance
    outside = those[is_outside]
    may_be_front[outside] = may_be_back[outside] = False
    return may_be_front, may_be_back


def _cross(x_a: FloatArray, y_a: FloatArray, x_b: FloatArray, y_b: FloatArray) -> FloatArray:
    area = x_a * y_b
    area -= x_b * y_a
    return area
