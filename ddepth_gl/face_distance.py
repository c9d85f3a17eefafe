"""Distance from a point to the nearest face of a mesh, found without looking at most of the faces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .mesh import Mesh

__all__ = ["FaceDistance"]

Float64Array = npt.NDArray[np.float64]

# Blocks of neighboring faces, at most. More cost a query more in its first step and less in the second.
_BLOCKS = 4096
# Faces looked at together while the blocks are made: bounds the memory needed for it, and stays in the cache.
_FACES_AT_A_TIME = 1 << 15
_CURVE_BITS = 10  # of each coordinate; three of them have to fit into 32 bits


class FaceDistance:
    """Boxes around blocks of neighboring faces; a query looks only into the blocks near its point.

    Args:
        mesh: whose faces.
    """

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        count = len(mesh.faces)
        places = np.empty(count, np.uint32)
        for start in range(0, count, _FACES_AT_A_TIME):
            some = slice(start, start + _FACES_AT_A_TIME)
            places[some] = _places_on_curve(mesh.vertices[mesh.faces[some]].mean(axis=1), mesh.bounds)
        self._order = np.argsort(places, kind="stable").astype(np.int32)
        self._size = -(-count // _BLOCKS)
        self._low, self._high = np.empty((2, 3, -(-count // self._size)))
        step = max(_FACES_AT_A_TIME // self._size, 1)
        for first in range(0, self._low.shape[1], step):
            blocks = slice(first, first + step)
            corners = self._corners(first, first + step)
            starts = np.arange(0, len(corners), self._size)
            self._low[:, blocks] = np.minimum.reduceat(corners.min(axis=1), starts).T
            self._high[:, blocks] = np.maximum.reduceat(corners.max(axis=1), starts).T

    def within(self, point: Float64Array, limit: float) -> float:
        """Return the distance to the nearest face; infinity if it is more than `limit`.

        Args:
            point: (3,) world frame.
            limit: mesh units.
        """
        column = point[:, None]
        at_least = np.maximum(self._low - column, column - self._high).max(axis=0)
        nearest = np.inf
        if at_least.min() > limit:
            return nearest
        blocks = np.flatnonzero(at_least <= limit)
        for block in blocks[np.argsort(at_least[blocks])].tolist():
            if at_least[block] >= nearest:
                break
            nearest = min(nearest, _distance_to_origin(self._corners(block, block + 1) - point))
        return nearest if nearest <= limit else np.inf

    def _corners(self, first: int, last: int) -> Float64Array:
        """(n, 3, 3) corners of the faces of some blocks, from the first up to, not including, the last."""
        faces = self._mesh.faces[self._order[first * self._size : last * self._size]]
        corners: Float64Array = self._mesh.vertices[faces]
        return corners


def _places_on_curve(points: Float64Array, bounds: Float64Array) -> npt.NDArray[np.uint32]:
    """(n,) where on a Hilbert curve through the box `bounds` points lie: neighbors there are near in space.

    J. Skilling, "Programming the Hilbert curve", AIP Conference Proceedings 707, 2004.
    """
    low, high = bounds
    scale = ((1 << _CURVE_BITS) - 1) / max(float((high - low).max()), np.finfo(np.float64).tiny)
    axes = ((points - low) * scale).astype(np.uint32).T.copy()
    for bit in reversed(range(1, _CURVE_BITS)):
        below = np.uint32((1 << bit) - 1)
        for axis in axes:
            is_set = axis >> np.uint32(bit) & np.uint32(1)
            axes[0] ^= is_set * below
            exchanged = (axes[0] ^ axis) & (below * (1 - is_set))
            axes[0] ^= exchanged
            axis ^= exchanged
    axes[1] ^= axes[0]
    axes[2] ^= axes[1]
    gray = np.zeros(len(points), np.uint32)
    for bit in reversed(range(1, _CURVE_BITS)):
        gray ^= (axes[2] >> np.uint32(bit) & np.uint32(1)) * np.uint32((1 << bit) - 1)
    axes ^= gray
    places = np.zeros(len(points), np.uint32)
    for bit in reversed(range(_CURVE_BITS)):
        for axis in axes:
            places = places << np.uint32(1) | axis >> np.uint32(bit) & np.uint32(1)
    return places


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
