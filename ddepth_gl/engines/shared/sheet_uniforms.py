"""Uniforms of sheet.vert and of its fragment shaders: camera, depth range and crop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ..request import SheetRequest
from ..scene import Scene
from .local_camera import local_camera

__all__ = ["sheet_uniforms"]

# Depth of the near clipping plane, as a fraction of the mesh's farthest depth. It is nearer than
# any depth that matters. At 0, clipped corners would have no screen position.
_NEAR_FRACTION = 2.0**-60


def sheet_uniforms(
    scene: Scene, camera: Camera, request: SheetRequest
) -> dict[str, npt.NDArray[np.floating[Any]]]:
    """Return the uniforms of an image by name: float64 for the planes of faces, else float32."""
    local = local_camera(scene, camera)
    farthest = max(scene.depth_range(camera)[1] / scene.step, 1e-6)
    window_range = 2.0 ** math.ceil(math.log2(farthest))
    # Clip z serves only to clip faces in front of the camera: at depth `near`, or at 0.
    near = farthest * _NEAR_FRACTION
    depth_row = (
        (0.0, 0.0, 1.0 / farthest, -1.0) if camera.is_orthographic else (0.0, 0.0, 0.0, -near)
    )
    clip_from_camera = camera.projection(depth_row)
    if camera.is_orthographic:
        # K is per mesh unit; in perspective the unit cancels.
        clip_from_camera[:2, :3] *= scene.step
    single = {
        # OpenGL reads matrices by columns.
        "clip_from_local": (clip_from_camera[:, :3] @ camera.camera_from_world[:3, :3]).T,
        "clip_offset": clip_from_camera[:, 3],
        "mesh_units": scene.step,
        "window_scale": 1.0 / window_range,
    }
    if request.crop is not None:
        single["crop"] = request.crop
    double = {
        "camera_center": local.center,
        "view_direction": local.view_direction,
        "ray_right": local.rays[0],
        "ray_down": local.rays[1],
        "ray_origin": local.rays[2],
        "ray_direction": local.ray_direction,
    }
    if scene.mesh.alpha_cutoff is not None:
        double["image_right"], double["image_down"] = local.image_from_offset
        double["image_origin"] = local.image_origin
    uniforms: dict[str, npt.NDArray[np.floating[Any]]] = {}
    with np.errstate(over="ignore"):  # a crop beyond float32 becomes infinite, as intended
        for name, value in single.items():
            uniforms[name] = np.ascontiguousarray(value, dtype=np.float32)
    for name, vector in double.items():
        uniforms[name] = np.ascontiguousarray(vector, dtype=np.float64)
    return uniforms
