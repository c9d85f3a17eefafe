"""Distance from a point to the nearest face of a mesh, found without looking at most of the faces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .mesh import Mesh

__all__ = ["FaceDistance"]

Float64Array = npt.NDArray[np.float64]

# Blocks of neighboring faces, at most. Twice as many cost a query twice as much in the first step and half
# as much in the second.
_BLOCKS = 4096
# Faces looked at together while the blocks are made: bounds the memory needed for it.
_FACES_AT_A_TIME = 1 << 16
_CURVE_BITS = 10  # of each coordinate; `_spread` has room for so many


class FaceDistance:
    """Boxes around blocks of neighboring faces; a query looks only into the blocks near its point.

    Args:
        mesh: whose faces.
    """

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._order = _along_curve(mesh)
        count = len(self._order)
        self._size = -(-count // _BLOCKS)
        starts = np.arange(0, count, self._size)
        self._low, self._high = np.empty((2, 3, len(starts)))
        step = max(_FACES_AT_A_TIME // self._size, 1)
        for first in range(0, len(starts), step):
            blocks = slice(first, first + step)
            begin = int(starts[first])
            corners = self._corners(slice(begin, begin + step * self._size))
            within = starts[blocks] - begin
            self._low[:, blocks] = np.minimum.reduceat(corners.min(axis=1), within, axis=0).T
            self._high[:, blocks] = np.maximum.reduceat(corners.max(axis=1), within, axis=0).T

    def within(self, point: Float64Array, limit: float) -> float:
        """Return the distance to the nearest face; infinity if it is more than `limit`.

        Args:
            point: (3,) world frame.
            limit: mesh units.
        """
        beside = np.maximum(self._low - point[:, None], point[:, None] - self._high).max(axis=0) <= limit
        nearest = np.inf
        for block in np.flatnonzero(beside):
            start = int(block) * self._size
            corners = self._corners(slice(start, start + self._size)) - point
            nearest = min(nearest, _distance_to_origin(corners))
        return nearest if nearest <= limit else np.inf

    def _corners(self, part: slice) -> Float64Array:
        """(n, 3, 3) corners of some faces, in the order of the blocks."""
        corners: Float64Array = self._mesh.vertices[self._mesh.faces[self._order[part]]]
        return corners


def _along_curve(mesh: Mesh) -> npt.NDArray[np.int32]:
    """(F,) the faces along a Z-order curve (Morton 1966): neighbors in the list are neighbors in space."""
    low, high = mesh.bounds
    scale = ((1 << _CURVE_BITS) - 1) / max(float((high - low).max()), np.finfo(np.float64).tiny)
    codes = np.empty(len(mesh.faces), np.uint32)
    for start in range(0, len(codes), _FACES_AT_A_TIME):
        some = slice(start, start + _FACES_AT_A_TIME)
        middle = mesh.vertices[mesh.faces[some]].mean(axis=1)
        x, y, z = ((middle - low) * scale).astype(np.uint32).T
        codes[some] = _spread(x) | _spread(y) << np.uint32(1) | _spread(z) << np.uint32(2)
    return np.argsort(codes, kind="stable").astype(np.int32)


def _spread(number: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """_CURVE_BITS bits, each followed by two zeros."""
    for shift, kept in ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249)):
        number = (number | number << np.uint32(shift)) & np.uint32(kept)
    return number


def _distance_to_origin(corners: Float64Array) -> float:
    """The least distance of faces, given by the (n, 3, 3) positions of their corners, to the origin."""
    edges = np.roll(corners, -1, axis=1) - corners
    normal = np.cross(edges[:, 0], edges[:, 1])
    # Of the points of each edge the nearest to the origin.
    squares = (edges * edges).sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.nan_to_num(-(corners * edges).sum(axis=2) / squares).clip(0.0, 1.0)
        nearest = float(np.linalg.norm(corners + part[..., None] * edges, axis=2).min())
        # The origin's foot on the plane lies in the face if it is on the inner side of all three edges.
        inner = (np.cross(edges, -corners) * normal[:, None]).sum(axis=2).min(axis=1) >= 0.0
        above = np.abs((normal * corners[:, 0]).sum(axis=1)) / np.linalg.norm(normal, axis=1)
    return min(nearest, float(above[inner & np.isfinite(above)].min(initial=np.inf)))
