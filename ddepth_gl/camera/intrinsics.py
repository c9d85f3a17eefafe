"""Intrinsic matrices from a field of view, an extent or an OpenGL projection matrix."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..errors import CameraError
from .checks import Float64Array, checked_field_of_view, checked_numbers

__all__ = [
    "intrinsics_from_extent",
    "intrinsics_from_field_of_view",
    "intrinsics_from_projection",
]


def intrinsics_from_field_of_view(fov_y_deg: float, width: int, height: int) -> Float64Array:
    """Return the (3, 3) K of a perspective camera with square pixels and a centered image.

    Args:
        fov_y_deg: angle between the upper and lower edge of the image, degrees.
        width, height: image size in pixels.

    Raises:
        CameraError: the angle is not between 0 and 180 degrees.
    """
    focal = height / 2.0 / math.tan(math.radians(checked_field_of_view(fov_y_deg)) / 2.0)
    return np.array([[focal, 0.0, width / 2.0], [0.0, focal, height / 2.0], [0.0, 0.0, 1.0]])


def intrinsics_from_extent(extent: npt.ArrayLike, width: int, height: int) -> Float64Array:
    """Return the (3, 3) K of an orthographic camera centered on the optical axis.

    Args:
        extent: (2,) width and height of the image in mesh units, or the width alone for square
            pixels.
        width, height: image size in pixels.

    Raises:
        CameraError: the extent is not positive.
    """
    sizes = checked_numbers("extent", extent, (2,), ())
    extent_x, extent_y = sizes if sizes.shape else (float(sizes), float(sizes) * height / width)
    if not (extent_x > 0.0 and extent_y > 0.0):
        raise CameraError(f"extent must be positive mesh units, not {sizes.tolist()}")
    return np.array(
        [
            [width / extent_x, 0.0, width / 2.0],
            [0.0, height / extent_y, height / 2.0],
            [0.0, 0.0, 1.0],
        ]
    )


def intrinsics_from_projection(
    projection: Float64Array, width: int, height: int
) -> tuple[Float64Array, bool]:
    """Convert an OpenGL projection matrix.

    Args:
        projection: (4, 4), multiplies column vectors. Its near and far planes are ignored.
        width, height: image size in pixels.

    Returns:
        (3, 3) K, and whether the projection is orthographic.

    Raises:
        CameraError: the matrix is no such projection.
    """
    is_orthographic = projection[3, 3] != 0.0
    last_row = (0.0, 0.0, 0.0, 1.0) if is_orthographic else (0.0, 0.0, -1.0, 0.0)
    center_column = 3 if is_orthographic else 2
    zeros = [(0, 5 - center_column), (1, 5 - center_column), (1, 0)]
    if (projection[3] != last_row).any() or any(projection[index] != 0.0 for index in zeros):
        raise CameraError(
            "intrinsics is not an OpenGL projection matrix of column vectors: "
            f"{projection.tolist()}; transpose matrices of pyrr and glm"
        )
    # u = (1 + x_ndc) W / 2 and v = (1 - y_ndc) H / 2. OpenGL's y and z are minus OpenCV's.
    sign = 1.0 if is_orthographic else -1.0
    K = np.array(
        [
            [
                projection[0, 0] * width / 2,
                -projection[0, 1] * width / 2,
                (1 + sign * projection[0, center_column]) * width / 2,
            ],
            [
                0.0,
                projection[1, 1] * height / 2,
                (1 - sign * projection[1, center_column]) * height / 2,
            ],
            [0.0, 0.0, 1.0],
        ]
    )
    return K, bool(is_orthographic)
