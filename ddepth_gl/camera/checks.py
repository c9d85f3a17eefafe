"""Checks of what cameras are built from: numbers, poses, image sizes and fields of view."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import (
    checked_array,
    is_integer,
    one_line,
    quiet_math,
    shown,
    unmasked_array,
)
from ..errors import CameraError

__all__ = [
    "MAX_IMAGE_SIDE",
    "ROTATION_TOLERANCE",
    "Float64Array",
    "checked_entries",
    "checked_field_of_view",
    "checked_image_size",
    "checked_name",
    "checked_numbers",
    "checked_points",
    "checked_pose",
]

Float64Array = npt.NDArray[np.float64]

# Largest deviation of a rotation from orthonormal. Rotations in float32 or with five digits pass,
# rotations with a scale do not.
ROTATION_TOLERANCE = 1e-4

# Pixels. Keeps absurd sizes from overflowing in later computations.
MAX_IMAGE_SIDE = (1 << 31) - 1


def checked_numbers(name: str, value: Any, *shapes: tuple[int, ...]) -> Float64Array:
    """Return a float64 copy of `value`.

    Args:
        name: name of the value in the error message.
        value: array-like of finite integers or floats.
        shapes: the allowed shapes; () stands for a single number.

    Raises:
        CameraError: the value is not numeric, not finite, or has another shape.
    """
    try:
        array = unmasked_array(value)
        # NumPy would parse text, turn None into NaN and drop an imaginary part.
        if array.dtype.kind not in "iuf":
            raise TypeError("not real numbers")
    # An __array__ method may raise anything, as that of a torch tensor that requires grad does.
    except Exception as error:
        expected = f"numbers of shape {shapes[0]}" if shapes[0] else "a number"
        raise CameraError(
            f"{name} must be {expected}, not {shown(value)} ({one_line(error)})"
        ) from None
    if array.shape not in shapes:
        expected = " or ".join(map(str, shapes))
        raise CameraError(f"{name} must have shape {expected}, not {array.shape}")
    with np.errstate(over="ignore"):
        numbers = np.array(array, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise CameraError(f"{name} holds NaN or infinity: {numbers.tolist()}")
    return numbers


def checked_points(name: str, value: Any) -> Float64Array:
    """Return `value` as a float64 array of any shape; NaN and infinity are allowed.

    Raises:
        CameraError: the value is not numeric.
    """
    array = checked_array(name, value, "biuf", None, CameraError)
    with quiet_math(CameraError, array):
        return array.astype(np.float64, copy=False)


def checked_pose(name: str, value: Any) -> Float64Array:
    """Return a (4, 4) float64 copy of a rigid pose: a rotation and a translation.

    Args:
        name: name of the pose in the error message.
        value: (4, 4) with last row (0, 0, 0, 1), or (3, 4).

    Raises:
        CameraError: the value is no such matrix, or it scales, shears or mirrors.
    """
    pose = checked_numbers(name, value, (4, 4), (3, 4))
    if pose.shape == (4, 4) and (pose[3] != (0.0, 0.0, 0.0, 1.0)).any():
        raise CameraError(
            f"{name} must have last row (0, 0, 0, 1), not {pose[3].tolist()}; "
            "if it is transposed, as matrices of pyrr and glm are, pass its transpose"
        )
    pose = np.vstack([pose[:3], (0.0, 0.0, 0.0, 1.0)])
    rotation = pose[:3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
        determinant = float(np.linalg.det(rotation))
    # `not (... <= ...)` also catches the NaN of an overflow.
    if not (deviation <= ROTATION_TOLERANCE and determinant > 0.0):
        raise CameraError(
            f"{name} must be a rotation and a translation: its 3x3 part deviates from an "
            f"orthonormal matrix by {deviation:.2g} and has determinant {determinant:.3g}; "
            "apply scales and mirrorings to the mesh"
        )
    return pose


def checked_field_of_view(angle_deg: Any, name: str = "fov_y_deg") -> float:
    """Return a field of view in degrees.

    Args:
        angle_deg: the angle to check.
        name: name of the angle in the error message.

    Raises:
        CameraError: it is not a number between 0 and 180.
    """
    angle = float(checked_numbers(name, angle_deg, ()))
    if not 1e-9 < angle < 180.0:  # the tangent of a smaller angle underflows
        raise CameraError(f"{name} must lie between 0 and 180 degrees, not {angle}")
    return angle


def checked_image_size(width: Any, height: Any) -> tuple[int, int]:
    """Return the width and height of an image in pixels.

    Raises:
        CameraError: one of them is not an integer from 1 to `MAX_IMAGE_SIDE`.
    """
    sizes = []
    for name, value in (("width", width), ("height", height)):
        if not is_integer(value) or not 1 <= value <= MAX_IMAGE_SIDE:
            raise CameraError(
                f"{name} must be an integer from 1 to {MAX_IMAGE_SIDE} pixels, not {shown(value)}"
            )
        sizes.append(int(value))
    return sizes[0], sizes[1]


def checked_name(name: Any) -> str:
    """Return the name of a camera as a str.

    Raises:
        CameraError: it is not a str, or it holds a null character.
    """
    if not isinstance(name, str) or "\0" in name:
        raise CameraError(f"name must be a str without null characters, not {shown(name)}")
    return str.__str__(name)  # of a subclass, the plain str


def checked_entries(
    entries: Any, required: Collection[str], optional: Collection[str]
) -> dict[str, Any]:
    """Return the entries of a camera's dict; their values are not checked.

    Args:
        entries: mapping of names to values.
        required: names that must be there.
        optional: names that may be there.

    Raises:
        CameraError: `entries` is not a mapping, or a name is missing or unknown.
    """
    try:
        found = dict(entries) if isinstance(entries, Mapping) else None
    except Exception:  # the methods of a foreign mapping may raise anything
        found = None
    if found is None:
        raise CameraError(f"a camera's dict must be a dict, not {shown(entries)}")
    known = [*required, *optional]
    for key in found:
        if not isinstance(key, str) or key not in known:
            by_lower_case = {name.lower(): name for name in known}
            near = get_close_matches(one_line(key).lower(), by_lower_case, 1)
            advice = (
                f"did you mean {by_lower_case[near[0]]!r}?"
                if near
                else f"it may have {', '.join(known)}"
            )
            raise CameraError(f"a camera's dict has no entry {shown(key)}; {advice}")
    missing = [key for key in required if key not in found]
    if missing:
        raise CameraError(
            f"a camera's dict lacks {' and '.join(map(repr, missing))}; "
            f"it must have {', '.join(required)}"
        )
    return found
