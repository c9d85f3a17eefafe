"""Image sizes in camera files, and intrinsics for images of another size."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...camera.checks import Float64Array, checked_image_size
from ...errors import CameraError
from .files import json_number

__all__ = ["PASS_SIZE", "Size", "json_size", "resized_intrinsics"]

Size = tuple[int, int]  # width, height in pixels

PASS_SIZE = "pass width= and height= (on the command line: --size WxH)"


def json_size(values: dict[str, Any], width_key: str, height_key: str) -> Size | None:
    """Return the image size under two keys of a JSON object; None if it has neither key.

    Raises:
        CameraError: one key is missing, or a value is not an integer, at least 1.
    """
    keys = (width_key, height_key)
    present = [key for key in keys if key in values]
    if len(present) == 1:
        raise CameraError(f"has an image size with {present[0]!r} only; add {' and '.join(keys)}")
    # Floats like 1920.0 count as integers: instant-ngp writes them.
    numbers = [json_number(values, key) for key in present]
    if any(number != int(number) for number in numbers):
        raise CameraError(f"{' and '.join(keys)} must be integers of pixels, not {numbers}")
    return checked_image_size(*map(int, numbers)) if present else None


def resized_intrinsics(
    K: Float64Array, calibrated_size: Size, requested_size: Size | None
) -> tuple[Float64Array, Size]:
    """Scale an intrinsic matrix as if its image was resized.

    Args:
        K: (3, 3) in pixels, with pixel centers at halves.
        calibrated_size: the image size that `K` is for.
        requested_size: the image size to scale to; None keeps `calibrated_size`.

    Returns:
        The new K and its image size.
    """
    size = requested_size or calibrated_size
    scale = np.array([size[0] / calibrated_size[0], size[1] / calibrated_size[1], 1.0])
    return K * scale[:, None], size
