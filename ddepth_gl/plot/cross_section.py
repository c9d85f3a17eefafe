"""The cross-section: one row or column of the image cut open, the solid filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import ScaledTranslation, Transform

from .color_scales import PAPER, ink_on
from .page import TEXT_SIZE

__all__ = ["ENTRY", "EXIT", "SOLID", "UNKNOWN", "Section", "depth_format", "draw_section"]

SOLID, ENTRY, EXIT, UNKNOWN = "#becee0", "#195aaa", "#de6e14", "#fbe9c6"
_GRID = "#e8e8e8"
_LINE_WIDTH = 1.4  # of a crossing, in points
_TICK_STEPS = [1, 2, 5, 10]


@dataclass(frozen=True, eq=False)
class Section:
    """The crossings and the solid along one row or column of the image; depths in mesh units.

    Attributes:
        along: "row" or "column".
        index: of that row or column.
        length: its number of pixels.
        pixel: (M,) position of each crossing in the row or column.
        depth: (M,) depth of each crossing.
        entering: (M,) bool, True where the crossing is front-facing.
        solid_pixel: (N,) position of each piece of a ray inside the solid.
        solid: (N, 2) end depths of each piece; a start of 0 is a camera inside.
        unknown: (length,) bool, rays without pieces because they meet open bodies alone, or because
            entries and exits do not balance: nothing tells what is solid there.
        is_cut: True if there are no pieces at all because `max_layers`, `near` or `far` cut
            crossings off.
    """

    along: Literal["row", "column"]
    index: int
    length: int
    pixel: npt.NDArray[np.int64]
    depth: npt.NDArray[Any]
    entering: npt.NDArray[np.bool_]
    solid_pixel: npt.NDArray[np.int64]
    solid: npt.NDArray[Any]
    unknown: npt.NDArray[np.bool_]
    is_cut: bool

    def depth_range(self) -> tuple[float, float]:
        """Return the depths to show: those of all crossings and pieces, and a margin of 6 %."""
        depths = np.concatenate([self.depth, self.solid.reshape(-1)]).astype(np.float64)
        depths = depths[np.isfinite(depths)]
        if not len(depths):
            return 0.0, 1.0
        low, high = float(depths.min()), float(depths.max())
        margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
        return low - margin, high + margin


def draw_section(axes: Axes, section: Section, text_size: float = TEXT_SIZE) -> None:
    """Draw a section: of a row with depth down, of a column with depth to the right.

    Positions are image coordinates: pixel k extends from k to k + 1. A crossing is a line on the
    solid side of its depth, behind an entry, before an exit: touching bodies show both.
    """
    is_row = section.along == "row"
    low, high = section.depth_range()
    tint = np.tile([low, high], (section.length, 1))[section.unknown]
    for pixel, ends, color in (
        (np.flatnonzero(section.unknown), tint, UNKNOWN),
        (section.solid_pixel, section.solid, SOLID),
    ):
        # The thin edges close the hairlines between neighbors.
        boxes = Path.make_compound_path_from_polys(_boxes(pixel, ends, is_row))
        _add(axes, PathPatch(boxes, facecolor=color, edgecolor=color, linewidth=0.3))
    points = _LINE_WIDTH / 2.0 / 72.0
    for counted, color, side in ((section.entering, ENTRY, 1), (~section.entering, EXIT, -1)):
        pixel, depth = section.pixel[counted], section.depth[counted].astype(np.float64)
        shift = (0.0, -side * points) if is_row else (side * points, 0.0)
        edges = _boxes(pixel, np.stack([depth, depth], axis=1), is_row)[:, :2].reshape(-1, 2)
        codes = np.tile(np.array([Path.MOVETO, Path.LINETO], Path.code_type), len(edges) // 2)
        lines = PathPatch(
            Path(edges, codes), fill=False, edgecolor=color, linewidth=_LINE_WIDTH, capstyle="butt"
        )
        moved = axes.transData + ScaledTranslation(*shift, axes.figure.dpi_scale_trans)
        _add(axes, lines, moved)
    _label_axes(axes, section, (low, high), text_size)


def _add(axes: Axes, patch: PathPatch, transform: Transform | None = None) -> None:
    """Add a patch that does not change the limits, on whole pixels.

    One path with many parts is drawn faster than many shapes.
    """
    patch.set_snap(True)
    patch.set_transform(axes.transData if transform is None else transform)
    axes.add_artist(patch)


def _boxes(pixel: npt.NDArray[np.int64], ends: npt.NDArray[Any], is_row: bool) -> Any:
    """Return (N, 4, 2) float64: corners of rectangles, one pixel wide, from one depth to another.

    The first two corners are the ends of the edge at the first depth.
    """
    across = np.stack([pixel, pixel + 1, pixel + 1, pixel], axis=1)
    depths = np.stack([ends[:, 0], ends[:, 0], ends[:, 1], ends[:, 1]], axis=1)
    return np.stack([across, depths] if is_row else [depths, across], axis=2).astype(np.float64)


def depth_format(low: float, high: float) -> tuple[str, int]:
    """Return the format of round depths between two others, and how many letters they have."""
    ticks = MaxNLocator(6, steps=_TICK_STEPS).tick_values(low, high)
    step, largest = ticks[1] - ticks[0], max(abs(low), abs(high))
    power = int(np.floor(np.log10(step) + 1e-9))
    if power >= -5 and largest < 1e7:
        spec = f".{max(0, -power)}f"
    else:
        spec = f".{max(1, int(np.floor(np.log10(largest) + 1e-9)) - power + 1)}g"
    return spec, max(len(format(tick, spec)) for tick in ticks)


def _label_axes(
    axes: Axes, section: Section, depth_range: tuple[float, float], text_size: float
) -> None:
    low, high = depth_range
    is_row = section.along == "row"
    across, depths = (axes.xaxis, axes.yaxis) if is_row else (axes.yaxis, axes.xaxis)
    axes.set_aspect("auto")
    if is_row:
        axes.set_xlim(0, section.length)
        axes.set_ylim(high, low)
    else:
        axes.set_xlim(low, high)
        axes.set_ylim(section.length, 0)
    across.set_major_locator(MaxNLocator(8, steps=_TICK_STEPS, integer=True))
    spec, longest = depth_format(low, high)
    # Labels below the axis need room beside each other.
    depths.set_major_locator(
        MaxNLocator(6 if is_row else max(2, 36 // (longest + 3)), steps=_TICK_STEPS)
    )
    depths.set_major_formatter(FuncFormatter(lambda depth, _: format(depth, spec)))
    axes.grid(False)
    depths.grid(True, color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    ink = ink_on(axes)
    axes.set_facecolor(PAPER)
    axes.spines[:].set_color(ink)
    axes.tick_params(labelsize=text_size, color=ink, labelcolor=ink)
    across.set_label_text("column" if is_row else "row", fontsize=text_size, color=ink)
    depths.set_label_text("depth, mesh units", fontsize=text_size, color=ink)
    title = f"cut along {section.along} {section.index}"
    # A column is too narrow for the title beside the legend.
    pad = 6.0 if is_row else 8.0 + 1.5 * text_size
    axes.set_title(title, loc="left", y=1.0, pad=pad, fontsize=text_size, color=ink)
    axes.legend(
        handles=_legend(section), ncols=5, frameon=False, fontsize=text_size, borderaxespad=0.0,
        handlelength=1.0, handletextpad=0.5, columnspacing=1.4, labelcolor=ink,
        loc="lower right" if is_row else "lower left", bbox_to_anchor=(float(is_row), 1.01),
    )  # fmt: skip


def _legend(section: Section) -> list[Patch | Line2D]:
    """Return what explains the colors that the section has."""
    if not len(section.depth):
        return [Patch(visible=False, label=f"no crossing in this {section.along}")]
    entries: list[Patch | Line2D] = [
        Line2D([], [], color=color, linewidth=2.0, label=name)
        for color, name, counted in (
            (ENTRY, "entry", section.entering),
            (EXIT, "exit", ~section.entering),
        )
        if counted.any()
    ]
    if section.is_cut:
        text = "not filled: some crossings were cut away"
        entries.append(Patch(visible=False, label=text))
    elif len(section.solid):
        entries.insert(0, Patch(facecolor=SOLID, label="solid"))
    if section.unknown.any():
        entries.append(Patch(facecolor=UNKNOWN, label="solid unknown"))
    return entries
