"""Panels: images with a name, a color scale and a color bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.image import AxesImage, BboxImage
from matplotlib.markers import CARETLEFT, CARETRIGHT
from matplotlib.transforms import Bbox, TransformedBbox

from .color_scales import GRAY_INK, INK, Limits, bar_labels, ink_on
from .page import LETTER_INCHES, TEXT_SIZE, Page

__all__ = [
    "BAR_HEIGHT",
    "BELOW_PANEL",
    "LEGEND_TOP",
    "Panel",
    "draw_bar",
    "draw_panel",
    "fits",
    "mark_row",
    "panel_size",
    "scale_labels",
    "strip_axes",
]

BAR_HEIGHT, BELOW_PANEL = 0.14, 0.56  # inches: a color bar; bar, labels and margins
_GAP = 0.08  # inches, between a panel and its bar
LEGEND_TOP = _GAP + 3.2 * BAR_HEIGHT  # below a panel and the labels of its bar


@dataclass(frozen=True, eq=False)
class Panel:
    """An image to draw.

    Attributes:
        name: above it, on the left.
        values: (h, w) numbers, every step-th of a larger image, NaN for a miss; or (h, w, 3)
            uint8 sRGB.
        step: of `values`, in pixels.
        shape: (H, W) of the image.
        cmap: its color map.
        limits: values at both ends of the color scale.
        note: above it, on the right.
    """

    name: str
    values: npt.NDArray[Any]
    step: int
    shape: tuple[int, int]
    cmap: Colormap | None = None
    limits: Limits = None
    note: str = ""


def panel_size(shape: tuple[int, int], longer: float) -> tuple[float, float]:
    """Return (width, height) in inches of a panel for an image of `shape` (H, W)."""
    zoom = longer / max(shape)
    return zoom * shape[1], zoom * shape[0]


def draw_panel(axes: Axes, panel: Panel, text_size: float = TEXT_SIZE) -> AxesImage:
    """Draw a panel. Data coordinates are image coordinates, those of `Camera.project`."""
    height, width = panel.shape
    rows, columns = panel.values.shape[:2]
    is_photo = panel.values.ndim == 3
    low, high = _scale_ends(panel.limits)
    image = axes.imshow(
        panel.values if is_photo else panel.values.astype(np.float64),
        cmap=None if is_photo else panel.cmap,
        vmin=None if is_photo else low,
        vmax=None if is_photo else high,
        extent=(0, columns * panel.step, rows * panel.step, 0),
        origin="upper",
        aspect="equal",
        # Colors are mixed where pixels are smaller than the screen's. Mixed depths would be wrong.
        interpolation="antialiased",
        interpolation_stage="rgba",
    )
    strip_axes(axes, width, height)
    axes.set_title(
        panel.name, loc="left", y=1.0, fontsize=text_size, color=ink_on(axes), parse_math=False
    )
    room = axes.bbox.width / axes.figure.dpi * TEXT_SIZE / text_size
    if fits(f"{panel.name} {panel.note}", room):
        axes.set_title(panel.note, loc="right", y=1.0, fontsize=text_size, color=GRAY_INK)
    return image


def fits(text: str, width: float) -> bool:
    """Return whether a text is certainly not longer than `width` inches."""
    return LETTER_INCHES * len(text) <= width


def strip_axes(axes: Axes, width: int, height: int) -> None:
    """Show the whole image and nothing else: no ticks, no frame, no grid."""
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()


def _scale_ends(limits: Limits) -> tuple[float, float]:
    """Return two different ends: of a single value, the middle of the scale."""
    low, high = limits or (0.0, 1.0)
    around = 0.0 if high > low else 0.05 * abs(low) or 1.0
    return low - around, high + around


def draw_bar(
    page: Page,
    image: AxesImage,
    labels: Sequence[tuple[float, str]],
    left: float,
    top: float,
    width: float,
) -> None:
    """Draw a horizontal color bar below a panel.

    It is a plain image on the figure, as axes with matplotlib's color bar take several times as
    long. Labels are texts, not ticks: those at both ends stay between the edges of the panel.

    Args:
        page: to draw on.
        image: whose colors the bar explains.
        labels: pairs of a position, from 0 to 1, and a text; without any, the image has no value.
        left: of the bar, in inches.
        top: lower edge of the panel, in inches.
        width: of the bar, in inches.
    """
    top += _GAP
    if labels:
        cmap = image.get_cmap()
        colors = cmap(np.arange(cmap.N), bytes=True)
        box = Bbox.from_bounds(*page.bounds(left, top, width, BAR_HEIGHT))
        bar = BboxImage(
            TransformedBbox(box, page.figure.transSubfigure), origin="upper",
            interpolation="nearest",
        )  # fmt: skip
        bar.set_data(colors[None])
        page.figure.add_artist(bar)
        top += 1.25 * BAR_HEIGHT
    for position, text in labels or [(0.0, "no value anywhere")]:
        side = {0.0: "left", 1.0: "right"}.get(position, "center")
        x, y, *_ = page.bounds(left + position * width, top, 0.0, 0.0)
        page.figure.text(
            x, y, text, horizontalalignment=side, verticalalignment="top",
            fontsize=page.text_size, color=INK,
        )  # fmt: skip


def scale_labels(limits: Limits, width: float) -> list[tuple[float, str]]:
    """Return the labels of a continuous scale, as many as fit on a bar of `width` inches."""
    if limits is None:
        return []
    low, middle, high = bar_labels(limits)
    if limits[0] == limits[1]:
        return [(0.5, low)]
    labels = [(0.0, low), (0.5, middle), (1.0, high)]
    return labels if fits(f"{low}  {middle}  {high}", width) else labels[::2]


def mark_row(axes: Axes, row: int, with_line: bool) -> None:
    """Mark an image row with arrows on both sides and, unless it would hide the row, a line."""
    y = row + 0.5
    if with_line:
        axes.axhline(y, color=INK, linewidth=0.7)
    for x, arrow in ((0.0, CARETRIGHT), (1.0, CARETLEFT)):
        axes.plot(
            [x], [y], marker=arrow, color=INK, markersize=5, clip_on=False,
            transform=axes.get_yaxis_transform(),
        )  # fmt: skip
