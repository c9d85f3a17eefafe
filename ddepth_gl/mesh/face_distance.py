"""Distance from a point to the nearest face of a mesh, found without looking at most of the faces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .mesh import Mesh

__all__ = ["FaceDistance"]

Float64Array = npt.NDArray[np.float64]

# Blocks of neighboring faces: so many faces each, but no fewer blocks and no more than these. More blocks
# cost more in the first step of a query and less in the second. The curve that neighbors lie on leaps over
# holes in the mesh; where it leaps by more than this part of the bounding box's longest side, a block ends.
_FACES_IN_BLOCK, _LEAST_BLOCKS, _MOST_BLOCKS = 64, 256, 4096
_LEAP = 2.0**-5
# In the blocks near a point, up to which it pays to look at them.
_MOST_FACES = 1024
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
        middle = np.empty(
            (count, 3), np.float32
        )  # in the bounding box, which becomes a cube of side 1
        places = np.empty(count, np.uint32)
        low, high = mesh.bounds
        side = max(float((high - low).max()), np.finfo(np.float64).tiny)
        for start in range(0, count, _FACES_AT_A_TIME):
            some = slice(start, start + _FACES_AT_A_TIME)
            middle[some] = (mesh.vertices[mesh.faces[some]].mean(axis=1) - low) / side
            places[some] = _places_on_curve(middle[some])
        self._order = np.argsort(places, kind="stable").astype(np.int32)
        size = -(-count // min(max(count // _FACES_IN_BLOCK, _LEAST_BLOCKS), _MOST_BLOCKS))
        leaps = np.abs(np.diff(middle[self._order], axis=0)).max(axis=1, initial=0.0) > _LEAP
        starts = np.arange(count) % size == 0
        starts[1:] |= leaps
        self._starts = np.append(np.flatnonzero(starts), count)
        self._low, self._high = np.empty((2, 3, len(self._starts) - 1))
        step = max(_FACES_AT_A_TIME // size, 1)
        for first in range(0, len(self._starts) - 1, step):
            last = min(first + step, len(self._starts) - 1)
            corners = self._corners(first, last)
            begins = self._starts[first:last] - self._starts[first]
            self._low[:, first:last] = np.minimum.reduceat(corners.min(axis=1), begins).T
            self._high[:, first:last] = np.maximum.reduceat(corners.max(axis=1), begins).T

    def may_be_within(self, point: Float64Array, limit: float) -> bool:
        """Return whether a face is no farther than `limit`; or True if there are too many to look at.

        Args:
            point: (3,) world frame.
            limit: mesh units.
        """
        at_least = self._at_least(point)
        if at_least.min() > limit:
            return False
        blocks = np.flatnonzero(at_least <= limit)
        faces = int((self._starts[blocks + 1] - self._starts[blocks]).sum())
        if len(blocks) > 4 and faces > _MOST_FACES:
            return True
        near = (
            _distance_to_origin(self._corners(block, block + 1) - point)
            for block in blocks.tolist()
        )
        return any(distance <= limit for distance in near)

    def nearest(self, point: Float64Array) -> float:
        """Return the distance of a point, (3,) in the world frame, to the nearest face."""
        at_least = self._at_least(point)
        nearest = np.inf
        for block in np.argsort(at_least).tolist():
            if at_least[block] >= nearest:
                break
            nearest = min(nearest, _distance_to_origin(self._corners(block, block + 1) - point))
        return nearest

    def _at_least(self, point: Float64Array) -> Float64Array:
        """(B,) a bound on the distance to the faces of each block."""
        column = point[:, None]
        at_least: Float64Array = np.maximum(self._low - column, column - self._high).max(axis=0)
        return at_least

    def _corners(self, first: int, last: int) -> Float64Array:
        """(n, 3, 3) corners of the faces of some blocks, from the first up to, not including, the last."""
        faces = self._mesh.faces[self._order[self._starts[first] : self._starts[last]]]
        corners: Float64Array = self._mesh.vertices[faces]
        return corners


def _places_on_curve(points: npt.NDArray[np.float32]) -> npt.NDArray[np.uint32]:
    """(n,) where on a Hilbert curve through the cube of side 1 points lie: neighbors there are near in space.

    J. Skilling, "Programming the Hilbert curve", AIP Conference Proceedings 707, 2004.
    """
    axes = (points * np.float32((1 << _CURVE_BITS) - 1)).clip(0).astype(np.uint32).T.copy()
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
