"""What all formats share: what files say about themselves, the value of a miss, how many layers there are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import OutputError
from ..version import __version__

__all__ = ["FRAMES", "VERSION", "checked_fill", "filled"]

VERSION = f"ddepth_gl {__version__}"

FRAMES = (
    "Camera frame: OpenCV, x right, y down, z forward. camera_from_world maps world points to it. "
    "Row 0 is the top row; pixel (row r, column c) is sampled at image coordinates (c + 0.5, r + 0.5), "
    "which K is in. Depth is the camera-frame z, distance is along the ray. Mesh units. "
    "Normals and positions are in the world frame, colours are linear. "
)


def checked_fill(fill: float) -> np.float32:
    """The float32 nearest to `fill`.

    Raises:
        OutputError: float32 cannot hold it.
    """
    if math.isfinite(fill) and abs(fill) > float(np.finfo(np.float32).max):
        raise OutputError(f"fill must be a number that float32 holds, NaN or infinity, not {fill!r}")
    value: np.float32 = np.float32(fill)
    return value


def filled(array: npt.NDArray[Any], fill: np.float32) -> npt.NDArray[Any]:
    """`array` with `fill` in place of NaN; whole numbers and truth values stay as they are."""
    if np.isnan(fill) or array.dtype.kind != "f":
        return array
    return np.where(np.isnan(array), fill, array)
