"""The count map: how many crossings each pixel's ray has, and where that number is suspicious."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, to_rgb
from matplotlib.image import AxesImage
from matplotlib.patches import Patch

from .color_scales import MISS, ink_on
from .page import TEXT_SIZE
from .panels import strip_axes

__all__ = [
    "CUT_SHORT",
    "TRUNCATED",
    "CountMap",
    "count_colors",
    "count_labels",
    "draw_counts",
    "suspicious_pixels",
]

TRUNCATED = "#000000"  # a pixel with more crossings than max_layers; not a count's color
CUT_SHORT = -2  # in place of its count; below all steps of the scale, which may start at -1


@dataclass(frozen=True, eq=False)
class CountMap:
    """The number of crossings of each pixel.

    Attributes:
        count: (H, W) int32 number of crossings.
        truncated: (H, W) bool, where `max_layers` left crossings out.
    """

    count: npt.NDArray[np.int32]
    truncated: npt.NDArray[np.bool_]

    @cached_property
    def odd(self) -> npt.NDArray[np.bool_]:
        """(H, W) bool: an odd number of crossings, and none left out."""
        odd = (self.count & 1).astype(np.bool_)
        odd &= ~self.truncated
        return odd

    @cached_property
    def numbers(self) -> list[int]:
        """The numbers on the color bar. Crossings come in pairs: odd ones only if there are any."""
        largest = int(np.max(self.count, where=~self.truncated, initial=0))
        return list(range(0, largest + 1, 1 if self.odd.any() else 2))

    def thinned(self, max_pixels: int) -> npt.NDArray[np.int32]:
        """Return at most `max_pixels` numbers along each side; `CUT_SHORT` is a truncated pixel.

        A single odd or truncated pixel matters to the viewer, so it takes all pixels beside it.
        """
        shape = self.count.shape
        if max(shape) <= max_pixels:
            return np.where(self.truncated, np.int32(CUT_SHORT), self.count)
        shown = tuple(-(-side * max_pixels // max(shape)) for side in shape)
        rows, columns = (
            ((np.arange(n) + 0.5) * side / n).astype(np.int64)
            for n, side in zip(shown, shape, strict=True)
        )
        image: npt.NDArray[np.int32] = self.count[rows[:, None], columns]
        if self.odd.any():  # the maxima of large images take a while
            odd = _block_maximum(np.where(self.odd, self.count, 0), shown)
            np.copyto(image, odd, where=odd > 0)
        if self.truncated.any():
            image[_block_maximum(self.truncated, shown)] = CUT_SHORT
        return image


def count_colors(numbers: list[int]) -> npt.NDArray[np.float64]:
    """Return (N, 3) sRGB from 0 to 1: the color of each number of crossings.

    Even numbers run from light green to dark blue, odd ones from orange to brown. 0 is a miss.
    """
    level = np.array(numbers) / max(1, *numbers)
    even, odd = colormaps["GnBu"](0.3 + 0.7 * level), colormaps["YlOrBr"](0.45 + 0.4 * level)
    table = np.where((np.array(numbers) % 2 == 1)[:, None], odd, even)[:, :3]
    table[0] = to_rgb(MISS)
    return table


def draw_counts(
    axes: Axes, counts: CountMap, max_pixels: int, text_size: float = TEXT_SIZE
) -> AxesImage:
    """Draw the map with at most `max_pixels` along each side."""
    numbers = counts.numbers
    colors = ListedColormap(count_colors(numbers)).with_extremes(under=TRUNCATED)
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 2
    edges = [number - step / 2.0 for number in (*numbers, numbers[-1] + step)]
    height, width = counts.count.shape
    image = axes.imshow(
        counts.thinned(max_pixels), cmap=colors, norm=BoundaryNorm(edges, len(numbers)),
        extent=(0, width, height, 0), origin="upper", aspect="equal", interpolation="nearest",
    )  # fmt: skip
    strip_axes(axes, width, height)
    axes.set_title("crossings per pixel", loc="left", y=1.0, fontsize=text_size, color=ink_on(axes))
    return image


def count_labels(counts: CountMap) -> list[tuple[float, str]]:
    """Return the labels of the color bar: position from 0 to 1, and number. There are at most 8."""
    numbers = counts.numbers
    labels = [((k + 0.5) / len(numbers), str(number)) for k, number in enumerate(numbers)]
    step = -(-len(numbers) // 8)
    return labels[(len(numbers) - 1) % step :: step]  # the largest number always has a label


def suspicious_pixels(counts: CountMap) -> list[Patch]:
    """Return the legend's entries: odd pixels and truncated ones, with their numbers."""
    entries = []
    for color, pixels, label in (
        (colormaps["YlOrBr"](0.65), counts.odd, "odd"),
        (TRUNCATED, counts.truncated, "cut short"),
    ):
        if number := int(np.count_nonzero(pixels)):
            text = f"{label}: {number:,} pixel{'s' * (number > 1)}"
            entries.append(Patch(facecolor=color, label=text))
    return entries


def _block_maximum(image: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return an image of `shape`: the largest of the pixels that share a pixel of the result."""
    rows, columns = (
        np.arange(shown) * size // shown for shown, size in zip(shape, image.shape, strict=True)
    )
    return np.maximum.reduceat(np.maximum.reduceat(image, rows, axis=0), columns, axis=1)
