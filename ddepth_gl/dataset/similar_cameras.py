"""Cameras of a mesh that is a scaled, turned and moved copy of what the cameras saw."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..camera.camera import Camera

if TYPE_CHECKING:
    from .normalization import Placement

__all__ = ["camera_of_similar"]


def camera_of_similar(camera: Camera, similarity: Placement) -> Camera:
    """Return the camera whose image of a mesh is that of its similar copy by `camera`.

    Point ``x`` of the mesh is ``scale * rotation @ x + offset`` in the world of `camera`. The image
    is the same; depths are in units of the mesh, 1 / scale of those in the world.
    """
    if similarity.is_identity:
        return camera
    turn, move = camera.camera_from_world[:3, :3], camera.camera_from_world[:3, 3]
    rotation = np.array(similarity.rotation)
    pose = np.eye(4)
    # Sums instead of matrix products, whose rounding depends on the CPU.
    pose[:3, :3] = (turn[:, :, None] * rotation[None]).sum(axis=1)
    pose[:3, 3] = ((turn * similarity.offset).sum(axis=1) + move) / similarity.scale
    K = camera.K.copy()
    if camera.is_orthographic:
        K[:2, :2] *= similarity.scale  # pixels per unit
    return replace(camera, K=K, camera_from_world=pose)
