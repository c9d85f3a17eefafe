"""Upper bounds on the size of a mesh's faces in images."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..scene import Scene
from .camera_block import SUBPIXELS

__all__ = ["max_face_sizes"]

_GUARD_BAND = 2.0**23  # subpixels, as in shaders/include/compute_vertex.glsl


def max_face_sizes(
    packed: npt.NDArray[Any], scene: Scene, is_orthographic: bool, longest_edge: float
) -> npt.NDArray[np.float64]:
    """Return upper bounds on the sides of all faces' bounding boxes in some images, pixels.

    A bound is infinite or NaN if a vertex may have no screen position, being behind the camera or
    outside of the guard band. It only knows a sphere around the mesh, so it is some four times too
    large for usual cameras.

    Args:
        packed: (n,) cameras, from `packed_cameras`.
        scene: of the mesh.
        is_orthographic: whether the cameras are.
        longest_edge: of the mesh's faces, local units.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # from absurd cameras
        # From the cameras to the local origin, the center of a sphere that holds all vertices.
        offset = -packed["center"]
        radius = 1.01 * scene.radius
        rows = np.stack((packed["image_right"], packed["image_down"]), axis=1)
        middle = (rows @ offset[:, :, None])[..., 0]
        nearest = np.ones(len(packed))
        # What an edge that leads away from the camera adds, at the rim of the sphere.
        going_away = np.zeros(len(packed))
        if is_orthographic:
            middle += packed["image_origin"][:, :2]
        else:
            depth = (packed["view_direction"] * offset).sum(axis=1)
            nearest = depth - radius
            middle /= depth[:, None]
            rows -= middle[:, :, None] * packed["view_direction"][:, None]
            going_away = radius / nearest
        slope = np.sqrt((rows**2).sum(axis=2).max(axis=1)) / nearest
        is_outside = np.abs(middle).max(axis=1) + slope * radius > _GUARD_BAND
        sizes: npt.NDArray[np.float64] = slope * longest_edge * (1.0 + going_away) / SUBPIXELS
        sizes[is_outside | (nearest <= 0.0)] = np.inf
        return sizes
