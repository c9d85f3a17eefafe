"""Cameras of BOP's scene_camera.json.

Format: https://github.com/thodan/bop_toolkit/blob/master/docs/bop_datasets_format.md
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...camera.camera import Camera
from ...camera.checks import Float64Array, checked_numbers
from ...errors import CameraError
from .files import locating_errors
from .image_size import PASS_SIZE, Size, resized_intrinsics

__all__ = ["bop_cameras"]


def bop_cameras(
    document: dict[str, Any], calibrated_size: Size | None, requested_size: Size | None
) -> list[Camera]:
    """Return the cameras of a scene_camera.json, sorted by image id, which is their name.

    Args:
        document: the JSON object; its keys are image ids.
        calibrated_size: the image size that the intrinsics are for.
        requested_size: the image size to scale intrinsics to. It also stands in for a missing
            `calibrated_size`.

    Raises:
        CameraError: an image has a missing or invalid value; the message names the image.
    """
    calibrated_size = calibrated_size or requested_size
    if calibrated_size is None:
        raise CameraError(f"no image size in the file, nor in a camera.json beside it; {PASS_SIZE}")
    cameras = []
    for image_id in sorted(document, key=int):
        values = document[image_id]
        with locating_errors(f"image {image_id}", "correct or remove this image"):
            if not isinstance(values, dict) or "cam_K" not in values:
                raise CameraError("lacks 'cam_K'")
            if ("cam_R_w2c" in values) != ("cam_t_w2c" in values):
                raise CameraError("has one of 'cam_R_w2c' and 'cam_t_w2c' without the other")
            K: Float64Array = checked_numbers("cam_K", values["cam_K"], (9,)).reshape(3, 3)
            K[:2, 2] += 0.5  # BOP's pixel centers are at integers
            pose = np.eye(3, 4)
            if "cam_R_w2c" in values:
                pose[:, :3] = checked_numbers("cam_R_w2c", values["cam_R_w2c"], (9,)).reshape(3, 3)
                pose[:, 3] = checked_numbers("cam_t_w2c", values["cam_t_w2c"], (3,))
            K, size = resized_intrinsics(K, calibrated_size, requested_size)
            camera = Camera.from_intrinsics(K, pose, *size)
            cameras.append(replace(camera, name=image_id))
    return cameras
