"""Distance from a point to the nearest face of a mesh, without computing it for most faces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .mesh import Mesh

__all__ = ["FaceDistance"]

Float64Array = npt.NDArray[np.float64]

# Faces are grouped into blocks of neighbors: about so many faces per block, within these limits on
# the number of blocks. More blocks make the first step of a query slower and the second faster.
_FACES_PER_BLOCK, _MIN_BLOCKS, _MAX_BLOCKS = 64, 256, 4096
# The Hilbert curve that orders the faces jumps across holes in the mesh. A block ends where the
# curve jumps by more than this fraction of the longest side of the bounding box.
_MAX_JUMP = 2.0**-5
# `may_be_within` computes distances for at most so many faces.
_MAX_FACES_PER_QUERY = 1024
# Faces processed together in the constructor. Bounds its memory, and stays in the cache.
_FACES_PER_CHUNK = 1 << 15
_CURVE_BITS = 10  # per coordinate: a position on the curve, three times as long, fits into 32 bits


class FaceDistance:
    """Bounding boxes around blocks of neighboring faces; queries skip blocks that are far away.

    Args:
        mesh: the mesh whose faces are searched.
    """

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        count = len(mesh.faces)
        # Centers of the faces, scaled so that the bounding box fits into the unit cube.
        centers = np.empty((count, 3), np.float32)
        curve_index = np.empty(count, np.uint32)
        low, high = mesh.bounds
        side = max(float((high - low).max()), np.finfo(np.float64).tiny)
        for start in range(0, count, _FACES_PER_CHUNK):
            chunk = slice(start, start + _FACES_PER_CHUNK)
            centers[chunk] = (mesh.vertices[mesh.faces[chunk]].mean(axis=1) - low) / side
            curve_index[chunk] = _hilbert_index(centers[chunk])
        self._order = np.argsort(curve_index, kind="stable").astype(np.int32)
        size = -(-count // min(max(count // _FACES_PER_BLOCK, _MIN_BLOCKS), _MAX_BLOCKS))
        jumps = np.abs(np.diff(centers[self._order], axis=0)).max(axis=1, initial=0.0) > _MAX_JUMP
        is_start = np.arange(count) % size == 0
        is_start[1:] |= jumps
        self._starts = np.append(np.flatnonzero(is_start), count)
        self._low, self._high = np.empty((2, 3, len(self._starts) - 1))
        step = max(_FACES_PER_CHUNK // size, 1)
        for first in range(0, len(self._starts) - 1, step):
            last = min(first + step, len(self._starts) - 1)
            corners = self._corners(first, last)
            begins = self._starts[first:last] - self._starts[first]
            self._low[:, first:last] = np.minimum.reduceat(corners.min(axis=1), begins).T
            self._high[:, first:last] = np.maximum.reduceat(corners.max(axis=1), begins).T

    def may_be_within(self, point: Float64Array, limit: float) -> bool:
        """Return False only if every face is farther than `limit`.

        True is exact as well, unless too many faces are near enough to be checked one by one.

        Args:
            point: (3,) world frame.
            limit: distance in mesh units.
        """
        lower_bound = self._lower_bounds(point)
        if lower_bound.min() > limit:
            return False
        blocks = np.flatnonzero(lower_bound <= limit)
        faces = int((self._starts[blocks + 1] - self._starts[blocks]).sum())
        if len(blocks) > 4 and faces > _MAX_FACES_PER_QUERY:
            return True
        distances = (
            _distance_to_origin(self._corners(block, block + 1) - point)
            for block in blocks.tolist()
        )
        return any(distance <= limit for distance in distances)

    def nearest(self, point: Float64Array) -> float:
        """Return the distance of a point, (3,) in the world frame, to the nearest face."""
        lower_bound = self._lower_bounds(point)
        nearest = np.inf
        for block in np.argsort(lower_bound).tolist():
            if lower_bound[block] >= nearest:
                break
            nearest = min(nearest, _distance_to_origin(self._corners(block, block + 1) - point))
        return nearest

    def _lower_bounds(self, point: Float64Array) -> Float64Array:
        """Return (B,) lower bounds on the distance from a point to the faces of each block."""
        column = point[:, None]
        bounds: Float64Array = np.maximum(self._low - column, column - self._high).max(axis=0)
        return bounds

    def _corners(self, first: int, last: int) -> Float64Array:
        """Return (n, 3, 3) corners of the faces in blocks `first` to `last` - 1."""
        faces = self._mesh.faces[self._order[self._starts[first] : self._starts[last]]]
        corners: Float64Array = self._mesh.vertices[faces]
        return corners


def _hilbert_index(points: npt.NDArray[np.float32]) -> npt.NDArray[np.uint32]:
    """Return (n,) positions of points along a Hilbert curve through the unit cube.

    Points with close positions on the curve are close in space. The algorithm is that of
    J. Skilling, "Programming the Hilbert curve", AIP Conference Proceedings 707, 2004.
    """
    axes = (points * np.float32((1 << _CURVE_BITS) - 1)).clip(0).astype(np.uint32).T.copy()
    for bit in reversed(range(1, _CURVE_BITS)):
        lower_bits = np.uint32((1 << bit) - 1)
        for axis in axes:
            is_set = axis >> np.uint32(bit) & np.uint32(1)
            axes[0] ^= is_set * lower_bits
            exchanged = (axes[0] ^ axis) & (lower_bits * (1 - is_set))
            axes[0] ^= exchanged
            axis ^= exchanged
    axes[1] ^= axes[0]
    axes[2] ^= axes[1]
    gray = np.zeros(len(points), np.uint32)
    for bit in reversed(range(1, _CURVE_BITS)):
        gray ^= (axes[2] >> np.uint32(bit) & np.uint32(1)) * np.uint32((1 << bit) - 1)
    axes ^= gray
    index = np.zeros(len(points), np.uint32)
    for bit in reversed(range(_CURVE_BITS)):
        for axis in axes:
            index = index << np.uint32(1) | axis >> np.uint32(bit) & np.uint32(1)
    return index


def _distance_to_origin(corners: Float64Array) -> float:
    """Return the smallest distance from the origin to the faces with these (n, 3, 3) corners."""
    edges = np.roll(corners, -1, axis=1) - corners
    normal = np.cross(edges[:, 0], edges[:, 1])
    # The point of each edge that is nearest to the origin.
    squares = (edges * edges).sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        along = np.nan_to_num(-(corners * edges).sum(axis=2) / squares).clip(0.0, 1.0)
        nearest = float(np.linalg.norm(corners + along[..., None] * edges, axis=2).min())
        # The origin projects into the face if it is on the inner side of all three edges.
        projects_inside = (np.cross(edges, -corners) * normal[:, None]).sum(axis=2).min(
            axis=1
        ) >= 0.0
        height = np.abs((normal * corners[:, 0]).sum(axis=1)) / np.linalg.norm(normal, axis=1)
    return min(nearest, float(height[projects_inside & np.isfinite(height)].min(initial=np.inf)))
