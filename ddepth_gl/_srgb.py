"""Conversions between linear colors and sRGB (IEC 61966-2-1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["linear_from_srgb", "srgb_from_linear"]


def srgb_from_linear(linear: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Convert linear colors to sRGB.

    Args:
        linear: (..., 3) red, green, blue or (..., 4) with alpha, which stays linear. Values outside
            0..1 are clipped, NaN becomes 0.

    Returns:
        uint8 of the same shape.
    """
    value = np.clip(np.nan_to_num(np.asarray(linear, np.float64)), 0.0, 1.0)
    rgb = value[..., :3]
    value[..., :3] = np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)
    return np.rint(value * 255.0).astype(np.uint8)


def linear_from_srgb(srgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Convert sRGB to linear colors; `srgb_from_linear` reverses it exactly.

    Args:
        srgb: (..., 3) uint8 red, green, blue or (..., 4) with alpha, which is only divided by 255.

    Returns:
        float32 in 0..1, of the same shape.
    """
    value = np.asarray(srgb) / 255.0
    rgb = value[..., :3]
    value[..., :3] = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return value.astype(np.float32)
