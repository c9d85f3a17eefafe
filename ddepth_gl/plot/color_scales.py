"""Color scales: numbers to colors, on one of cmap's color maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from cmap import Colormap

__all__ = [
    "MISS",
    "Color",
    "ImageArray",
    "ValueRange",
    "colorize",
    "sample_color_map",
    "value_range",
]

ImageArray = npt.NDArray[np.uint8]  # (h, w, 3) sRGB, or (h, w, 4) with straight alpha
ValueRange = tuple[float, float] | None  # smallest and largest value; None without any value
Color = tuple[int, int, int]

MISS: Color = (236, 236, 236)


def value_range(*arrays: npt.NDArray[Any]) -> ValueRange:
    """Return the smallest and the largest number in the arrays, or None if all are NaN."""
    values = np.concatenate([array[~np.isnan(array)] for array in arrays])
    return (float(values.min()), float(values.max())) if len(values) else None


def sample_color_map(color_map: str, levels: npt.NDArray[np.float64]) -> ImageArray:
    """Return (..., 3) uint8: the colors of a color map at levels between 0 and 1."""
    table = np.rint(255.0 * np.asarray(Colormap(color_map).lut(256))[:, :3]).astype(np.uint8)
    image: ImageArray = table[np.rint(255.0 * levels).astype(np.uint8)]
    return image


def colorize(values: npt.NDArray[Any], color_map: str, limits: ValueRange) -> ImageArray:
    """Return (H, W, 3) uint8: the colors of the values (H, W); NaN becomes `MISS`.

    Args:
        values: to show.
        color_map: name of the color map.
        limits: values at the ends of the color map.
    """
    low, high = limits or (0.0, 1.0)
    level = (values.astype(np.float64) - low) / ((high - low) or 1.0)
    image = sample_color_map(color_map, np.nan_to_num(level))
    image[np.isnan(values)] = MISS
    return image
