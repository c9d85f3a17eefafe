"""The uniform block of cameras that all compute shaders of the rasterizer read."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...camera.camera import Camera
from ..request import SheetRequest
from ..scene import Scene
from ..shared.local_camera import local_camera

__all__ = ["CAMERA", "SUBPIXELS", "VECTORS", "packed_camera"]

SUBPIXELS = 256  # per pixel, along each side
_ROUNDING = 2.0**-47  # relative error of positions in double precision, after several operations

# Three doubles each, or as many pairs of floats.
VECTORS = (
    "center", "image_right", "image_down", "view_direction", "image_origin",
    "ray_right", "ray_down", "ray_origin", "ray_direction",
)  # fmt: skip

# The struct Camera of shaders/include/compute_camera.glsl, in the layout std140.
CAMERA = np.dtype(
    {
        "names": [
            *VECTORS,
            *("image_size", "band", "crop", "local_unit", "column_bits", "rounding_error"),
        ],
        "formats": [*["3f8"] * len(VECTORS), "2i4", "2i4", "2f4", "f4", "i4", "f8"],
        "offsets": [*range(0, 32 * len(VECTORS), 32), 280, 288, 296, 304, 308, 312],
        "itemsize": 320,
    }
)


def packed_camera(
    scene: Scene, camera: Camera, request: SheetRequest, band: tuple[int, int]
) -> Any:
    """Return a camera and what the shaders know of its image, as a CAMERA.

    Args:
        scene: defines the local frame.
        camera: of the image.
        request: of the image; its crop and `beside_a_face` count.
        band: rows to render, the first and the one after the last.
    """
    local = local_camera(scene, camera)
    packed = np.zeros((), CAMERA)
    packed["center"] = local.center
    packed["image_right"], packed["image_down"] = SUBPIXELS * local.image_from_offset
    packed["view_direction"] = local.view_direction
    packed["image_origin"][:2] = SUBPIXELS * local.image_origin
    packed["ray_right"], packed["ray_down"], packed["ray_origin"] = local.rays
    packed["ray_direction"] = local.ray_direction
    packed["image_size"] = camera.width, camera.height
    packed["band"] = band
    with np.errstate(over="ignore"):  # a limit beyond float32 becomes infinite, as it should
        packed["crop"] = np.array(request.crop or (0.0, np.inf))
    packed["local_unit"] = scene.step
    packed["column_bits"] = camera.width.bit_length()
    if request.beside_a_face:
        # Errors of the pose, of the center that follows from it, and of offsets from the center.
        pose, center = (
            float(np.linalg.norm(v)) for v in (camera.camera_from_world[:3, 3], local.center)
        )
        packed["rounding_error"] = _ROUNDING * max(pose / scene.step, center, scene.radius)
    return packed
