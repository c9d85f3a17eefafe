"""Layer panels: the depth images of the first layers, side by side on one color scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .canvas import GRAY_INK, MARGIN, TITLE_HEIGHT, Canvas
from .color_scales import ValueRange, colorize

if TYPE_CHECKING:
    from ..results.depth_layers import DepthLayers

__all__ = ["draw_layers", "layer_image"]

_COLOR_MAP = "viridis_r"


def layer_image(layers: DepthLayers, layer: int, step: int) -> npt.NDArray[np.float32]:
    """Return (h, w) float32: depths of one layer at every step-th row and column; NaN is a miss.

    Only the crossings of those pixels are read, so the memory depends on the result's size alone.

    Args:
        layers: of the whole image.
        layer: counted from 0.
        step: in pixels.
    """
    height, width = layers.camera.height, layers.camera.width
    pixel = np.arange(0, height, step)[:, None] * width + np.arange(0, width, step)
    crossing = layers.offsets[pixel] + layer
    is_there = crossing < layers.offsets[pixel + 1]
    image = np.full(pixel.shape, np.nan, dtype=np.float32)
    image[is_there] = layers.depth[crossing[is_there]]
    return image


def draw_layers(
    canvas: Canvas,
    layers: DepthLayers,
    x: int,
    y: int,
    size: tuple[int, int],
    pitch: int,
    slots: int,
) -> None:
    """Draw the first layers side by side, each under its name, and one color bar below.

    The number of pixels that have the layer stands beside its name if it fits.

    Args:
        canvas: to draw on.
        layers: to show.
        x, y: top left corner.
        size: (width, height) of a panel.
        pitch: from the left edge of one panel to that of the next.
        slots: number of panels that fit; the last one says how many layers do not.
    """
    width, height = size
    count = layers.count
    total = max(1, int(count.max()))  # one empty panel if there is no layer
    shown = total if total <= slots else slots - 1
    limits: ValueRange = (
        (float(layers.depth.min()), float(layers.depth.max())) if len(layers.depth) else None
    )
    thinning = max(1, max(layers.camera.height, layers.camera.width) // (2 * max(size)))
    for layer in range(shown):
        left = x + layer * pitch
        name, pixels = f"layer {layer + 1}", f"{np.count_nonzero(count > layer):,} px"
        canvas.text(left, y, name)
        if canvas.text_width(name) + canvas.text_width(pixels) + MARGIN <= width:
            canvas.text(left + width, y, pixels, "ra", GRAY_INK)
        image = colorize(layer_image(layers, layer, thinning), _COLOR_MAP, limits)
        canvas.panel(image, left, y + TITLE_HEIGHT, width, height)
    if shown < total:
        left, room = x + shown * pitch, pitch - MARGIN
        text = f"{total - shown} more layers"
        canvas.text(left, y, text if canvas.text_width(text) <= room else f"{total - shown} more")
    bar_top = y + TITLE_HEIGHT + height + MARGIN // 2
    canvas.color_bar(x, bar_top, slots * pitch - MARGIN, _COLOR_MAP, limits)
