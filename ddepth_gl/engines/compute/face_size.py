"""An upper bound on the size of a mesh's faces in an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..scene import Scene
from .camera_block import SUBPIXELS

__all__ = ["max_face_size"]

_GUARD_BAND = 2.0**23  # subpixels, as in shaders/include/compute_vertex.glsl


def max_face_size(packed: Any, scene: Scene, is_orthographic: bool, longest_edge: float) -> float:
    """Return an upper bound on the sides of all faces' bounding boxes in an image, pixels.

    The bound is infinite or NaN if a vertex may have no screen position, being behind the camera or
    outside of the guard band. It only knows a sphere around the mesh, so it is some four times too
    large for usual cameras.

    Args:
        packed: the camera, from `packed_camera`.
        scene: of the mesh.
        is_orthographic: whether the camera is.
        longest_edge: of the mesh's faces, local units.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # from absurd cameras
        # From the camera to the local origin, the center of a sphere that holds all vertices.
        offset = -packed["center"]
        radius = 1.01 * scene.radius
        rows = np.stack((packed["image_right"], packed["image_down"]))
        middle = rows @ offset
        nearest = 1.0
        # What an edge that leads away from the camera adds, at the rim of the sphere.
        going_away = 0.0
        if is_orthographic:
            middle += packed["image_origin"][:2]
        else:
            depth = float(packed["view_direction"] @ offset)
            nearest = depth - radius
            if nearest <= 0.0:
                return np.inf
            middle /= depth
            rows -= middle[:, None] * packed["view_direction"]
            going_away = radius / nearest
        slope = float(np.sqrt((rows**2).sum(axis=1).max())) / nearest
        if np.abs(middle).max() + slope * radius > _GUARD_BAND:
            return np.inf
        return slope * longest_edge * (1.0 + going_away) / SUBPIXELS
