"""COLMAP's cameras and images, as both of its file formats hold them.

Camera models: https://colmap.github.io/cameras.html and src/colmap/sensor/models.h
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pyrr import matrix33

from ...camera.camera import Camera
from ...camera.checks import Float64Array, checked_image_size, checked_numbers
from ...errors import CameraError
from .image_size import Size, resized_intrinsics

__all__ = [
    "CAMERA_MODELS",
    "ColmapCamera",
    "ColmapImage",
    "Intrinsics",
    "add_camera",
    "add_image",
    "sorted_cameras",
]

# All camera models in the order of their ids, with their numbers of parameters.
CAMERA_MODELS = {
    "SIMPLE_PINHOLE": 3,
    "PINHOLE": 4,
    "SIMPLE_RADIAL": 4,
    "RADIAL": 5,
    "OPENCV": 8,
    "OPENCV_FISHEYE": 8,
    "FULL_OPENCV": 12,
    "FOV": 5,
    "SIMPLE_RADIAL_FISHEYE": 4,
    "RADIAL_FISHEYE": 5,
    "THIN_PRISM_FISHEYE": 12,
    "RAD_TAN_THIN_PRISM_FISHEYE": 16,
    "SIMPLE_DIVISION": 4,
    "DIVISION": 5,
    "SIMPLE_FISHEYE": 3,
    "FISHEYE": 4,
    "EUCM": 6,
    "EQUIRECTANGULAR": 2,
}
# The models that are a pinhole if their distortion is zero, with their numbers of focal lengths.
# The principal point follows; all other parameters are distortion.
PINHOLE_MODELS = {
    "SIMPLE_PINHOLE": 1,
    "PINHOLE": 2,
    "SIMPLE_RADIAL": 1,
    "RADIAL": 1,
    "OPENCV": 2,
    "FULL_OPENCV": 2,
    "FOV": 2,
    "SIMPLE_DIVISION": 1,
    "DIVISION": 2,
}

Intrinsics = dict[int, tuple[Float64Array, Size]]  # by camera id: K and image size


class ColmapCamera(NamedTuple):
    """An entry of cameras.txt or cameras.bin, unchecked."""

    camera_id: int
    model: str
    width: float
    height: float
    parameters: list[float]


class ColmapImage(NamedTuple):
    """An entry of images.txt or images.bin, unchecked; the pose is camera_from_world."""

    image_id: int
    quaternion: Iterable[float]  # w, x, y, z
    translation: Iterable[float]
    camera_id: int
    name: str


def add_camera(
    intrinsics: Intrinsics, camera: ColmapCamera, folder: Path, requested_size: Size | None
) -> None:
    """Add a camera to a dict by camera id: its K, and its image size.

    Args:
        intrinsics: the dict.
        camera: the camera.
        folder: of the model; the message names it.
        requested_size: the image size to scale intrinsics to.

    Raises:
        CameraError: the camera is not a pinhole without distortion, or is invalid, or its id comes
            twice.
    """
    camera_id, model, width, height, parameters = camera
    if camera_id in intrinsics:
        raise CameraError(f"camera id {camera_id} comes twice")
    undistort = (
        "run `colmap image_undistorter --image_path IMAGES --input_path "
        f"{shlex.quote(str(folder))} --output_path OUT` and load OUT"
    )
    if model not in PINHOLE_MODELS:
        raise CameraError(f"camera model {model!r:.40} is not a pinhole; {undistort}")
    if len(parameters) != CAMERA_MODELS[model]:
        raise CameraError(f"{model} has {CAMERA_MODELS[model]} parameters, not {len(parameters)}")
    focals = PINHOLE_MODELS[model]
    distortion = parameters[focals + 2 :]
    if any(distortion):
        raise CameraError(f"camera model {model} has distortion {distortion}; {undistort}")
    if (width, height) != (width // 1, height // 1):
        raise CameraError(f"width and height must be integers of pixels, not {width} and {height}")
    K = np.diag([parameters[0], parameters[focals - 1], 1.0])
    K[:2, 2] = parameters[focals : focals + 2]
    size = checked_image_size(int(width), int(height))
    intrinsics[camera_id] = resized_intrinsics(K, size, requested_size)


def add_image(
    cameras: dict[int, Camera], image: ColmapImage, intrinsics: Intrinsics, cameras_file: str
) -> None:
    """Add the camera of an image to a dict by image id.

    Raises:
        CameraError: the image is invalid or its id comes twice; or its camera, which
            `cameras_file` should hold, is missing.
    """
    if image.image_id in cameras:
        raise CameraError(f"image id {image.image_id} comes twice")
    if image.camera_id not in intrinsics:
        raise CameraError(f"camera id {image.camera_id} is not in {cameras_file}")
    K, size = intrinsics[image.camera_id]
    cameras[image.image_id] = Camera(K, _pose(image), *size, name=image.name)


def sorted_cameras(cameras: dict[int, Camera]) -> list[Camera]:
    """Return the cameras, sorted by image id.

    Raises:
        CameraError: there is none.
    """
    if not cameras:
        raise CameraError("holds no image; export a model with registered images")
    return [cameras[image_id] for image_id in sorted(cameras)]


def _pose(image: ColmapImage) -> Float64Array:
    """Return the (3, 4) camera_from_world of an image."""
    quaternion = checked_numbers("quaternion", list(image.quaternion), (4,))
    length = float(np.linalg.norm(quaternion))
    if not 1e-9 < length < math.inf:
        raise CameraError(f"quaternion {quaternion.tolist()} cannot be normalized")
    # pyrr's order is (x, y, z, w). Unlike pyrr's other matrices, this one multiplies columns.
    rotation = matrix33.create_from_quaternion(np.roll(quaternion / length, -1), dtype=np.float64)
    return np.column_stack([rotation, list(image.translation)])
