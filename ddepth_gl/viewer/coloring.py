"""Colors of values; the shaders of the canvas compute the same."""

from __future__ import annotations

import colorsys
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import checked_choice, shown
from .._frozen_arrays import frozen
from .._packages import import_needed
from ..errors import OutputError, RequestError
from .modes import MODES
from .values import limits_of

__all__ = [
    "BACKGROUND",
    "COLOR_MAPS",
    "ODD_COLOR",
    "check_color_map",
    "color_table",
    "colored",
]

Color = tuple[int, int, int]

# sRGB. The color maps of `MODES` keep away from it: magma starts too close, thin walls vanish.
BACKGROUND: Color = (28, 31, 36)
ODD_COLOR: Color = (255, 64, 160)  # in none of the color maps

# Those that a menu offers; any name of matplotlib works. Lightness is monotonic in all but the
# last, so that color-blind readers and gray prints keep the order.
COLOR_MAPS = (
    "viridis_r", "viridis", "plasma_r", "plasma", "magma_r", "magma", "cividis_r", "cividis",
    "gray_r", "gray", "turbo",
)  # fmt: skip
LABELS = "labels"
_GOLDEN_RATIO = 0.618033988749895


@lru_cache(16)
def color_table(name: str) -> npt.NDArray[np.uint8]:
    """Return (256, 3) uint8 sRGB: the colors of a color map, read-only.

    Args:
        name: a color map of matplotlib; or "labels", whose neighbors differ as much as possible.

    Raises:
        RequestError: there is no such color map.
        OutputError: matplotlib is not installed.
    """
    if name == LABELS:
        return frozen(np.array([_label_color(label) for label in range(256)], np.uint8))
    import_needed("matplotlib", "coloring depth", OutputError, "cli")
    from ..plot.color_tables import table_of

    table = table_of(name) if isinstance(name, str) else None
    if table is None:
        raise RequestError(
            f"color_map must be a color map of matplotlib, such as {', '.join(COLOR_MAPS[1::2])}, "
            f"not {shown(name)}"
        )
    return frozen(table)


def check_color_map(name: Any) -> None:
    """Raise RequestError unless there is a color map of this name."""
    if not (isinstance(name, str) and name in COLOR_MAPS):  # without importing matplotlib
        color_table(name if isinstance(name, str) else repr(type(name)))


def colored(
    values: npt.NDArray[Any],
    mode: str,
    color_map: str | None = None,
    limits: tuple[float, float] | None = None,
    odd: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.uint8]:
    """Return the colors of the values of a mode.

    Numbers and counts: entry ``clip(floor(x * 256), 0, 255)`` of the color table, with ``x`` =
    ``(value - low) / (high - low)`` in float32, or 0.5 if both limits are equal. Labels: entry
    ``label % 256``. Directions: ``clip(floor((value * 0.5 + 0.5) * 256), 0, 255)`` of each
    coordinate. Photos lie over the background.

    Args:
        values: result of `values_of`.
        mode: name of a mode in `MODES`.
        color_map: color map of numbers and counts; None for that of the mode.
        limits: values at both ends of the scale; None for `limits_of` the values.
        odd: (H, W) bool, pixels to show in `ODD_COLOR`.

    Returns:
        (H, W, 4) uint8 sRGB, alpha 255; `BACKGROUND` at misses.
    """
    info = MODES[checked_choice("mode", mode, MODES)]
    image = np.empty((*values.shape[:2], 4), np.uint8)
    image[..., 3] = 255
    if info.kind == "photo":
        alpha = values[..., 3:] / np.float32(255.0)
        mixed = values[..., :3] * alpha + np.array(BACKGROUND, np.float32) * (1.0 - alpha)
        image[..., :3] = np.floor(mixed + np.float32(0.5))
    elif info.kind == "direction":
        is_miss = np.isnan(values[..., 0])
        image[..., :3] = _steps(values * np.float32(0.5) + np.float32(0.5))
        image[is_miss, :3] = BACKGROUND
    elif info.kind == "label":
        image[..., :3] = color_table(LABELS)[values % 256]
        image[values < 0, :3] = BACKGROUND
    else:
        low, high = limits_of(values, mode) if limits is None else limits
        table = color_table(color_map or info.color_map)
        image[..., :3] = table[_steps(_scaled(values.astype(np.float32), low, high))]
        is_miss = np.isnan(values) if values.dtype.kind == "f" else values == 0
        image[is_miss, :3] = BACKGROUND
    if odd is not None:
        image[odd, :3] = ODD_COLOR
    return image


def _scaled(values: npt.NDArray[np.float32], low: float, high: float) -> npt.NDArray[np.float32]:
    """Return values from 0 to 1 between the limits."""
    first, last = np.float32(low), np.float32(high)
    with np.errstate(all="ignore"):  # values may be infinite or NaN
        if not last > first:
            return np.where(np.isnan(values), values, np.float32(0.5))
        scaled: npt.NDArray[np.float32] = (values - first) / (last - first)
        return scaled


def _steps(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return entries of a table of 256, from values in 0..1; any entry for NaN."""
    with np.errstate(all="ignore"):
        steps = np.clip(np.floor(values * np.float32(256.0)), 0.0, 255.0)
    return np.where(np.isnan(steps), np.float32(0.0), steps).astype(np.uint8)


def _label_color(label: int) -> Color:
    """Return a color whose hue is far from those of the labels before it."""
    hue = (0.58 + label * _GOLDEN_RATIO) % 1.0
    lightness, saturation = ((0.62, 0.75), (0.45, 0.7), (0.75, 0.6))[label // 3 % 3]
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
    return round(255 * red), round(255 * green), round(255 * blue)
