"""Whole figures: sheets, layers and counts, a cross-section, the preview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from .color_scales import INK
from .counts import CountMap, count_labels, draw_counts, suspicious_pixels
from .cross_section import Section, depth_format, draw_section
from .given_axes import add_bar, checked_axes, draw_beside_bar, root, titled
from .page import LETTER_INCHES, MARGIN, TITLE_HEIGHT, Page
from .panels import (
    BELOW_PANEL,
    LEGEND_TOP,
    Panel,
    draw_bar,
    draw_panel,
    fits,
    mark_row,
    panel_size,
    scale_labels,
)

__all__ = ["LayerPlots", "layers_figure", "panels_figure", "preview_figure", "section_figure"]

_PANEL_INCHES, _SMALL_PANEL_INCHES = 3.84, 2.56  # the longer side of a panel
_PIXELS_PER_INCH = 100
_MIN_COLUMN_INCHES = 1.8  # fits a panel's name and the numbers below its bar
_MIN_LINE_INCHES = 0.24  # panels lower than this get no line: it would hide them
_SECTION_INCHES = 2.9
_LEGEND_LINE = 0.22


@dataclass(frozen=True, eq=False)
class LayerPlots:
    """The arrays of all plots of layers.

    Attributes:
        panels: of the first layers, on one color scale.
        more: number of layers without a panel.
        counts: the count map.
        section: the cross-section; None for none.
    """

    panels: Sequence[Panel]
    more: int
    counts: CountMap
    section: Section | None = None


def _column_width(size: tuple[float, float]) -> float:
    return max(size[0], _MIN_COLUMN_INCHES)


def panels_figure(
    panels: Sequence[Panel], ax: object = None, figure: object = None, title: object = None
) -> Figure:
    """Draw panels side by side, each with its color bar.

    Args:
        panels: to draw, all of one image.
        ax: axes to draw on, as many as there are panels; None lays out a page.
        figure: to lay out the page on; None creates one.
        title: above everything; of the axes if some are given.

    Raises:
        RequestError: `ax`, `figure` or `title` cannot be used.
    """
    if ax is not None:
        axes = checked_axes(ax, len(panels), figure)
        for each, panel in zip(axes, panels, strict=True):
            draw_beside_bar(each, panel)
        return titled(axes, title)
    size = panel_size(panels[0].shape, _PANEL_INCHES)
    pitch = _column_width(size) + MARGIN
    height = TITLE_HEIGHT + size[1] + (BELOW_PANEL if any(p.cmap for p in panels) else MARGIN)
    page = Page(len(panels) * pitch + MARGIN, height, figure, title)
    _draw_strip(page, panels, size, pitch)
    return root(page.figure)


def _draw_strip(
    page: Page, panels: Sequence[Panel], size: tuple[float, float], pitch: float
) -> list[Axes]:
    """Draw panels side by side, each above its bar, and return their axes."""
    drawn = []
    for column, panel in enumerate(panels):
        left = MARGIN + column * pitch
        axes = page.axes(left, TITLE_HEIGHT, *size)
        image = draw_panel(axes, panel, page.text_size)
        if panel.cmap is not None:
            bottom = TITLE_HEIGHT + size[1]
            labels = scale_labels(panel.limits, pitch - MARGIN)
            draw_bar(page, image, labels, left, bottom, pitch - MARGIN)
        drawn.append(axes)
    return drawn


def _draw_layers(
    page: Page,
    plots: LayerPlots,
    left: float,
    top: float,
    size: tuple[float, float],
    pitch: float,
    columns: int,
) -> None:
    """Draw the panels of layers in rows, and one bar for all of them below the last row."""
    row_height = TITLE_HEIGHT + size[1]
    text = f"{plots.more} more layer{'s' * (plots.more > 1)}"
    if not fits(text, pitch - MARGIN):
        text = f"{plots.more} more"
    notes = [text] * bool(plots.more)
    image: AxesImage | None = None
    slots: list[Panel | str] = [*plots.panels, *notes]
    for slot, panel in enumerate(slots):
        row, column = divmod(slot, columns)
        place = left + column * pitch, top + row * row_height + TITLE_HEIGHT
        axes = page.axes(*place, *size)
        if isinstance(panel, str):
            axes.set_axis_off()
            axes.set_title(panel, loc="left", y=1.0, fontsize=page.text_size, color=INK)
        else:
            image = draw_panel(axes, panel, page.text_size)
    if image is not None:
        width = columns * pitch - MARGIN
        labels = scale_labels(plots.panels[0].limits, width)
        draw_bar(page, image, labels, left, place[1] + size[1], width)


def _draw_counts(
    page: Page, counts: CountMap, left: float, top: float, size: tuple[float, float]
) -> Axes:
    """Draw the count map, its bar, and the numbers of suspicious pixels."""
    axes = page.axes(left, top + TITLE_HEIGHT, *size)
    image = draw_counts(axes, counts, round(_PIXELS_PER_INCH * max(size)), page.text_size)
    bottom = top + TITLE_HEIGHT + size[1]
    draw_bar(page, image, count_labels(counts), left, bottom, _column_width(size))
    if entries := suspicious_pixels(counts):
        axes.legend(
            handles=entries, loc="upper left", bbox_to_anchor=(0.0, -LEGEND_TOP / size[1]),
            frameon=False,
            fontsize=page.text_size, borderpad=0.0, borderaxespad=0.0, handlelength=1.0,
            handletextpad=0.5, labelspacing=0.3, labelcolor=INK,
        )  # fmt: skip
    return axes


def layers_figure(
    plots: LayerPlots, ax: object = None, figure: object = None, title: object = None
) -> Figure:
    """Draw the count map and the first layers, four panels in a row.

    Args:
        plots: arrays to draw.
        ax: axes to draw on: the count map, then the layers; None lays out a page.
        figure, title: as for `panels_figure`.

    Raises:
        RequestError: `ax`, `figure` or `title` cannot be used.
    """
    if ax is not None:
        axes = checked_axes(ax, 1 + len(plots.panels), figure)
        image = draw_counts(axes[0], plots.counts, round(_PIXELS_PER_INCH * _PANEL_INCHES))
        ticks = [int(number) for _, number in count_labels(plots.counts)]
        add_bar(axes[0], image, ticks)
        for each, panel in zip(axes[1:], plots.panels, strict=True):
            draw_beside_bar(each, panel)
        return titled(axes, title)
    shape = plots.counts.count.shape
    slots = len(plots.panels) + bool(plots.more)
    columns = max(1, min(3, slots))
    rows = -(-slots // columns)
    size = panel_size((shape[0], shape[1]), _PANEL_INCHES if rows < 2 else _SMALL_PANEL_INCHES)
    whole = size
    if rows > 1:  # the count map is as high as two rows
        zoom = min(2.2, 2.0 + TITLE_HEIGHT / size[1])
        whole = zoom * size[0], zoom * size[1]
    pitch, left = _column_width(size) + MARGIN, _column_width(whole) + 2.0 * MARGIN
    legend = _LEGEND_LINE * len(suspicious_pixels(plots.counts))
    height = max(whole[1] + TITLE_HEIGHT + legend, rows * (TITLE_HEIGHT + size[1]))
    page = Page(left + columns * pitch * bool(slots), height + BELOW_PANEL, figure, title)
    _draw_counts(page, plots.counts, MARGIN, 0.0, whole)
    _draw_layers(page, plots, left, 0.0, size, pitch, columns)
    return root(page.figure)


def section_figure(
    section: Section, ax: object = None, figure: object = None, title: object = None
) -> Figure:
    """Draw a cross-section; the arguments are those of `panels_figure`."""
    if ax is not None:
        found = checked_axes(ax, 1, figure)
        draw_section(found[0], section)
        return titled(found, title)
    width, height, above = (9.6, 3.6, 0.4) if section.along == "row" else (5.4, 7.4, 0.6)
    page = Page(width, height, figure, title)
    indent = MARGIN + _indent(section)
    axes = page.axes(indent, above, width - indent - 0.3, height - above - 0.6)
    draw_section(axes, section, page.text_size)
    return root(page.figure)


def _indent(section: Section) -> float:
    """Return the inches that the numbers left of a section take, and the name of their axis."""
    is_row = section.along == "row"
    letters = depth_format(*section.depth_range())[1] if is_row else len(str(section.length))
    return 0.4 + LETTER_INCHES * letters


def preview_figure(
    panels: Sequence[Panel],
    plots: LayerPlots | None = None,
    figure: object = None,
    title: object = None,
) -> Figure:
    """Draw everything about one image: panels, and below them layers, counts and cross-section.

    Args:
        panels: of the image and its sheets; the row of the cross-section is marked in the first.
        plots: of the layers of the same image; None for none.
        figure, title: as for `panels_figure`.

    Raises:
        RequestError: `figure` or `title` cannot be used.
    """
    if plots is None:
        return panels_figure(panels, None, figure, title)
    shape = plots.counts.count.shape
    size = panel_size((shape[0], shape[1]), _PANEL_INCHES)
    pitch = _column_width(size) + MARGIN
    small_pitch = pitch / 2.0
    small = panel_size(
        (shape[0], shape[1]), _PANEL_INCHES * (small_pitch - MARGIN) / (pitch - MARGIN)
    )
    strip = TITLE_HEIGHT + size[1] + BELOW_PANEL if panels else 0.0
    layers = TITLE_HEIGHT + small[1] + BELOW_PANEL
    counts = TITLE_HEIGHT + size[1] + BELOW_PANEL
    counts += _LEGEND_LINE * len(suspicious_pixels(plots.counts))
    bottom = max(counts, TITLE_HEIGHT + _SECTION_INCHES + BELOW_PANEL)
    page = Page(4 * pitch + MARGIN, strip + layers + bottom, figure, title)
    drawn = _draw_strip(page, panels, size, pitch)[:1]
    _draw_layers(page, plots, MARGIN, strip, small, small_pitch, 8)
    top = strip + layers
    drawn.append(_draw_counts(page, plots.counts, MARGIN, top, size))
    if plots.section is not None:
        height = max(size[1], _SECTION_INCHES)
        left = MARGIN + pitch + _indent(plots.section)
        # The last number extends beyond the right edge.
        axes = page.axes(left, top + TITLE_HEIGHT, 4 * pitch - left - 0.1, height)
        draw_section(axes, plots.section, page.text_size)
        for each in drawn:
            mark_row(each, plots.section.index, size[1] >= _MIN_LINE_INCHES)
    return root(page.figure)
