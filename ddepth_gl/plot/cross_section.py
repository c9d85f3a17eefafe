"""The cross-section: one image row cut open, columns across and depth down, the solid filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import RequestError
from .canvas import INK, LABEL_HEIGHT, MARGIN, TITLE_HEIGHT, Canvas
from .color_scales import Color, ImageArray

if TYPE_CHECKING:
    from ..results.depth_layers import DepthLayers

__all__ = [
    "ENTRY",
    "EXIT",
    "SOLID",
    "UNPAIRED",
    "Section",
    "busiest_row",
    "draw_section",
    "section_height",
    "ticks",
]

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SOLID: Color = (190, 206, 224)
ENTRY: Color = (25, 90, 170)
EXIT: Color = (222, 110, 20)
UNPAIRED: Color = (250, 222, 222)
_GRID: Color = (232, 232, 232)
_MARK_HEIGHT = 2  # of a crossing, in pixels


def busiest_row(layers: DepthLayers) -> int:
    """Return the row with the most crossings.

    Ties go to the row nearest the middle, then to the upper one.
    """
    height, width = layers.camera.height, layers.camera.width
    crossings = np.diff(layers.offsets[::width])
    rows = np.flatnonzero(crossings == crossings.max())
    return int(rows[np.argmin(np.abs(2 * rows - (height - 1)))])


@dataclass(frozen=True, eq=False)
class Section:
    """The crossings and the solid along one row of the image; depths are in mesh units.

    Attributes:
        row: of the image, 0 at the top.
        width: of the image, in columns.
        column: (M,) int64 column of each crossing.
        depth: (M,) float64 depth of each crossing.
        entering: (M,) bool, True where the crossing is front-facing.
        solid_column: (N,) int64 column of each `DepthLayers.solid_pieces` piece.
        solid: (N, 2) float64 end depths of each piece; a start of 0 is a camera inside.
        unpaired: (width,) bool, columns without pieces because entries and exits do not balance:
            the surface is open there.
        is_cut: True if there are no pieces at all because `max_layers`, `near` or `far` cut
            crossings off.
    """

    row: int
    width: int
    column: IntArray
    depth: Float64Array
    entering: BoolArray
    solid_column: IntArray
    solid: Float64Array
    unpaired: BoolArray
    is_cut: bool

    @classmethod
    def of(cls, layers: DepthLayers, row: int) -> Section:
        """Return the section along one row.

        In a closed mesh that is wound outward, a ray with unbalanced entries and exits starts
        inside. In any other mesh there is a hole, and where the ray is inside is unknown.

        Args:
            layers: of the whole image.
            row: 0 is the top row.

        Raises:
            RequestError: there is no such row.
        """
        height, width = layers.camera.height, layers.camera.width
        if row not in range(height):
            raise RequestError(f"there is no row {row!r} in an image of {height} rows")
        row_layers = layers.rows(row, row + 1)
        solid_column, solid = np.zeros(0, np.int64), np.zeros((0, 2))
        unpaired = np.zeros(width, bool)
        if row_layers.is_complete:
            if not layers.is_oriented:
                _, inside_at_start = row_layers.nesting
                unpaired = inside_at_start != 0
            pixels, pieces = row_layers.solid_pieces
            is_known = ~unpaired[pixels]
            solid_column, solid = pixels[is_known], pieces[is_known].astype(np.float64)
        return cls(
            row=row,
            width=width,
            column=row_layers.pixel,
            depth=row_layers.depth.astype(np.float64),
            entering=row_layers.front_facing,
            solid_column=solid_column,
            solid=solid,
            unpaired=unpaired,
            is_cut=not row_layers.is_complete,
        )

    def depth_range(self) -> tuple[float, float]:
        """Return the depths to show: those of all crossings and pieces, and a margin of 6 %."""
        depths = np.concatenate([self.depth, self.solid.reshape(-1)])
        if not len(depths):
            return 0.0, 1.0
        low, high = float(depths.min()), float(depths.max())
        margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
        return low - margin, high + margin

    def image(
        self,
        width: int,
        height: int,
        depth_range: tuple[float, float],
        grid: Float64Array | None = None,
    ) -> ImageArray:
        """Return (height, width, 3) uint8 sRGB: columns across, near depths at the top.

        A piece covers exactly its columns and depths. A crossing is a mark of 2 pixels on the solid
        side: below an entry, above an exit. If the section is narrower than the image, columns that
        share a pixel are mixed, but marks keep their full color.

        Args:
            width: of the result, in pixels; a column is width / self.width wide.
            height: of the result.
            depth_range: depths at its top and bottom edges.
            grid: depths of horizontal lines behind everything else.
        """
        low, high = depth_range
        bins = min(width, self.width)  # the columns of the image that share a pixel are one bin

        def bin_of(column: IntArray) -> IntArray:
            return column * bins // self.width

        def y_of(depth: Float64Array) -> Float64Array:
            return (depth - low) * (height / (high - low))

        pixels = np.full((height, bins, 3), 255.0)
        pixels[:, bin_of(np.flatnonzero(self.unpaired))] = UNPAIRED
        if grid is not None:
            lines = np.floor(y_of(grid)).astype(np.int64)
            pixels[np.clip(lines, 0, height - 1)] = _GRID
        # The solid part of each pixel: each piece adds its share where it starts and subtracts it
        # where it ends; the running sum down the bin fills the pixels in between.
        change = np.zeros((height + 2, bins))
        share = 1.0 / np.bincount(bin_of(np.arange(self.width)), minlength=bins)
        for side, sign in ((0, 1.0), (1, -1.0)):
            y, bin_index = (
                np.clip(y_of(self.solid[:, side]), 0.0, height),
                bin_of(self.solid_column),
            )
            top = np.floor(y).astype(np.int64)
            np.add.at(change, (top, bin_index), sign * share[bin_index] * (1.0 - (y - top)))
            np.add.at(change, (top + 1, bin_index), sign * share[bin_index] * (y - top))
        # Rounding errors of the sum may leave the range.
        covered = np.clip(np.cumsum(change[:height], axis=0), 0.0, 1.0)[..., None]
        pixels += covered * (np.array(SOLID) - pixels)
        for entering, color in ((True, ENTRY), (False, EXIT)):
            marked = self.entering == entering
            y = np.rint(y_of(self.depth[marked])).astype(np.int64)
            for line in range(_MARK_HEIGHT):
                line_y = y + line if entering else y - 1 - line
                pixels[np.clip(line_y, 0, height - 1), bin_of(self.column[marked])] = color
        bin_of_pixel = (np.arange(width) * bins) // width
        image: ImageArray = np.rint(pixels).astype(np.uint8)[:, bin_of_pixel]
        return image


def ticks(low: float, high: float, max_steps: int) -> tuple[Float64Array, list[str]]:
    """Return round numbers from low to high and their labels.

    There are at most `max_steps` + 1 of them. They are 1, 2 or 5 times a power of ten apart.
    """
    rough = (high - low) / max(1, max_steps)
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(
        factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough * (1 - 1e-9)
    )
    numbers = step * np.arange(np.ceil(low / step - 1e-6), np.floor(high / step + 1e-6) + 1) + 0.0
    largest = max(abs(low), abs(high))
    decimals = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    if decimals <= 5 and largest < 1e7:
        return numbers, [f"{number:.{decimals}f}" for number in numbers]
    digits = max(
        1, int(np.floor(np.log10(largest) + 1e-9)) - int(np.floor(np.log10(step) + 1e-9)) + 1
    )
    return numbers, [f"{number:.{digits}g}" for number in numbers]


def section_height(height: int) -> int:
    """Return the pixels that `draw_section` needs, title, axis and legend included."""
    return TITLE_HEIGHT + height + 2 * LABEL_HEIGHT + MARGIN


def draw_section(canvas: Canvas, section: Section, x: int, y: int, width: int, height: int) -> None:
    """Draw the section with its title, axes and legend.

    Args:
        canvas: to draw on.
        section: to show.
        x, y: top left corner.
        width: of the whole, the numbers at the depth axis included.
        height: of the section alone; see `section_height`.
    """
    canvas.text(x, y, f"cut along row {section.row}: columns across, depth down")
    low, high = section.depth_range()
    depths, depth_labels = (
        ticks(low, high, max(2, height // 60)) if len(section.depth) else (np.zeros(0), [])
    )
    indent = int(max(map(canvas.text_width, depth_labels), default=0.0)) + 10
    left, top, right, bottom = x + indent, y + TITLE_HEIGHT, x + width, y + TITLE_HEIGHT + height
    image = section.image(right - left, height, (low, high), depths)
    canvas.panel(image, left, top, right - left, height)
    canvas.draw.rectangle((left - 1, top - 1, right, bottom), outline=INK)
    for depth, label in zip(depths, depth_labels, strict=True):
        tick_y = top + int((depth - low) / (high - low) * height)
        canvas.draw.line((left - 5, tick_y, left - 2, tick_y), INK)
        canvas.text(left - 8, tick_y, label, "rm")
    max_steps = max(1, min(section.width - 1, (right - left) // 90))
    columns, column_labels = (
        ticks(0, section.width - 1, max_steps) if section.width > 1 else (np.zeros(1), ["0"])
    )
    for column, label in zip(columns, column_labels, strict=True):
        tick_x = left + int((column + 0.5) * (right - left) / section.width)
        canvas.draw.line((tick_x, bottom + 1, tick_x, bottom + 4), INK)
        # A number extends at most half a margin beyond the right edge.
        center = min(tick_x, right + MARGIN // 2 - canvas.text_width(label) / 2)
        canvas.text(center, bottom + 6, label, "ma")
    legend: list[tuple[Color | None, str]] = [(ENTRY, "entry"), (EXIT, "exit")]
    if not len(section.depth):
        legend = [(None, "no crossing in this row")]
    elif section.is_cut:
        legend.append((None, "not filled: some crossings were cut away"))
    else:
        legend.insert(0, (SOLID, "solid"))
    if section.unpaired.any():
        legend.append((UNPAIRED, "unpaired, not filled"))
    canvas.legend(left, bottom + 6 + LABEL_HEIGHT + MARGIN // 2, right - left, legend)
