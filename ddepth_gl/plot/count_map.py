"""The count map: how many crossings each pixel's ray has, and where that number is suspicious."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .canvas import BAR_HEIGHT, LABEL_HEIGHT, MARGIN, TITLE_HEIGHT, Canvas
from .color_scales import MISS, Color, ImageArray, sample_color_map

if TYPE_CHECKING:
    from ..results.depth_layers import DepthLayers

__all__ = ["TRUNCATED", "CountMap", "count_colors", "draw_counts"]

TRUNCATED: Color = (
    250,
    190,
    20,
)  # a pixel with more crossings than max_layers; not a count's color
_LEGEND_LINE = LABEL_HEIGHT + 4


@dataclass(frozen=True, eq=False)
class CountMap:
    """The number of crossings of each pixel, at the size of its panel.

    An image larger than its panel is thinned. Odd and truncated pixels survive that: a single one
    matters to the viewer.

    Attributes:
        count: (h, w) int32 number of crossings.
        truncated: (h, w) bool, where `max_layers` left crossings out.
        max_count: largest number of crossings of a pixel that is not truncated.
        odd_pixels: number of pixels of the whole image with an odd number of crossings, truncated
            ones excluded.
        odd_label: "odd" if the mesh is closed, where the ray only starts inside; else "unpaired".
        truncated_pixels: number of truncated pixels of the whole image.
    """

    count: npt.NDArray[np.int32]
    truncated: npt.NDArray[np.bool_]
    max_count: int
    odd_pixels: int
    odd_label: str
    truncated_pixels: int

    @classmethod
    def of(cls, layers: DepthLayers, width: int, height: int) -> CountMap:
        """Return the map of these layers for a panel of width x height."""
        count, truncated = layers.count, layers.truncated
        odd = layers.odd & ~truncated
        rows, columns = (
            ((np.arange(shown) + 0.5) * size / shown).astype(np.int64)
            for shown, size in zip((height, width), count.shape, strict=True)
        )
        shown_count, shown_truncated = count[rows][:, columns], truncated[rows][:, columns]
        if height < count.shape[0] or width < count.shape[1]:
            shown_odd = _block_maximum(np.where(odd, count, 0), height, width)
            shown_count = np.where(shown_odd > 0, shown_odd, shown_count)
            shown_truncated = _block_maximum(truncated, height, width)
        return cls(
            count=shown_count,
            truncated=shown_truncated,
            max_count=int(np.max(count, where=~truncated, initial=0)),
            odd_pixels=int(odd.sum()),
            odd_label="odd" if layers.is_oriented else "unpaired",
            truncated_pixels=int(truncated.sum()),
        )

    @property
    def numbers(self) -> list[int]:
        """The numbers on the color bar. Crossings come in pairs: odd ones only if there are any."""
        return list(range(0, self.max_count + 1, 1 if self.odd_pixels else 2))

    @property
    def legend_height(self) -> int:
        """Height in pixels of the legend below the color bar."""
        return _LEGEND_LINE * (bool(self.odd_pixels) + bool(self.truncated_pixels))

    def image(self) -> ImageArray:
        """Return (h, w, 3) uint8 sRGB."""
        table = count_colors(self.max_count)
        image: ImageArray = table[np.minimum(self.count, self.max_count)]
        image[self.truncated] = TRUNCATED
        return image


def count_colors(max_count: int) -> ImageArray:
    """Return (max_count + 1, 3) uint8: the color of each number of crossings.

    Even numbers run from green to blue, odd ones from red to dark red. 0 is a miss.
    """
    number = np.arange(max_count + 1)
    level = number / max(1, max_count)
    is_odd = number % 2 == 1
    table = np.where(
        is_odd[:, None],
        sample_color_map("Reds", 0.55 + 0.35 * level),
        sample_color_map("GnBu", 0.3 + 0.7 * level),
    )
    table[0] = MISS
    return table


def draw_counts(canvas: Canvas, counts: CountMap, x: int, y: int, bar_width: int) -> None:
    """Draw the map under its name, a color bar of integers, and a legend of suspicious pixels."""
    height, width = counts.count.shape
    canvas.text(x, y, "crossings per pixel")
    canvas.panel(counts.image(), x, y + TITLE_HEIGHT, width, height)
    below = y + TITLE_HEIGHT + height + MARGIN // 2
    _draw_number_bar(canvas, counts, x, below, bar_width)
    below += BAR_HEIGHT + LABEL_HEIGHT + MARGIN // 2
    red, green, blue = (int(level) for level in sample_color_map("Reds", np.array(0.7)))
    for color, pixels, label in (
        ((red, green, blue), counts.odd_pixels, counts.odd_label),
        (TRUNCATED, counts.truncated_pixels, "cut short"),
    ):
        if pixels:
            text = f"{label}: {pixels:,} pixel{'s' if pixels > 1 else ''}"
            canvas.legend(x, below, bar_width, [(color, text)])
            below += _LEGEND_LINE


def _draw_number_bar(canvas: Canvas, counts: CountMap, x: int, y: int, width: int) -> None:
    numbers = np.array(counts.numbers)
    table = count_colors(counts.max_count)[numbers]
    canvas.panel(table[None, np.arange(width) * len(numbers) // width], x, y, width, BAR_HEIGHT)
    block = width / len(numbers)
    label_step = int(np.ceil((canvas.text_width(str(numbers[-1])) + 10.0) / block))
    labeled = list(range(0, len(numbers), label_step))
    # The largest number always has a label. The label before it goes if there is no room for both.
    if labeled[-1] != len(numbers) - 1:
        if len(numbers) - 1 - labeled[-1] < label_step and len(labeled) > 1:
            labeled.pop()
        labeled.append(len(numbers) - 1)
    for index in labeled:
        center = x + (index + 0.5) * block
        canvas.text(center, y + BAR_HEIGHT + 3, str(numbers[index]), "ma")


def _block_maximum(image: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """Return (height, width): the largest of the pixels that share a pixel of the result."""
    rows, columns = (
        np.arange(shown) * size // shown
        for shown, size in zip((height, width), image.shape, strict=True)
    )
    return np.maximum.reduceat(np.maximum.reduceat(image, rows, axis=0), columns, axis=1)
