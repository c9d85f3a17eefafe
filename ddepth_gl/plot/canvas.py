"""Canvas: a white image that images, color bars, legends and text are drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .color_scales import Color, ImageArray, ValueRange, colorize

__all__ = [
    "BAR_HEIGHT",
    "GRAY_INK",
    "INK",
    "LABEL_HEIGHT",
    "MARGIN",
    "PAPER",
    "TITLE_HEIGHT",
    "Canvas",
]

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

MARGIN, TITLE_HEIGHT, BAR_HEIGHT, LABEL_HEIGHT = 16, 34, 14, 18
PAPER: Color = (255, 255, 255)
INK: Color = (40, 40, 40)
GRAY_INK: Color = (140, 140, 140)
_SWATCH_SIZE, _LEGEND_GAP = 11, 18  # the color square of a legend entry; the gap after an entry


@dataclass(frozen=True)
class Canvas:
    """An RGB image to draw on.

    Coordinates are pixels from the top left corner, x to the right and y down.

    Attributes:
        image: Pillow's image.
        draw: Pillow's drawing functions for it.
        font: for all text but headlines.
    """

    image: Image.Image
    draw: ImageDraw.ImageDraw
    font: Font

    @classmethod
    def blank(cls, width: int, height: int) -> Canvas:
        """Return an empty canvas."""
        image = Image.new("RGB", (width, height), PAPER)
        return cls(image, ImageDraw.Draw(image), ImageFont.load_default(15))

    def text(self, x: float, y: float, text: str, anchor: str = "la", color: Color = INK) -> None:
        """Draw text whose anchor is at (x, y).

        Args:
            x, y: in pixels.
            text: one line.
            anchor: as in Pillow; "la" is the top left corner.
            color: of the letters.
        """
        self.draw.text((x, y), text, color, self.font, anchor=anchor)

    def headline(self, x: float, y: float, text: str, width: int) -> None:
        """Draw larger text on one line, shortened to `width` pixels."""
        font = ImageFont.load_default(18)
        self.draw.text((x, y), _shortened(text, font, width), INK, font)

    def text_width(self, text: str) -> float:
        """Return the width of a text in pixels."""
        return self.font.getlength(text)

    def panel(self, image: ImageArray, x: int, y: int, width: int, height: int) -> None:
        """Draw an image, resized to width x height: enlarged pixels stay squares, others average.

        Args:
            image: (h, w, 3), or with alpha (h, w, 4), uint8.
            x, y: top left corner.
            width, height: of the panel.
        """
        is_enlarged = width >= image.shape[1] and height >= image.shape[0]
        resampling = Image.Resampling.NEAREST if is_enlarged else Image.Resampling.BOX
        panel = Image.fromarray(image).resize((width, height), resampling)
        self.image.paste(panel, (x, y), panel if panel.mode == "RGBA" else None)

    def color_bar(self, x: int, y: int, width: int, color_map: str, limits: ValueRange) -> None:
        """Draw the colors of a scale; below them, the values at both ends and in the middle."""
        below = y + BAR_HEIGHT + 3
        if limits is None:
            self.text(x, y, "no value anywhere")
            return
        levels = np.linspace(*limits, width)[None, :].repeat(BAR_HEIGHT, axis=0)
        self.image.paste(Image.fromarray(colorize(levels, color_map, limits)), (x, y))
        low, middle, high = _bar_labels(limits)
        self.text(x, below, low)
        if high != low:
            self.text(x + width, below, high, "ra")
            if 4.0 * self.text_width(low + high + middle) < 3.0 * width:
                self.text(x + width / 2, below, middle, "ma")

    def legend(
        self, x: float, y: float, width: float, entries: Sequence[tuple[Color | None, str]]
    ) -> None:
        """Draw entries side by side, each a color square and a text, within `width` pixels.

        Args:
            x, y: top left corner.
            width: available; texts are shortened to fit.
            entries: (color, text) pairs; the color None draws no square.
        """
        right = x + width
        for color, text in entries:
            if color is not None:
                square = (x, y + 4, x + _SWATCH_SIZE - 1, y + 4 + _SWATCH_SIZE - 1)
                self.draw.rectangle(square, color)
                x += _SWATCH_SIZE + 6
            text = _shortened(text, self.font, right - x)
            self.text(x, y, text)
            x += self.text_width(text) + _LEGEND_GAP


def _bar_labels(limits: tuple[float, float]) -> list[str]:
    """Return low end, middle and high end, with enough digits to tell them apart."""
    low, high = limits
    digits = 4
    if high > low:
        digits += int(min(5, max(0, np.log10(max(abs(low), abs(high)) / (high - low)))))
    return [f"{value:.{digits}g}" for value in (low, low + (high - low) / 2.0, high)]


def _shortened(text: str, font: Font, width: float) -> str:
    """Return the text as one line of at most `width` pixels.

    The middle of a longer text is left out: both ends of a file name tell files apart.
    """
    line = flat = "".join(letter if letter.isprintable() else " " for letter in text)
    length = len(flat)
    while font.getlength(line) > width and length > 1:
        length -= 1
        line = f"{flat[: length // 2]}...{flat[len(flat) - (length - length // 2) :]}"
    return line
