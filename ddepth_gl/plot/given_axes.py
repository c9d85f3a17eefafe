"""Axes of the caller: which ones can be drawn on, their color bars and their title."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.transforms import Bbox

from .._checks import shown
from ..errors import RequestError
from .color_scales import ink_on
from .page import TEXT_SIZE, checked_title
from .panels import Panel, draw_panel

__all__ = ["add_bar", "checked_axes", "draw_beside_bar", "root", "titled"]

_BAR_WIDTH = 0.3  # of the room that matplotlib leaves for a color bar


def checked_axes(ax: object, number: int | None, figure: object) -> list[Axes]:
    """Return one or several axes as a list.

    Args:
        ax: Axes, or an array or list of them.
        number: of axes that are needed; None for any.
        figure: must be None, as the axes have a figure.

    Raises:
        RequestError: `ax` is something else, or as many axes were not given.
    """
    if figure is not None:
        raise RequestError("pass ax or figure, not both: axes belong to a figure")
    found = [ax] if isinstance(ax, Axes) else None
    if isinstance(ax, (list, tuple)):
        found = list(ax)
    elif isinstance(ax, np.ndarray) and ax.dtype == object:  # of plt.subplots
        found = list(ax.reshape(-1))
    if not found or not all(isinstance(each, Axes) for each in found):
        raise RequestError(f"ax must be matplotlib Axes or an array of them, not {shown(ax)}")
    if number is not None and len(found) != number:
        raise RequestError(f"ax must have {number} Axes, one for each panel, not {len(found)}")
    return found


def draw_beside_bar(axes: Axes, panel: Panel) -> None:
    """Draw a panel with a color bar beside it."""
    image = draw_panel(axes, panel)
    if panel.limits is not None:
        add_bar(axes, image)


def add_bar(axes: Axes, image: AxesImage, ticks: Sequence[int] | None = None) -> None:
    """Add a color bar to the right of an image and as high as it.

    matplotlib makes it as high as the room of the axes, of which an image may fill a part only.
    """
    bar = axes.figure.colorbar(image, ax=axes, ticks=ticks)
    ink = ink_on(axes)
    bar.ax.tick_params(color=ink, labelcolor=ink)
    outline: Any = bar.outline  # typed differently by versions of matplotlib
    outline.set_edgecolor(ink)
    bar.ax.set_axes_locator(_Beside(axes, bar.ax))


class _Beside:
    """The place of a color bar: what is left of its room beside the axes as they are drawn."""

    def __init__(self, axes: Axes, bar: Axes) -> None:
        self._axes, self._bar = axes, bar

    def __call__(self, bar: Any, renderer: Any) -> Bbox:
        bar.set_box_aspect(None)  # constrained layouts set it again and again
        room, image = bar.get_position(original=True), self._axes.get_position()
        gap = room.x0 - self._axes.get_position(original=True).x1
        return Bbox.from_bounds(image.x1 + gap, image.y0, _BAR_WIDTH * room.width, image.height)

    def get_subplotspec(self) -> Any:
        """Return the bar's place in a grid, which the layout "tight" asks the locator for."""
        return self._bar.get_subplotspec()


def titled(axes: list[Axes], title: object) -> Figure:
    """Put the title above the first axes, and return the figure.

    It replaces the name above single axes; above several, each of which needs its name, it is a
    line of its own.
    """
    if text := checked_title(title):
        first = axes[0]
        if len(axes) > 1:
            text = f"{text}\n{first.get_title(loc='left')}"
        first.set_title(text, loc="left", y=1.0, fontsize=TEXT_SIZE, parse_math=False)
    return root(axes[0].figure)


def root(figure: Figure | SubFigure) -> Figure:
    """Return the whole figure."""
    return figure.figure
