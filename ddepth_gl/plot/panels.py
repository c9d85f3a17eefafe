"""What the preview picture is drawn with: a sheet of paper; panels, color bars, legends and text on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from cmap import Colormap
from PIL import Image, ImageDraw, ImageFont

__all__ = [
    "BAR",
    "FAINT",
    "INK",
    "LABEL",
    "MARGIN",
    "MISS",
    "PANEL",
    "PAPER",
    "TITLE",
    "Color",
    "Picture",
    "Sheet",
    "Span",
    "colors",
    "fitting",
    "ramp",
    "span_of",
]

Picture = npt.NDArray[np.uint8]
Span = tuple[float, float] | None
Color = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PANEL = 384  # pixels of a panel's longer side
MARGIN, TITLE, BAR, LABEL = 16, 34, 14, 18
PAPER, INK, FAINT, MISS = (255, 255, 255), (40, 40, 40), (140, 140, 140), (236, 236, 236)
_SWATCH, _GAP = 11, 18  # of a legend: the square of color, the room between two entries


@dataclass(frozen=True)
class Sheet:
    """A sheet of white paper. Places are in pixels from its upper left corner, x to the right and y down."""

    image: Image.Image
    draw: ImageDraw.ImageDraw
    font: Font

    @classmethod
    def blank(cls, width: int, height: int) -> Sheet:
        """A sheet with nothing on it."""
        image = Image.new("RGB", (width, height), PAPER)
        return cls(image, ImageDraw.Draw(image), ImageFont.load_default(15))

    def text(self, x: float, y: float, words: str, anchor: str = "la", color: Color = INK) -> None:
        """Words; `anchor` is Pillow's: which point of theirs is at (x, y), "la" the upper left one."""
        self.draw.text((x, y), words, color, self.font, anchor=anchor)

    def headline(self, x: float, y: float, words: str, width: int) -> None:
        """Larger words on one line that is no longer than `width`."""
        font = ImageFont.load_default(18)
        self.draw.text((x, y), fitting(words, font, width), INK, font)

    def length(self, words: str) -> float:
        """How wide the words are."""
        return self.font.getlength(words)

    def panel(self, picture: Picture, x: int, y: int, width: int, height: int) -> None:
        """A picture, (h, w, 3) or with alpha (h, w, 4) uint8, in a panel of width x height.

        Enlarged pixels stay pixels; a reduced picture is averaged.
        """
        is_enlarged = width >= picture.shape[1] and height >= picture.shape[0]
        resampling = Image.Resampling.NEAREST if is_enlarged else Image.Resampling.BOX
        panel = Image.fromarray(picture).resize((width, height), resampling)
        self.image.paste(panel, (x, y), panel if panel.mode == "RGBA" else None)

    def color_bar(self, x: int, y: int, width: int, name: str, span: Span) -> None:
        """The colors of a scale, BAR high, and the numbers at its ends and in its middle below it."""
        below = y + BAR + 3
        if span is None:
            self.text(x, y, "no value anywhere")
            return
        levels = np.linspace(*span, width)[None, :].repeat(BAR, axis=0)
        self.image.paste(Image.fromarray(colors(levels, name, span)), (x, y))
        low, middle, high = _labels(span)
        self.text(x, below, low)
        if high != low:
            self.text(x + width, below, high, "ra")
            if 4.0 * self.length(low + high + middle) < 3.0 * width:
                self.text(x + width / 2, below, middle, "ma")

    def legend(
        self, x: float, y: float, width: float, entries: Sequence[tuple[Color | None, str]]
    ) -> None:
        """Entries, a square of a color and its meaning, on one line that is no longer than `width`."""
        right = x + width
        for color, words in entries:
            if color is not None:
                square = (x, y + 4, x + _SWATCH - 1, y + 4 + _SWATCH - 1)
                self.draw.rectangle(square, color)
                x += _SWATCH + 6
            words = fitting(words, self.font, right - x)
            self.text(x, y, words)
            x += self.length(words) + _GAP


def span_of(*arrays: npt.NDArray[Any]) -> Span:
    """The least and the greatest number in the arrays, or None where there is none."""
    values = np.concatenate([array[~np.isnan(array)] for array in arrays])
    return (float(values.min()), float(values.max())) if len(values) else None


def ramp(name: str, levels: npt.NDArray[np.float64]) -> Picture:
    """(..., 3) uint8: the colors of a color map at levels from 0 to 1."""
    table = np.rint(255.0 * np.asarray(Colormap(name).lut(256))[:, :3]).astype(np.uint8)
    picture: Picture = table[np.rint(255.0 * levels).astype(np.uint8)]
    return picture


def colors(values: npt.NDArray[Any], name: str, span: Span) -> Picture:
    """(H, W, 3) uint8: the values (H, W) on a scale from one end of `span` to the other; NaN is MISS."""
    low, high = span or (0.0, 1.0)
    level = (values.astype(np.float64) - low) / ((high - low) or 1.0)
    picture = ramp(name, np.nan_to_num(level))
    picture[np.isnan(values)] = MISS
    return picture


def _labels(span: tuple[float, float]) -> list[str]:
    """Lower end, middle and upper end, with as many digits as it takes to tell them apart."""
    low, high = span
    digits = 4
    if high > low:
        digits += int(min(5, max(0, np.log10(max(abs(low), abs(high)) / (high - low)))))
    return [f"{value:.{digits}g}" for value in (low, low + (high - low) / 2.0, high)]


def fitting(text: str, font: Font, width: float) -> str:
    """The text on one line, its middle left out where it is too long: both its ends tell files apart."""
    line = flat = "".join(letter if letter.isprintable() else " " for letter in text)
    kept = len(flat)
    while font.getlength(line) > width and kept > 1:
        kept -= 1
        line = f"{flat[: kept // 2]}...{flat[len(flat) - (kept - kept // 2) :]}"
    return line
