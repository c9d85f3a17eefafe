"""The uniforms of programs that compute what a surface looks like where rays meet known faces."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ..scene import Scene
from .local_camera import local_camera
from .mesh_tables import LINEAR_OF_SRGB

__all__ = ["surface_uniforms"]


def surface_uniforms(
    scene: Scene, camera: Camera, **more: npt.ArrayLike
) -> dict[str, npt.NDArray[Any]]:
    """Return the uniforms of ray_hit.glsl and light.glsl, and the sRGB table.

    Args:
        scene: Scene to render.
        camera: Camera of the image.
        more: further uniforms of the program, in double precision.
    """
    local = local_camera(scene, camera)
    double = {
        "camera_center": local.center,
        "image_right": local.image_from_offset[0],
        "image_down": local.image_from_offset[1],
        "view_direction": local.view_direction,
        "image_origin": local.image_origin,
        **more,
    }
    return {
        **{name: np.ascontiguousarray(value, dtype=np.float64) for name, value in double.items()},
        "image_up": np.ascontiguousarray(-camera.camera_from_world[1, :3], dtype=np.float32),
        "linear_of_srgb": LINEAR_OF_SRGB,
    }
