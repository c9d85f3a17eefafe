"""Cameras of NeRF-style transforms.json files: NeRF, nerfstudio and instant-ngp.

Formats: https://docs.nerf.studio/quickstart/data_conventions.html and
https://github.com/NVlabs/instant-ngp/blob/master/docs/nerf_dataset_tips.md
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
from ...camera.placement import opengl_from_pose, pose_from_opengl
from ...errors import CameraError, OutputError
from .files import json_number, locating_errors
from .image_size import PASS_SIZE, Size, json_size, resized_intrinsics

__all__ = ["nerf_cameras", "nerf_document"]

PINHOLE_MODELS = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV")
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
    cameras = []
    for index, frame in enumerate(frames):
        name = frame.get("file_path") if isinstance(frame, dict) else None
        location = f"frame {index} ({name!r:.80})" if isinstance(name, str) else f"frame {index}"
        with locating_errors(location, "correct or remove this frame"):
            if not isinstance(frame, dict) or "transform_matrix" not in frame:
                raise CameraError("lacks 'transform_matrix'")
            K, size = _intrinsics(frame, document, requested_size)
            with locating_errors("transform_matrix"):
                pose = _pose(frame)
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


def _pose(frame: dict[str, Any]) -> Float64Array:
    """Return the (4, 4) camera_from_world of a frame, without rounding if `nerf_document` wrote it.

    If `transform_matrix` was changed afterward, it decides.
    """
    matrix = checked_pose("world_from_camera", frame["transform_matrix"])
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
    # The frame's own focal length goes first, even if the file has one in another form.
    focal_x, focal_y = (
        _focal_length(frame, axis, pixels) or _focal_length(document, axis, pixels)
        for axis, pixels in zip("xy", calibrated_size, strict=True)
    )
    if focal_x is None:
        raise CameraError("no focal length: lacks 'fl_x' and 'camera_angle_x'; add one of them")
    K = np.diag([focal_x, focal_y or focal_x, 1.0])
    for row, key in enumerate(("cx", "cy")):
        K[row, 2] = json_number(values, key) if key in values else calibrated_size[row] / 2.0
    return resized_intrinsics(K, calibrated_size, requested_size)


def _check_pinhole(values: dict[str, Any]) -> None:
    """Raise CameraError unless the camera model is a pinhole without distortion."""
    model = values.get("camera_model", "PINHOLE")
    if model not in PINHOLE_MODELS:
        raise CameraError(
            f"'camera_model' is {reprlib.repr(model)}, not a pinhole; undistort the images first"
        )
    for key in DISTORTION_KEYS:
        value = values.get(key) or 0.0  # null and false count as zero
        coefficients = value if isinstance(value, list) else [value]
        if any(coefficient != 0.0 for coefficient in coefficients):
            raise CameraError(
                f"{key!r} is {reprlib.repr(value)}, a distortion; undistort the images first"
            )


def _focal_length(values: dict[str, Any], axis: str, pixels: int) -> float | None:
    """Return a focal length in pixels, or None if there is none.

    Args:
        values: a frame or the file.
        axis: "x" or "y".
        pixels: image size along that axis.
    """
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
