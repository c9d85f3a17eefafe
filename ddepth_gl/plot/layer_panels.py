"""Two ways to look at all layers from the camera: the first ones one by one, and how many there are where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .panels import (
    BAR,
    FAINT,
    LABEL,
    MARGIN,
    MISS,
    TITLE,
    Color,
    Picture,
    Sheet,
    Span,
    colors,
    ramp,
)

if TYPE_CHECKING:
    from ..results.depth_layers import DepthLayers

__all__ = ["CUT_SHORT", "CountMap", "count_colors", "draw_counts", "draw_layers", "layer_image"]

CUT_SHORT: Color = (
    250,
    190,
    20,
)  # a pixel with more crossings than max_layers; no count has this color
_SCALE = "viridis_r"
_LINE = LABEL + 4  # of the words below the count map


def layer_image(layers: DepthLayers, layer: int, step: int) -> npt.NDArray[np.float32]:
    """(h, w) float32: depths of one layer at every step-th row and column, NaN where there is no crossing.

    Read from the crossings of those pixels alone, so a large image takes no more memory than its picture.
    """
    height, width = layers.camera.height, layers.camera.width
    pixel = np.arange(0, height, step)[:, None] * width + np.arange(0, width, step)
    crossing = layers.offsets[pixel] + layer
    is_there = crossing < layers.offsets[pixel + 1]
    image = np.full(pixel.shape, np.nan, dtype=np.float32)
    image[is_there] = layers.depth[crossing[is_there]]
    return image


def draw_layers(
    sheet: Sheet, layers: DepthLayers, x: int, y: int, size: tuple[int, int], step: int, slots: int
) -> None:
    """The first layers side by side, each under its name, above one color bar for all crossings.

    Beside the name, where there is room, is how many pixels have so many crossings.

    Args:
        sheet: what to draw on.
        layers: what to draw.
        x: of the left end, in pixels of the sheet.
        y: of the upper end.
        size: (width, height) of a panel.
        step: from the left end of one panel to that of the next.
        slots: panels there is room for; the last one says how many layers have none.
    """
    width, height = size
    count = layers.count
    total = max(1, int(count.max()))  # one empty panel where there is no layer
    shown = total if total <= slots else slots - 1
    scale: Span = (
        (float(layers.depth.min()), float(layers.depth.max())) if len(layers.depth) else None
    )
    thinning = max(1, max(layers.camera.height, layers.camera.width) // (2 * max(size)))
    for layer in range(shown):
        left = x + layer * step
        name, pixels = f"layer {layer + 1}", f"{np.count_nonzero(count > layer):,} px"
        sheet.text(left, y, name)
        if sheet.length(name) + sheet.length(pixels) + MARGIN <= width:
            sheet.text(left + width, y, pixels, "ra", FAINT)
        picture = colors(layer_image(layers, layer, thinning), _SCALE, scale)
        sheet.panel(picture, left, y + TITLE, width, height)
    if shown < total:
        left, width_left = x + shown * step, step - MARGIN
        words = f"{total - shown} more layers"
        sheet.text(left, y, words if sheet.length(words) <= width_left else f"{total - shown} more")
    sheet.color_bar(x, y + TITLE + height + MARGIN // 2, slots * step - MARGIN, _SCALE, scale)


@dataclass(frozen=True, eq=False)
class CountMap:
    """Crossings of each pixel, at the size they are shown in.

    Of an image that is larger than its picture, the pixels in between are left out, but none that is odd
    or cut short: a single one is what a person looks for.

    Attributes:
        count: (h, w) int32, crossings.
        cut_short: (h, w) bool, where `max_layers` left crossings out.
        most: the greatest number of crossings of a pixel that was not cut short.
        odd_pixels: of the whole image, how many have an odd number of crossings and were not cut short.
        odd_word: what an odd number is called: in a closed mesh it only says that the ray begins inside.
        cut_pixels: of the whole image, how many were cut short.
    """

    count: npt.NDArray[np.int32]
    cut_short: npt.NDArray[np.bool_]
    most: int
    odd_pixels: int
    odd_word: str
    cut_pixels: int

    @classmethod
    def of(cls, layers: DepthLayers, width: int, height: int) -> CountMap:
        """The map of layers for a panel of width x height."""
        count, cut = layers.count, layers.truncated
        odd = layers.odd & ~cut
        rows, columns = (
            ((np.arange(wanted) + 0.5) * size / wanted).astype(np.int64)
            for wanted, size in zip((height, width), count.shape, strict=True)
        )
        shown, cut_shown = count[rows][:, columns], cut[rows][:, columns]
        if height < count.shape[0] or width < count.shape[1]:
            odd_shown = _greatest(np.where(odd, count, 0), height, width)
            shown = np.where(odd_shown > 0, odd_shown, shown)
            cut_shown = _greatest(cut, height, width)
        most = int(np.max(count, where=~cut, initial=0))
        word = "odd" if layers.is_oriented else "unpaired"
        return cls(shown, cut_shown, most, int(odd.sum()), word, int(cut.sum()))

    @property
    def numbers(self) -> list[int]:
        """The numbers on the color bar: crossings come in pairs, so odd ones only where there are any."""
        return list(range(0, self.most + 1, 1 if self.odd_pixels else 2))

    @property
    def legend_height(self) -> int:
        """Pixels that the words below the color bar take."""
        return _LINE * (bool(self.odd_pixels) + bool(self.cut_pixels))

    def picture(self) -> Picture:
        """(h, w, 3) uint8 sRGB."""
        table = count_colors(self.most)
        picture: Picture = table[np.minimum(self.count, self.most)]
        picture[self.cut_short] = CUT_SHORT
        return picture


def count_colors(most: int) -> Picture:
    """(most + 1, 3) uint8: even numbers from green to blue, odd ones from red to dark red, 0 as a miss."""
    number = np.arange(most + 1)
    level = number / max(1, most)
    is_odd = number % 2 == 1
    table = np.where(
        is_odd[:, None], ramp("Reds", 0.55 + 0.35 * level), ramp("GnBu", 0.3 + 0.7 * level)
    )
    table[0] = MISS
    return table


def draw_counts(sheet: Sheet, counts: CountMap, x: int, y: int, bar_width: int) -> None:
    """The count map under its name, with a color bar of integers and what there is to mind."""
    height, width = counts.count.shape
    sheet.text(x, y, "crossings per pixel")
    sheet.panel(counts.picture(), x, y + TITLE, width, height)
    below = y + TITLE + height + MARGIN // 2
    _number_bar(sheet, counts, x, below, bar_width)
    below += BAR + LABEL + MARGIN // 2
    reddest = tuple(int(level) for level in ramp("Reds", np.array(0.7)))
    for color, number, what in (
        ((reddest[0], reddest[1], reddest[2]), counts.odd_pixels, counts.odd_word),
        (CUT_SHORT, counts.cut_pixels, "cut short"),
    ):
        if number:
            words = f"{what}: {number:,} pixel{'s' if number > 1 else ''}"
            sheet.legend(x, below, bar_width, [(color, words)])
            below += _LINE


def _number_bar(sheet: Sheet, counts: CountMap, x: int, y: int, width: int) -> None:
    numbers = np.array(counts.numbers)
    table = count_colors(counts.most)[numbers]
    sheet.panel(table[None, np.arange(width) * len(numbers) // width], x, y, width, BAR)
    block = width / len(numbers)
    apart = int(np.ceil((sheet.length(str(numbers[-1])) + 10.0) / block))
    labeled = list(range(0, len(numbers), apart))
    # The greatest number is always told; the one before it makes room where it has to.
    if labeled[-1] != len(numbers) - 1:
        if len(numbers) - 1 - labeled[-1] < apart and len(labeled) > 1:
            labeled.pop()
        labeled.append(len(numbers) - 1)
    for index in labeled:
        sheet.text(x + (index + 0.5) * block, y + BAR + 3, str(numbers[index]), "ma")


def _greatest(image: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """(height, width): the greatest of the pixels that share a pixel of the smaller image."""
    rows, columns = (
        np.arange(wanted) * size // wanted
        for wanted, size in zip((height, width), image.shape, strict=True)
    )
    return np.maximum.reduceat(np.maximum.reduceat(image, rows, axis=0), columns, axis=1)
