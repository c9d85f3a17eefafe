"""Cameras of BOP's scene_camera.json.

Format: https://github.com/thodan/bop_toolkit/blob/master/docs/bop_datasets_format.md
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..._checks import shown
from ...camera.camera import Camera
from ...camera.checks import Float64Array, checked_numbers
from ...errors import CameraError
from .bop_size import BopSizes
from .files import locating_errors
from .image_size import PASS_SIZE, Size, resized_intrinsics

__all__ = ["bop_cameras"]


def bop_cameras(
    document: dict[str, Any], path: Path, requested_size: Size | None, max_file_bytes: int
) -> list[Camera]:
    """Return the cameras of a scene_camera.json, sorted by image id, which is their name.

    Args:
        document: the JSON object; its keys are image ids.
        path: of the file. Images and a camera.json are looked for from here.
        requested_size: the image size to scale intrinsics to. It also stands in for a missing one.
        max_file_bytes: largest size of a camera.json.

    Raises:
        CameraError: an image has a missing or invalid value; the message names the image.
    """
    sizes = BopSizes(path, max_file_bytes)
    cameras = []
    for image_id in sorted(document, key=int):
        values = document[image_id]
        with locating_errors(f"image {image_id}", "correct or remove this image"):
            if isinstance(values, dict) and "cam_model" in values:
                raise CameraError(
                    f"'cam_model' is {_model_name(values['cam_model'])}, not a pinhole; undistort "
                    "the images first, and give their 'cam_K'"
                )
            if not isinstance(values, dict) or "cam_K" not in values:
                raise CameraError("lacks 'cam_K'")
            if ("cam_R_w2c" in values) != ("cam_t_w2c" in values):
                raise CameraError("has one of 'cam_R_w2c' and 'cam_t_w2c' without the other")
            K: Float64Array = checked_numbers("cam_K", values["cam_K"], (9,), (3, 3)).reshape(3, 3)
            K[:2, 2] += 0.5  # BOP's pixel centers are at integers
            pose = np.eye(3, 4)
            if "cam_R_w2c" in values:
                rotation = checked_numbers("cam_R_w2c", values["cam_R_w2c"], (9,), (3, 3))
                translation = checked_numbers("cam_t_w2c", values["cam_t_w2c"], (3,), (3, 1))
                pose[:, :3], pose[:, 3] = rotation.reshape(3, 3), translation.ravel()
            calibrated_size = sizes.of_image(image_id) or sizes.of_sensor or requested_size
            if calibrated_size is None:
                raise CameraError(
                    "no image size: there is no image, nor a camera.json beside the file or in the "
                    f"root of the data set; {PASS_SIZE}"
                )
            K, size = resized_intrinsics(K, calibrated_size, requested_size)
            camera = Camera.from_intrinsics(K, pose, *size)
            cameras.append(replace(camera, name=image_id))
    return cameras


def _model_name(model: Any) -> str:
    return shown(model.get("projection_model_type") if isinstance(model, dict) else model)
