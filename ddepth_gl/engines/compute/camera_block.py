"""The uniform block of cameras that all compute shaders of the rasterizer read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ..request import SheetRequest
from ..scene import Scene
from ..shared.local_camera import local_cameras

__all__ = ["CAMERA", "SUBPIXELS", "VECTORS", "packed_cameras"]

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


def packed_cameras(
    scene: Scene, cameras: Sequence[Camera], request: SheetRequest, band: tuple[int, int]
) -> npt.NDArray[Any]:
    """Return (n,) CAMERA: cameras and what the shaders know of their images.

    Args:
        scene: defines the local frame.
        cameras: of the images; of one size, and all perspective or all orthographic.
        request: of the images; its crop and `beside_a_face` count.
        band: rows to render, the first and the one after the last.
    """
    local = local_cameras(scene, cameras)
    packed = np.zeros(len(cameras), CAMERA)
    packed["center"] = local.center
    image_rows = SUBPIXELS * local.image_from_offset
    packed["image_right"], packed["image_down"] = image_rows[:, 0], image_rows[:, 1]
    packed["view_direction"] = local.view_direction
    packed["image_origin"][:, :2] = SUBPIXELS * local.image_origin
    for row, name in enumerate(("ray_right", "ray_down", "ray_origin")):
        packed[name] = local.rays[:, row]
    packed["ray_direction"] = local.ray_direction
    packed["image_size"] = cameras[0].width, cameras[0].height
    packed["band"] = band
    with np.errstate(over="ignore"):  # a limit beyond float32 becomes infinite, as it should
        packed["crop"] = np.array(request.crop or (0.0, np.inf))
    packed["local_unit"] = scene.step
    packed["column_bits"] = cameras[0].width.bit_length()
    if request.beside_a_face:
        # Errors of the pose, of the center that follows from it, and of offsets from the center.
        for index, camera in enumerate(cameras):
            pose, center = (
                float(np.linalg.norm(v))
                for v in (camera.camera_from_world[:3, 3], local.center[index])
            )
            largest = max(pose / scene.step, center, scene.radius)
            packed["rounding_error"][index] = _ROUNDING * largest
    return packed
