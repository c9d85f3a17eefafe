"""Color scales: color maps that color-blind readers can read, their limits and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, to_rgba

from .._checks import checked_number, shown
from ..errors import RequestError

__all__ = [
    "DEPTH_MAP",
    "GRAY_INK",
    "INK",
    "MISS",
    "PAPER",
    "THICKNESS_MAP",
    "Limits",
    "bar_labels",
    "checked_color_map",
    "checked_limits",
    "ink_on",
    "value_range",
]

Limits = tuple[float, float] | None  # values at both ends of a scale; None without any value

DEPTH_MAP, THICKNESS_MAP = "viridis_r", "magma"  # near is bright; their lightness is monotonic
MISS = "#ececec"
PAPER, INK, GRAY_INK = "#ffffff", "#282828", "#8c8c8c"
_LIGHT_INK = "#e6e6e6"


def value_range(*arrays: npt.NDArray[Any]) -> Limits:
    """Return the smallest and the largest finite number in the arrays, or None without any."""
    ends = []
    for array in arrays:
        values = array.reshape(-1)
        if not (values.size and np.isfinite([values.min(), values.max()]).all()):
            values = values[np.isfinite(values)]
        if values.size:
            ends += [float(values.min()), float(values.max())]
    return (min(ends), max(ends)) if ends else None


def checked_limits(limits: Limits, vmin: object, vmax: object) -> Limits:
    """Return the limits, replaced by those of `vmin` and `vmax` that are not None.

    Raises:
        RequestError: one is not a finite number, or the larger one does not come last.
    """
    if vmin is None and vmax is None:
        return limits
    low, high = (
        end if given is None else checked_number(name, given)
        for name, given, end in zip(
            ("vmin", "vmax"), (vmin, vmax), limits or (0.0, 1.0), strict=True
        )
    )
    if not (np.isfinite([low, high]).all() and low < high):
        raise RequestError(
            f"the color scale must run from a smaller to a larger number, not from {low:g} to "
            f"{high:g}; pass other vmin and vmax, or a reversed cmap"
        )
    return low, high


def checked_color_map(cmap: object) -> Colormap:
    """Return matplotlib's color map, with `MISS` for NaN.

    Raises:
        RequestError: `cmap` is neither a Colormap nor the name of one.
    """
    try:
        found = colormaps[cmap] if isinstance(cmap, str) else cmap
    except KeyError:
        found = None
    if not isinstance(found, Colormap):
        raise RequestError(
            f"cmap must be a matplotlib Colormap or the name of one, such as 'cividis', "
            f"not {shown(cmap)}"
        )
    return found.with_extremes(bad=MISS)


def ink_on(axes: Axes) -> str:
    """Return the color of texts beside the axes: dark, unless their figure is."""
    for figure in (axes.figure, axes.figure.figure):  # a SubFigure is transparent
        *color, alpha = to_rgba(figure.get_facecolor())
        if alpha > 0.0:
            is_dark = alpha * (np.dot(color, (0.299, 0.587, 0.114)) - 1.0) + 1.0 < 0.5
            return _LIGHT_INK if is_dark else INK
    return INK


def bar_labels(limits: tuple[float, float]) -> list[str]:
    """Return low end, middle and high end, with enough digits to tell them apart."""
    low, high = limits
    digits = 4
    if high > low:
        digits += int(min(5, max(0, np.log10(max(abs(low), abs(high)) / (high - low)))))
    return [f"{value:.{digits}g}" for value in (low, low + (high - low) / 2.0, high)]
