"""Intrinsics and poses of Blender's cameras, from the values that its interface shows.

The steps are those of ``BKE_camera_params_compute_viewplane`` in Blender's source,
``blenkernel/intern/camera.cc``, and of ``bpy.types.Object.calc_matrix_camera``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._checks import checked_choice, checked_count, is_integer, shown
from ..errors import CameraError
from .checks import (
    MAX_IMAGE_SIDE,
    ROTATION_TOLERANCE,
    Float64Array,
    checked_field_of_view,
    checked_image_size,
    checked_numbers,
)
from .placement import pose_from_opengl

__all__ = ["blender_image_size", "blender_intrinsics", "blender_is_orthographic", "blender_pose"]

# (x, y, z) in Blender becomes (x, z, -y) in files that are exported with y up.
_MESH_FROM_BLENDER = {
    "blender": np.eye(4),
    "y_up": np.array(
        [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    ),
}


def blender_is_orthographic(type: str) -> bool:
    """Return whether a camera of Blender is orthographic.

    Raises:
        CameraError: `type` is neither "PERSP" nor "ORTHO".
    """
    if isinstance(type, str) and type in ("PANO", "CUSTOM"):
        raise CameraError(
            f"type {type!r} is a lens that bends straight lines; set the camera's type to "
            "Perspective or Orthographic in Blender"
        )
    return checked_choice("type", type, ("PERSP", "ORTHO"), CameraError) == "ORTHO"


def blender_image_size(
    resolution_x: Any, resolution_y: Any, resolution_percentage: Any
) -> tuple[int, int]:
    """Return the width and height that Blender renders, in pixels.

    Raises:
        CameraError: an argument is not an integer, at least 1, or no pixel is left.
    """
    percentage = checked_count("resolution_percentage", resolution_percentage, None, CameraError)
    sides = []
    for name, value in (("resolution_x", resolution_x), ("resolution_y", resolution_y)):
        if not is_integer(value) or not 1 <= value <= MAX_IMAGE_SIDE:
            raise CameraError(
                f"{name} must be an integer from 1 to {MAX_IMAGE_SIDE} pixels, not {shown(value)}"
            )
        side = int(value) * percentage // 100  # Blender cuts off fractions of a pixel
        if not 1 <= side <= MAX_IMAGE_SIDE:
            raise CameraError(
                f"{name} {int(value)} at {shown(percentage)} percent is an image of {shown(side)} "
                f"pixels; there must be 1 to {MAX_IMAGE_SIDE}"
            )
        sides.append(side)
    return checked_image_size(*sides)


def blender_intrinsics(
    width: int,
    height: int,
    *,
    is_orthographic: bool,
    lens: Any,
    angle_deg: Any,
    ortho_scale: Any,
    sensor_width: Any,
    sensor_height: Any,
    sensor_fit: str,
    shift_x: Any,
    shift_y: Any,
    pixel_aspect_x: Any,
    pixel_aspect_y: Any,
) -> Float64Array:
    """Return the (3, 3) K of a camera of Blender, for pixel centers at halves.

    Args:
        width, height: image size in pixels, after the percentage.
        is_orthographic: whether `ortho_scale` counts, and not the focal length.
        lens, angle_deg, ortho_scale, sensor_width, sensor_height, sensor_fit, shift_x, shift_y,
            pixel_aspect_x, pixel_aspect_y: see `Camera.from_blender`.

    Raises:
        CameraError: an argument is invalid; the message names it.
    """
    fit = checked_choice("sensor_fit", sensor_fit, ("AUTO", "HORIZONTAL", "VERTICAL"), CameraError)
    # The height of a pixel over its width. Lengths below are in pixel widths.
    aspect = _positive("pixel_aspect_y", pixel_aspect_y) / _positive(
        "pixel_aspect_x", pixel_aspect_x
    )
    if not 1e-100 < aspect < 1e100:
        raise CameraError(f"pixel_aspect_y / pixel_aspect_x is {aspect:g}; check both")
    is_landscape = width >= aspect * height
    is_horizontal = fit == "HORIZONTAL" or (fit == "AUTO" and is_landscape)
    # The side of the image that the sensor, the angle, the shift and the ortho scale refer to.
    side = width if is_horizontal else aspect * height
    if is_orthographic:
        scale = side / _ortho_scale(ortho_scale)
    else:
        # With AUTO, sensor_width is the longer side, whichever that is.
        name, size = (
            ("sensor_height", sensor_height)
            if fit == "VERTICAL"
            else ("sensor_width", sensor_width)
        )
        scale = side * _focal_per_side(lens, angle_deg, _positive(name, size))
    shifts = (checked_numbers("shift_x", shift_x, ()), checked_numbers("shift_y", shift_y, ()))
    # Shifts move the image over the scene: right and up.
    center_x = width / 2.0 - float(shifts[0]) * side
    center_y = height / 2.0 + float(shifts[1]) * side / aspect
    return np.array([[scale, 0.0, center_x], [0.0, scale / aspect, center_y], [0.0, 0.0, 1.0]])


def blender_pose(matrix_world: Any, axes: str) -> Float64Array:
    """Return the (4, 4) camera_from_world of a camera of Blender.

    As in Blender, columns are normalized, which drops the scale of the camera and its parents.

    Args:
        matrix_world: (4, 4) or (3, 4), from Blender's camera frame: y up, looking down -z.
        axes: frame of the mesh, "blender" or "y_up"; see `Camera.from_blender`.

    Raises:
        CameraError: an argument is invalid, or the matrix mirrors, shears or has a scale of 0.
    """
    frame = checked_choice("axes", axes, tuple(_MESH_FROM_BLENDER), CameraError)
    matrix = checked_numbers("matrix_world", matrix_world, (4, 4), (3, 4))
    if matrix.shape == (4, 4) and (matrix[3] != (0.0, 0.0, 0.0, 1.0)).any():
        raise CameraError(
            f"matrix_world must have last row (0, 0, 0, 1), not {matrix[3].tolist()}; "
            "if it is transposed, pass its transpose"
        )
    pose = np.eye(4)
    pose[:3] = matrix[:3]
    largest = np.abs(pose[:3, :3]).max(axis=0)
    if not largest.all():
        raise CameraError(
            "matrix_world has a scale of 0; give the camera and its parents other scales"
        )
    pose[:3, :3] /= largest  # in two steps, because squares of large numbers overflow
    pose[:3, :3] /= np.linalg.norm(pose[:3, :3], axis=0)
    deviation = float(np.abs(pose[:3, :3].T @ pose[:3, :3] - np.eye(3)).max())
    if not deviation <= ROTATION_TOLERANCE:
        raise CameraError(
            f"matrix_world shears: its normalized columns deviate from right angles by "
            f"{deviation:.2g}; clear the camera's parent and keep the transformation (Alt P)"
        )
    if np.linalg.det(pose[:3, :3]) < 0.0:
        raise CameraError(
            "matrix_world mirrors, so that Blender's image is mirrored, too; "
            "make the scales of the camera and its parents positive"
        )
    return pose_from_opengl(_MESH_FROM_BLENDER[frame] @ pose)


def _focal_per_side(lens: Any, angle_deg: Any, sensor_size: float) -> float:
    """Return the focal length as a multiple of the image side that the sensor refers to."""
    if (lens is None) == (angle_deg is None):
        raise CameraError(
            f"a perspective camera takes one of lens and angle_deg, not lens={shown(lens)} and "
            f'angle_deg={shown(angle_deg)}; pass type="ORTHO" for ortho_scale'
        )
    if lens is not None:
        return _positive("lens", lens) / sensor_size
    return 0.5 / math.tan(math.radians(checked_field_of_view(angle_deg, "angle_deg")) / 2.0)


def _ortho_scale(ortho_scale: Any) -> float:
    if ortho_scale is None:
        raise CameraError("an orthographic camera lacks ortho_scale; pass it in mesh units")
    return _positive("ortho_scale", ortho_scale)


def _positive(name: str, value: Any) -> float:
    number = float(checked_numbers(name, value, ()))
    if not number > 0.0:
        raise CameraError(f"{name} must be positive, not {number:g}")
    return number
