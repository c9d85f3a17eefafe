"""Position, normal and barycentric weights where a ray meets a face's plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from .geometry import Floats, View, mesh_arrays


@dataclass(frozen=True)
class Attributes:
    """Attributes of N pairs of (pixel, face), at the exact pixel centers.

    The ray may meet the plane just outside the face; then a weight is negative. All values are NaN
    if ray and plane do not meet.

    Attributes:
        barycentric: (N, 3) weights of the corners in the order of faces[face]; they sum to 1.
        position: (N, 3) world frame.
        normal: (N, 3) unit vectors, world frame, on the counter-clockwise side.
        depth: (N,) camera z.
        altitude: (N,) smallest altitude of the projected face, in pixels; 0 if a corner has z <= 0.
        nearest: (N,) least camera z of the corners.
        farthest: (N,) greatest camera z of the corners.
    """

    barycentric: Floats
    position: Floats
    normal: Floats
    depth: Floats
    altitude: Floats
    nearest: Floats
    farthest: Floats

    @property
    def outside(self) -> Floats:
        """(N,) distance outside the face: the negative weights' sum, as a positive number."""
        return cast(Floats, np.maximum(-self.barycentric, 0).sum(axis=1))


def attributes(
    vertices: npt.ArrayLike,
    faces: npt.ArrayLike,
    view: View,
    pixel: npt.ArrayLike,
    face: npt.ArrayLike,
) -> Attributes:
    """Return the attributes of N pairs of (pixel, face).

    Args:
        vertices: (V, 3) in the world frame.
        faces: (F, 3) indices of vertices.
        view: the camera.
        pixel: (N,) row * width + column.
        face: (N,) index into `faces` of a face whose plane the pixel's ray meets.

    Returns:
        The attributes, pair by pair.
    """
    vertices, faces = mesh_arrays(vertices, faces)
    pixel, face = np.asarray(pixel, np.int64), np.asarray(face, np.int64)
    world = vertices[faces[face]]  # (N, corner, axis)
    rotation, translation = view.camera_from_world[:3, :3], view.camera_from_world[:3, 3]
    corner = np.einsum("ij,nkj->nki", rotation, world) + translation

    # The ray is origin + t * along, in the camera frame.
    row, column = np.divmod(pixel, view.width)
    image = np.stack([column + 0.5, row + 0.5, np.ones(len(pixel))], axis=1)
    at_z_1 = image @ np.linalg.inv(np.asarray(view.K, np.float64)).T
    if view.orthographic:
        origin, along = at_z_1 * (1, 1, 0), np.broadcast_to((0.0, 0.0, 1.0), at_z_1.shape)
    else:
        origin, along = np.zeros_like(at_z_1), at_z_1

    def dot(a: Floats, b: Floats) -> Floats:
        product: Floats = (a * b).sum(axis=-1)
        return product

    # Cramer's rule for corner 0 + b1 e1 + b2 e2 = origin + t along.
    e1, e2, back = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0], origin - corner[:, 0]
    with np.errstate(all="ignore"):
        determinant = dot(e1, np.cross(along, e2))
        b1 = dot(back, np.cross(along, e2)) / determinant
        b2 = dot(along, np.cross(back, e1)) / determinant
        b1, b2 = (np.where(np.isfinite(b1) & np.isfinite(b2), b, np.nan) for b in (b1, b2))

        edge1, edge2 = world[:, 1] - world[:, 0], world[:, 2] - world[:, 0]
        # Scale edges to about 1: products of tiny or huge edges leave float64's range.
        size = np.abs(np.stack([edge1, edge2])).max(axis=(0, 2))[:, None]
        normal = np.cross(edge1 / size, edge2 / size)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)

        z = corner[..., 2]
        w = np.ones_like(z) if view.orthographic else z
        homogeneous = np.stack([*np.moveaxis(corner[..., :2], -1, 0), w], axis=-1)
        projected = homogeneous @ np.asarray(view.K, np.float64).T
        projected = projected[..., :2] / projected[..., 2:]
        sides = projected - np.roll(projected, 1, axis=1)
        area = np.abs(sides[:, 1, 0] * sides[:, 2, 1] - sides[:, 1, 1] * sides[:, 2, 0])
        longest = np.linalg.norm(sides, axis=2).max(axis=1)
        altitude = np.where((z > 0).all(axis=1) & (longest > 0), area / longest, 0.0)

    return Attributes(
        barycentric=np.stack([1 - b1 - b2, b1, b2], axis=1),
        position=world[:, 0] + b1[:, None] * edge1 + b2[:, None] * edge2,
        normal=normal,
        depth=z[:, 0] + b1 * (z[:, 1] - z[:, 0]) + b2 * (z[:, 2] - z[:, 0]),
        altitude=altitude,
        nearest=z.min(axis=1),
        farthest=z.max(axis=1),
    )
