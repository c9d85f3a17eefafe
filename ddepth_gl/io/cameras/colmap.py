"""Cameras of COLMAP text models: cameras.txt and images.txt.

Formats: https://colmap.github.io/format.html and https://colmap.github.io/cameras.html
"""

from __future__ import annotations

import math
import reprlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from pyrr import matrix33

from ...camera.camera import Camera
from ...camera.checks import Float64Array, checked_image_size, checked_numbers
from ...errors import CameraError
from .files import locating_errors, read_text
from .image_size import Size, resized_intrinsics

__all__ = ["COLMAP_FILES", "colmap_cameras"]

COLMAP_FILES = ("cameras.txt", "images.txt")
# The models that are a pinhole if their distortion is zero, with their numbers of focal lengths
# and distortion parameters.
PINHOLE_MODELS = {
    "SIMPLE_PINHOLE": (1, 0),
    "PINHOLE": (2, 0),
    "SIMPLE_RADIAL": (1, 1),
    "RADIAL": (1, 2),
    "OPENCV": (2, 4),
    "FULL_OPENCV": (2, 8),
}

Intrinsics = dict[int, tuple[Float64Array, Size]]  # by camera id: K and image size


def colmap_cameras(folder: Path, requested_size: Size | None, max_file_bytes: int) -> list[Camera]:
    """Return the cameras of a COLMAP text model, sorted by image id, with the names of the images.

    Args:
        folder: holds cameras.txt and images.txt.
        requested_size: the image size to scale intrinsics to.
        max_file_bytes: largest size of each file.

    Raises:
        CameraError: a file or line cannot be read; the message names both.
    """
    with np.errstate(all="ignore"):
        intrinsics = _read_intrinsics(folder / "cameras.txt", requested_size, max_file_bytes)
        return _read_images(folder / "images.txt", intrinsics, max_file_bytes)


def _read_intrinsics(path: Path, requested_size: Size | None, max_bytes: int) -> Intrinsics:
    intrinsics: Intrinsics = {}
    with locating_errors(path):
        for number, line in enumerate(read_text(path, max_bytes).split("\n"), start=1):
            if line.strip() and not line.startswith("#"):
                with locating_errors(f"line {number}", "export the model again"):
                    camera_id, K, size = _parse_intrinsics(line)
                    intrinsics[camera_id] = resized_intrinsics(K, size, requested_size)
    return intrinsics


def _read_images(path: Path, intrinsics: Intrinsics, max_bytes: int) -> list[Camera]:
    cameras: dict[int, Camera] = {}
    with locating_errors(path):
        lines = enumerate(read_text(path, max_bytes).split("\n"), start=1)
        for number, line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            fields = line.split(maxsplit=9)  # the name, which is last, may hold spaces
            location = f"line {number} ({fields[-1].strip()!r:.80})"
            with locating_errors(location, "export the model again"):
                image_id, camera_id, pose = _parse_pose(fields)
                if image_id in cameras:
                    raise CameraError(f"image id {image_id} comes twice")
                if camera_id not in intrinsics:
                    raise CameraError(f"camera id {camera_id} is not in cameras.txt")
                K, size = intrinsics[camera_id]
                camera = Camera.from_intrinsics(K, pose, *size)
                name = fields[9].strip() if len(fields) > 9 else ""
                cameras[image_id] = replace(camera, name=name)
                # Otherwise every second image of a file without its empty lines would be skipped.
                points = next(lines, (0, ""))[1].split()
                if len(points) % 3 or (points and not points[-1].lstrip("-").isdigit()):
                    raise CameraError(
                        "is not followed by its line of image points, which may be empty"
                    )
        if not cameras:
            raise CameraError("holds no image; export a model with registered images")
    return [cameras[image_id] for image_id in sorted(cameras)]


def _parse_intrinsics(line: str) -> tuple[int, Float64Array, Size]:
    """Return the camera id, K and image size in a line of cameras.txt."""
    try:
        name, model, *rest = line.split()
        camera_id, width, height, *parameters = int(name), *map(float, rest)
    except ValueError:
        expected = "CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]"
        raise CameraError(f"must be {expected}, not {reprlib.repr(line)}") from None
    if model not in PINHOLE_MODELS:
        raise CameraError(
            f"camera model {model!r:.40} is not a pinhole; run `colmap image_undistorter`"
        )
    focals, distortions = PINHOLE_MODELS[model]
    if len(parameters) != focals + 2 + distortions:
        raise CameraError(
            f"{model} has {focals + 2 + distortions} parameters, not {len(parameters)}"
        )
    distortion = parameters[focals + 2 :]
    if any(distortion):
        raise CameraError(
            f"camera model {model} has distortion {distortion}; run `colmap image_undistorter`"
        )
    if (width, height) != (width // 1, height // 1):
        raise CameraError(f"width and height must be integers of pixels, not {width} and {height}")
    K = np.diag([parameters[0], parameters[focals - 1], 1.0])
    K[:2, 2] = parameters[focals : focals + 2]
    return camera_id, K, checked_image_size(int(width), int(height))


def _parse_pose(fields: list[str]) -> tuple[int, int, Float64Array]:
    """Return the image id, camera id and (3, 4) camera_from_world in a line of images.txt."""
    try:
        image_id, camera_id = int(fields[0]), int(fields[8])
        numbers = [float(field) for field in fields[1:8]]
    except (IndexError, ValueError):
        raise CameraError("must be IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME") from None
    quaternion = checked_numbers("quaternion", numbers[:4], (4,))
    length = float(np.linalg.norm(quaternion))
    if not 1e-9 < length < math.inf:
        raise CameraError(f"quaternion {quaternion.tolist()} cannot be normalized")
    # pyrr's order is (x, y, z, w). Unlike pyrr's other matrices, this one multiplies columns.
    rotation = matrix33.create_from_quaternion(np.roll(quaternion / length, -1), dtype=np.float64)
    return image_id, camera_id, np.column_stack([rotation, numbers[4:]])
