"""The cross-section: one row of the image cut open, what is solid between the crossings filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import RequestError
from .panels import INK, LABEL, MARGIN, TITLE, Color, Picture, Sheet

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
_MARK = 2  # pixels that a crossing is high


def busiest_row(layers: DepthLayers) -> int:
    """The row with the most crossings; of several the one nearest to the middle, then the upper one."""
    height, width = layers.camera.height, layers.camera.width
    crossings = np.diff(layers.offsets[::width])
    rows = np.flatnonzero(crossings == crossings.max())
    return int(rows[np.argmin(np.abs(2 * rows - (height - 1)))])


@dataclass(frozen=True, eq=False)
class Section:
    """What one row of the image cuts: columns across, depths in mesh units.

    Attributes:
        row: of the image.
        width: columns of the image.
        column: (M,) int64 column of each crossing in the row.
        depth: (M,) float64 of each crossing.
        entering: (M,) bool, whether the crossing is an entry.
        solid_column: (N,) int64 column of each piece inside the solid, see `DepthLayers.solid_pieces`.
        solid: (N, 2) float64 depths at which a piece begins and ends; 0 where the camera is inside of it.
        unpaired: (width,) bool, columns with no pieces because entries and exits do not balance: the
            surface is open there.
        is_cut: whether there are no pieces at all because `max_layers`, `near` or `far` cut crossings away.
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
        """The section along one row.

        Of a mesh that is closed and wound outward, a ray whose entries and exits do not balance begins
        inside; of any other there is a hole, and it is not known where the ray is inside.

        Args:
            layers: of the whole image.
            row: 0 is the top row.

        Raises:
            RequestError: there is no such row.
        """
        height, width = layers.camera.height, layers.camera.width
        if row not in range(height):
            raise RequestError(f"there is no row {row!r} in an image of {height} rows")
        of_row = layers.rows(row, row + 1)
        solid_column, solid, unpaired = (
            np.zeros(0, np.int64),
            np.zeros((0, 2)),
            np.zeros(width, bool),
        )
        if of_row.is_complete:
            if not layers.is_oriented:
                _, inside_at_start = of_row.nesting
                unpaired = inside_at_start != 0
            pixels, pieces = of_row.solid_pieces
            is_known = ~unpaired[pixels]
            solid_column, solid = pixels[is_known], pieces[is_known].astype(np.float64)
        return cls(
            row=row,
            width=width,
            column=of_row.pixel,
            depth=of_row.depth.astype(np.float64),
            entering=of_row.front_facing,
            solid_column=solid_column,
            solid=solid,
            unpaired=unpaired,
            is_cut=not of_row.is_complete,
        )

    def depth_range(self) -> tuple[float, float]:
        """The depths to show: all crossings and pieces, and a little room before and after them."""
        depths = np.concatenate([self.depth, self.solid.reshape(-1)])
        if not len(depths):
            return 0.0, 1.0
        low, high = float(depths.min()), float(depths.max())
        room = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
        return low - room, high + room

    def picture(
        self,
        width: int,
        height: int,
        depth_range: tuple[float, float],
        grid: Float64Array | None = None,
    ) -> Picture:
        """(height, width, 3) uint8 sRGB: columns across, the near end of the range at the top.

        A piece covers exactly its columns and depths; a crossing is a mark of 2 pixels behind an entry or
        before an exit, where its solid is. Where the picture is narrower than the image, the pixels of
        several columns are mixed, and marks stay marks.

        Args:
            width: of the picture; a column is width / self.width wide.
            height: of the picture.
            depth_range: depths of its upper and lower edge.
            grid: depths of the lines behind everything.
        """
        low, high = depth_range
        bins = min(
            width, self.width
        )  # columns of the image that share a column of the picture are a bin

        def bin_of(column: IntArray) -> IntArray:
            return column * bins // self.width

        def row_at(depth: Float64Array) -> Float64Array:
            return (depth - low) * (height / (high - low))

        canvas = np.full((height, bins, 3), 255.0)
        canvas[:, bin_of(np.flatnonzero(self.unpaired))] = UNPAIRED
        if grid is not None:
            canvas[_pixel(row_at(grid), height)] = _GRID
        # How much of each pixel is solid: every piece adds its share where it begins and takes it away where
        # it ends, and the running sum down the column does the rest.
        change = np.zeros((height + 2, bins))
        share = 1.0 / np.bincount(bin_of(np.arange(self.width)), minlength=bins)
        for side, sign in ((0, 1.0), (1, -1.0)):
            at, into = np.clip(row_at(self.solid[:, side]), 0.0, height), bin_of(self.solid_column)
            whole = np.floor(at).astype(np.int64)
            np.add.at(change, (whole, into), sign * share[into] * (1.0 - (at - whole)))
            np.add.at(change, (whole + 1, into), sign * share[into] * (at - whole))
        # Sums of many shares are off in the last digits.
        covered = np.clip(np.cumsum(change[:height], axis=0), 0.0, 1.0)[..., None]
        canvas += covered * (np.array(SOLID) - canvas)
        for entering, color in ((True, ENTRY), (False, EXIT)):
            marked = self.entering == entering
            at = np.rint(row_at(self.depth[marked])).astype(np.int64)
            for line in range(_MARK):
                line_at = at + line if entering else at - 1 - line
                canvas[np.clip(line_at, 0, height - 1), bin_of(self.column[marked])] = color
        across = (np.arange(width) * bins) // width
        picture: Picture = np.rint(canvas).astype(np.uint8)[:, across]
        return picture


def _pixel(at: Float64Array, size: int) -> IntArray:
    return np.clip(np.floor(at).astype(np.int64), 0, size - 1)


def ticks(low: float, high: float, most: int) -> tuple[Float64Array, list[str]]:
    """Round numbers from low to high, at most `most` + 1 of them, and how they are written.

    They are 1, 2 or 5 times a power of ten apart.
    """
    rough = (high - low) / max(1, most)
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
    """Pixels that `draw_section` takes, with its name, numbers and legend, for a section of `height`."""
    return TITLE + height + 2 * LABEL + MARGIN


def draw_section(sheet: Sheet, section: Section, x: int, y: int, width: int, height: int) -> None:
    """The section under its name, with its axes and the meaning of its colors.

    Args:
        sheet: what to draw on.
        section: what to draw.
        x: of the left end, in pixels of the sheet.
        y: of the upper end.
        width: of all together, with the numbers at the depth axis.
        height: of the section alone.
    """
    sheet.text(x, y, f"cut along row {section.row}: columns across, depth down")
    low, high = section.depth_range()
    depths, depth_labels = (
        ticks(low, high, max(2, height // 60)) if len(section.depth) else (np.zeros(0), [])
    )
    indent = int(max(map(sheet.length, depth_labels), default=0.0)) + 10
    left, top, right, bottom = x + indent, y + TITLE, x + width, y + TITLE + height
    sheet.panel(
        section.picture(right - left, height, (low, high), depths), left, top, right - left, height
    )
    sheet.draw.rectangle((left - 1, top - 1, right, bottom), outline=INK)
    for depth, label in zip(depths, depth_labels, strict=True):
        at = top + int((depth - low) / (high - low) * height)
        sheet.draw.line((left - 5, at, left - 2, at), INK)
        sheet.text(left - 8, at, label, "rm")
    most = max(1, min(section.width - 1, (right - left) // 90))
    columns, column_labels = (
        ticks(0, section.width - 1, most) if section.width > 1 else (np.zeros(1), ["0"])
    )
    for column, label in zip(columns, column_labels, strict=True):
        at = left + int((column + 0.5) * (right - left) / section.width)
        sheet.draw.line((at, bottom + 1, at, bottom + 4), INK)
        # No number hangs over the right end by more than half a margin.
        middle = min(at, right + MARGIN // 2 - sheet.length(label) / 2)
        sheet.text(middle, bottom + 6, label, "ma")
    legend: list[tuple[Color | None, str]] = [(ENTRY, "entry"), (EXIT, "exit")]
    if not len(section.depth):
        legend = [(None, "no crossing in this row")]
    elif section.is_cut:
        legend.append((None, "not filled: some crossings were cut away"))
    else:
        legend.insert(0, (SOLID, "solid"))
    if section.unpaired.any():
        legend.append((UNPAIRED, "unpaired, not filled"))
    sheet.legend(left, bottom + 6 + LABEL + MARGIN // 2, right - left, legend)
