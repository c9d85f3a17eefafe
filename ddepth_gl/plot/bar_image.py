"""A color bar as an array, to be laid into an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .color_scales import bar_labels

__all__ = ["bar_image"]

_INK = "#e6e6e6"
_UNIT_WIDTH = 280.0  # of a bar whose text has this size
_TEXT_PIXELS = 12.0


def bar_image(
    table: npt.NDArray[np.uint8],
    limits: tuple[float, float],
    title: str,
    size: tuple[int, int],
    background: tuple[int, int, int],
) -> npt.NDArray[np.uint8]:
    """Return (H, W, 3) uint8 sRGB: a color bar with both ends, the middle, and a title above it.

    Args:
        table: (256, 3) uint8, the colors of the bar.
        limits: values at both ends.
        title: what they are.
        size: width and height in pixels.
        background: color around the bar, sRGB; a dark one.
    """
    width, height = size
    margin, first, last = round(0.035 * width), round(0.38 * height), round(0.62 * height)
    # At 72 dots per inch, a point is a pixel.
    figure = Figure(
        figsize=(width / 72.0, height / 72.0), dpi=72, facecolor=f"#{bytes(background).hex()}"
    )
    canvas = FigureCanvasAgg(figure)
    left, right = margin / width, 1.0 - margin / width
    text: dict[str, Any] = {
        "color": _INK,
        "fontsize": _TEXT_PIXELS * width / _UNIT_WIDTH,
        "parse_math": False,
    }
    figure.text(left, 0.82, title, ha="left", va="center", **text)
    for place, side, label in zip(
        (left, 0.5, right), ("left", "center", "right"), bar_labels(limits), strict=True
    ):
        figure.text(place, 0.19, label, ha=side, va="center", **text)
    draw: Any = canvas.draw
    draw()
    pixels: Any = canvas.buffer_rgba
    image = np.asarray(pixels())[..., :3].copy()
    length = width - 2 * margin
    colors = table[np.arange(length) * 256 // length]
    image[first:last, margin : margin + length] = colors
    return image
