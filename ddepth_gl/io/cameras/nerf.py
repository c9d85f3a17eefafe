"""Cameras of NeRF-style transforms.json files: NeRF, nerfstudio and instant-ngp.

Formats: https://docs.nerf.studio/quickstart/data_conventions.html and
https://github.com/NVlabs/instant-ngp/blob/master/docs/nerf_dataset_tips.md
Keys of instant-ngp have the meaning that its loader, src/nerf_loader.cu, gives them.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...camera.camera import Camera
from ...camera.checks import Float64Array, checked_pose
from ...camera.placement import inverse_pose, opengl_from_pose, pose_from_opengl
from ...errors import CameraError, OutputError
from .files import json_number, locating_errors
from .image_size import PASS_SIZE, Size, json_size, resized_intrinsics

__all__ = ["nerf_cameras", "nerf_document"]

# Models of COLMAP that nerfstudio names; without distortion they are pinholes.
PINHOLE_MODELS = (
    "PINHOLE",
    "SIMPLE_PINHOLE",
    "SIMPLE_RADIAL",
    "RADIAL",
    "OPENCV",
    "FULL_OPENCV",
)
DISTORTION_KEYS = (
    "k1",
    "k2",
    "k3",
    "k4",
    "k5",
    "k6",
    "p1",
    "p2",
    "is_fisheye",
    "distortion_params",
)
UNDISTORT = (
    "undistort the images first: `colmap image_undistorter --image_path IMAGES --input_path MODEL "
    "--output_path OUT` with the COLMAP model of these images, and load OUT"
)
PANORAMAS = ("equirectangular", "latlong")
CUT = (
    "instead of undistorting the images, cut them into perspective ones: "
    "`ns-process-data images --camera-type equirectangular`"
)
ORTHOGRAPHIC = "use Camera.orthographic with the extent of the image"
OTHER = "undistort the images first, with the program that they come from"
# `nerf_document` adds this matrix to a frame, because inverting `transform_matrix` rounds.
POSE_KEY = "camera_from_world"
# Largest relative difference of the two matrices of a frame that is rounding.
POSE_TOLERANCE = 1e-12


def nerf_cameras(document: dict[str, Any], requested_size: Size | None) -> list[Camera]:
    """Return the cameras of a transforms.json, in the order of its frames.

    Args:
        document: the JSON object; has `frames`.
        requested_size: the image size to scale intrinsics to. It also stands in for a missing one.

    Raises:
        CameraError: a frame has a missing or invalid value; the message names the frame.
    """
    frames = document["frames"]
    if not isinstance(frames, list) or not frames:
        raise CameraError(
            f"'frames' must be a list of at least one frame, not {reprlib.repr(frames)}"
        )
    document = _without_nulls(document)
    is_mitsuba = bool(document.get("from_mitsuba", "normal_mts_args" in document))
    cameras = []
    for index, frame in enumerate(frames):
        name = frame.get("file_path") if isinstance(frame, dict) else None
        location = f"frame {index} ({name!r:.80})" if isinstance(name, str) else f"frame {index}"
        with locating_errors(location, "correct or remove this frame"):
            if not isinstance(frame, dict):
                raise CameraError("lacks 'transform_matrix'")
            frame = _at_rest(_without_nulls(frame))
            if "transform_matrix" not in frame:
                raise CameraError("lacks 'transform_matrix'")
            K, size = _intrinsics(frame, document, requested_size)
            with locating_errors("transform_matrix"):
                pose = _pose(frame, is_mitsuba)
            camera = Camera.from_intrinsics(K, pose, *size)
            cameras.append(replace(camera, name=name) if isinstance(name, str) else camera)
    return cameras


def nerf_document(cameras: Sequence[Camera]) -> dict[str, Any]:
    """Return the transforms.json of cameras, the JSON object that `nerf_cameras` reads.

    Raises:
        OutputError: a camera is orthographic or has skew, which the format cannot hold.
    """
    return {
        "camera_model": "PINHOLE",
        "frames": [_frame(index, camera) for index, camera in enumerate(cameras)],
    }


def _frame(index: int, camera: Camera) -> dict[str, Any]:
    K = camera.K.tolist()
    problem = "is orthographic" if camera.is_orthographic else f"has skew {K[0][1]:g}"
    if camera.is_orthographic or K[0][1] != 0.0:
        raise OutputError(
            f"camera {index} {problem}, which transforms.json cannot hold; leave it out, or store "
            "camera.to_dict()"
        )
    return {
        "file_path": camera.name,
        "fl_x": K[0][0],
        "fl_y": K[1][1],
        "cx": K[0][2],
        "cy": K[1][2],
        "w": camera.width,
        "h": camera.height,
        "transform_matrix": opengl_from_pose(camera.camera_from_world).tolist(),
        POSE_KEY: camera.camera_from_world.tolist(),
    }


def _without_nulls(values: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object without the numbers that are null: they count as missing."""
    others = ("camera_model", "transform_matrix")
    return {
        key: value for key, value in values.items() if value is not None or key.startswith(others)
    }


def _at_rest(frame: dict[str, Any]) -> dict[str, Any]:
    """Return a frame with the pose of its whole exposure as `transform_matrix`.

    Raises:
        CameraError: the camera moves during the exposure, so that there is no such pose.
    """
    if "transform_matrix_start" not in frame and "transform_matrix_end" not in frame:
        return frame
    start = frame.get("transform_matrix_start", frame.get("transform_matrix"))
    end = frame.get("transform_matrix_end", start)
    if not np.array_equal(
        checked_pose("transform_matrix_start", start), checked_pose("transform_matrix_end", end)
    ):
        raise CameraError(
            "the camera moves from 'transform_matrix_start' to 'transform_matrix_end' (rolling "
            "shutter or motion blur); leave one pose in the frame, as 'transform_matrix'"
        )
    return {**frame, "transform_matrix": start}


def _pose(frame: dict[str, Any], is_mitsuba: bool) -> Float64Array:
    """Return the (4, 4) camera_from_world of a frame, without rounding if `nerf_document` wrote it.

    If `transform_matrix` was changed afterward, it decides. With `is_mitsuba`, it is in the camera
    frame of Mitsuba: x left, y up, z forward.
    """
    matrix = checked_pose("world_from_camera", frame["transform_matrix"])
    if is_mitsuba:
        return inverse_pose(matrix @ np.diag([-1.0, -1.0, 1.0, 1.0]))
    try:
        pose = checked_pose(POSE_KEY, frame.get(POSE_KEY))
    except CameraError:  # a key of another program
        return pose_from_opengl(matrix)
    difference = np.abs(opengl_from_pose(pose) - matrix)
    limit = POSE_TOLERANCE * np.array([1.0, 1.0, 1.0, np.abs(matrix[:3, 3]).max()])
    return pose if (difference <= limit).all() else pose_from_opengl(matrix)


def _intrinsics(
    frame: dict[str, Any], document: dict[str, Any], requested_size: Size | None
) -> tuple[Float64Array, Size]:
    """Return the K of a frame, scaled to the requested size, and its image size."""
    values = {**document, **frame}
    _check_pinhole(values)
    calibrated_size = json_size(values, "w", "h") or requested_size
    if calibrated_size is None:
        raise CameraError(f"no image size ('w' and 'h') in the file; {PASS_SIZE}")
    # As in instant-ngp, a frame with a focal length of its own takes none from the file, so that
    # its pixels are square if it has only one.
    focals = _focal_lengths(frame, calibrated_size) or _focal_lengths(document, calibrated_size)
    if focals is None:
        raise CameraError(
            "no focal length: lacks 'fl_x' and 'camera_angle_x' (or 'x_fov', or the same of y); "
            "add one of them"
        )
    K = np.diag([*focals, 1.0])
    for row, key in enumerate(("cx", "cy")):
        K[row, 2] = json_number(values, key) if key in values else calibrated_size[row] / 2.0
    return resized_intrinsics(K, calibrated_size, requested_size)


def _check_pinhole(values: dict[str, Any]) -> None:
    """Raise CameraError unless the camera model is a pinhole without distortion."""
    for key, value in values.items():
        numbers = value if isinstance(value, list) else [value]
        if all(isinstance(each, (int, float)) and each == 0 for each in numbers):  # off; or false
            continue
        if key in PANORAMAS:
            raise CameraError(f"{key!r} is a panorama, not a pinhole; {CUT}")
        if key.startswith("ftheta"):
            raise CameraError(f"{key!r} is of an f-theta lens, not a pinhole; {OTHER}")
        if key == "orthographic":
            raise CameraError(
                f"{key!r} is not a pinhole, and the file has no extent; {ORTHOGRAPHIC}"
            )
    model = values.get("camera_model", "PINHOLE")
    if model not in PINHOLE_MODELS:
        is_panorama = isinstance(model, str) and model.lower() in PANORAMAS
        raise CameraError(
            f"'camera_model' is {reprlib.repr(model)}, not a pinhole; "
            + (CUT if is_panorama else UNDISTORT)
        )
    for key in DISTORTION_KEYS:
        given = values.get(key) or 0.0  # null and false count as zero
        coefficients = given if isinstance(given, list) else [given]
        if any(coefficient != 0.0 for coefficient in coefficients):
            raise CameraError(f"{key!r} is {reprlib.repr(given)}, a distortion; {UNDISTORT}")


def _focal_lengths(values: dict[str, Any], size: Size) -> tuple[float, float] | None:
    """Return the focal lengths of both axes in pixels, or None if there is none.

    An axis without one takes that of the other.

    Args:
        values: a frame or the file.
        size: image size in pixels.
    """
    focal_x, focal_y = (
        _focal_length(values, axis, pixels) for axis, pixels in zip("xy", size, strict=True)
    )
    if focal_x is None or focal_y is None:
        focal_x = focal_y = focal_x or focal_y
    return None if focal_x is None or focal_y is None else (focal_x, focal_y)


def _focal_length(values: dict[str, Any], axis: str, pixels: int) -> float | None:
    """Return the focal length of an axis in pixels, or None if there is none.

    Args:
        values: a frame or the file.
        axis: "x" or "y".
        pixels: image size along that axis.
    """
    if (key := f"{axis}_fov") in values:
        angle_deg = json_number(values, key)
        if not 1e-7 < angle_deg < 180.0:
            raise CameraError(f"{key!r} must lie between 0 and 180 (degrees), not {angle_deg}")
        return pixels / 2.0 / math.tan(math.radians(angle_deg) / 2.0)
    if (key := f"fl_{axis}") in values:
        focal = json_number(values, key)
        if focal <= 0.0:
            raise CameraError(f"{key!r} must be positive, not {focal}")
        return focal
    if (key := f"camera_angle_{axis}") in values:
        angle = json_number(values, key)
        if not 1e-9 < angle < math.pi:
            raise CameraError(f"{key!r} must lie between 0 and pi (radians), not {angle}")
        return pixels / 2.0 / math.tan(angle / 2.0)
    return None
