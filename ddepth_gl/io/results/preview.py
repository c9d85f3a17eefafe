"""The preview of a frame: one image of everything in it, to look at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from ..._checks import shown
from ...errors import RequestError
from ...results.frame import Frame
from ...results.plots import plot_frame
from ..atomic import atomic_write
from .metadata import file_metadata
from .png import checked_png_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = ["heading_pixels", "preview", "preview_pixels"]


def preview(
    frame: Frame,
    path: str | os.PathLike[str] | None = None,
    *,
    row: int | None = None,
    figure: Figure | SubFigure | None = None,
    title: str | None = None,
) -> Figure:
    """Draw everything in a frame, with matplotlib: image, sheets and thickness side by side.

    Below them, if the frame has layers: the first layers, the number of crossings of each pixel,
    and a cross-section. Arrows mark its row. See `DepthMaps.plot`, `DepthLayers.plot` and
    `DepthLayers.plot_section` for scales and colors. The image is shown on white.

    Args:
        frame: from `DepthRenderer.render`.
        path: PNG file to write, besides, such as ``preview.png``; an existing file is replaced.
            None writes nothing.
        row: row of the cross-section; None takes the one with the most crossings.
        figure: Figure or SubFigure to draw on; it keeps its size, on white. None creates one,
            which shows itself in Jupyter.
        title: above everything.

    Returns:
        The figure that was drawn on.

    Raises:
        OutputError: matplotlib is not installed, the name of the file does not end in .png, or it
            cannot be written.
        RequestError: the frame is empty, there is no such row, or another argument has a value
            that cannot be used.
    """
    if not isinstance(frame, Frame):
        raise RequestError(
            f"preview takes a Frame, not {shown(frame)}; render returns one, and "
            "Frame(camera, image, maps, layers) makes one of results"
        )
    target = None if path is None else checked_png_path(path)
    drawn = plot_frame(frame, row, figure, title)
    if target is not None:
        from ...plot.page import png

        content = png(drawn, file_metadata(frame.maps or frame.layers))
        with atomic_write(target) as file:
            file.write(content)
    return drawn


def preview_pixels(frame: Frame, title: str) -> npt.NDArray[np.uint8]:
    """Return the preview as an image, (h, w, 3) uint8 sRGB."""
    from ...plot.page import pixels

    return pixels(plot_frame(frame, title=title))


def heading_pixels(text: str, width: int) -> npt.NDArray[np.uint8]:
    """Return a line of text as an image, (h, width, 3) uint8 sRGB, to stand above previews."""
    from ...plot.page import Page, pixels

    page = Page(width / 100.0, 0.0, title=text)  # 100 pixels per inch
    return pixels(cast("Figure", page.figure))
