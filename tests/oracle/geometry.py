"""The camera, the checks of a mesh, and the vector arithmetic that the other modules share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

# Depths closer than this, relatively, are one depth: two float64 computations of the same plane.
SAME_DEPTH = 1e-12


@dataclass(frozen=True)
class View:
    """A camera and the range of depths that count.

    Perspective: image = K @ (x, y, z) / z, rays from the camera center. Orthographic: image =
    K @ (x, y, 1), rays from the plane z = 0 along +z. Only crossings with z > 0 count.

    Attributes:
        K: (3, 3) intrinsics, in pixels; pixels per mesh unit if orthographic.
        camera_from_world: (4, 4) rotation and translation to OpenCV axes.
        width: width in pixels.
        height: height in pixels.
        orthographic: whether rays are parallel.
        near: least camera z that counts, mesh units; None for no limit.
        far: greatest camera z that counts, mesh units; None for no limit.
        edge_on: a face that reaches behind the camera counts as edge-on, so that rounding may show
            either side, if its plane is nearer to the camera than this fraction of the face's size.
    """

    K: Floats
    camera_from_world: Floats
    width: int
    height: int
    orthographic: bool = False
    near: float | None = None
    far: float | None = None
    edge_on: float = 1e-6

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width


def mesh_arrays(vertices: npt.ArrayLike, faces: npt.ArrayLike) -> tuple[Floats, Integers]:
    """Return a mesh as (N, 3) float64 and (F, 3) int64; raise ValueError if it is invalid."""
    vertices = np.asarray(vertices, dtype=np.float64).reshape(-1, 3)
    faces = np.asarray(faces, dtype=np.int64).reshape(-1, 3)
    if not np.isfinite(vertices).all():
        raise ValueError("a vertex is not finite")
    if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ValueError(f"faces must hold indices from 0 to {len(vertices) - 1}")
    return vertices, faces


def project(points: Floats, view: View) -> tuple[list[Floats], list[Floats]]:
    """Return `points` (N, 3) in the camera frame and as homogeneous image coordinates.

    Each is three (N,) arrays. They are computed as sums, not as matrix products, because equal
    points must yield equal bits wherever they stand in the array. Then the sign of a shared edge is
    exactly opposite for the two faces that share it.
    """
    K, M = np.asarray(view.K, np.float64), np.asarray(view.camera_from_world, np.float64)
    if K.shape != (3, 3) or M.shape != (4, 4) or not np.array_equal(K[2], (0, 0, 1)):
        raise ValueError("K must be (3, 3) with last row 0 0 1, and camera_from_world (4, 4)")
    px, py, pz = points.T
    x, y, z = (M[i, 0] * px + M[i, 1] * py + M[i, 2] * pz + M[i, 3] for i in range(3))
    w = np.ones_like(z) if view.orthographic else z
    X = K[0, 0] * x + K[0, 1] * y + K[0, 2] * w
    Y = K[1, 0] * x + K[1, 1] * y + K[1, 2] * w
    return [x, y, z], [X, Y, w]


def cross(a: Sequence[Floats], b: Sequence[Floats]) -> list[Floats]:
    """Return the cross product of two triples of arrays."""
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def norm(a: Sequence[Floats]) -> Floats:
    """Return the length of a triple of arrays."""
    return cast(Floats, np.sqrt(sum(component * component for component in a)))
