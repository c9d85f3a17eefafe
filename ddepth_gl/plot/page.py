"""Pages: figures laid out in inches, without pyplot, and their pixels."""

from __future__ import annotations

import io
import warnings
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import TightLayoutEngine

from .._checks import printable, shown
from ..errors import RequestError
from .color_scales import INK, PAPER

__all__ = [
    "LETTER_INCHES",
    "MARGIN",
    "TEXT_SIZE",
    "TITLE_HEIGHT",
    "NotebookFigure",
    "Page",
    "checked_title",
    "pixels",
    "png",
]

MARGIN, TITLE_HEIGHT = 0.16, 0.34  # inches
TEXT_SIZE, LETTER_INCHES = 10.0, 0.09  # points; how wide letters and digits are in a text
_PAGE_TITLE_HEIGHT = MARGIN + TITLE_HEIGHT
_DPI = 100.0
_COMPRESSION = 3  # of 9; 6, the usual one, takes twice as long and saves a tenth


class NotebookFigure(Figure):
    """A figure that shows itself in Jupyter, whether or not pyplot has been set up there.

    Its colors are its own, whatever the style: its texts would be unreadable on a dark ground.
    """

    def savefig(self, fname: Any, *, transparent: bool | None = None, **options: Any) -> None:
        """Save the figure as matplotlib does, but on its own ground instead of the style's."""
        if not (rcParams["savefig.transparent"] if transparent is None else transparent):
            options.setdefault("facecolor", self.get_facecolor())
        super().savefig(fname, transparent=transparent, **options)

    def _repr_png_(self) -> bytes:
        return png(self)


class Page:
    """A figure with axes at positions in inches, from the top left corner.

    A figure made by the caller keeps its size: the page is scaled to fit, texts included.

    Attributes:
        figure: Figure or SubFigure that is drawn on.
        text_size: of all texts but the title, in points.
        top: first free inch below the title.
    """

    def __init__(
        self, width: float, height: float, figure: object = None, title: object = None
    ) -> None:
        """Lay out a page.

        Args:
            width, height: in inches, without the title.
            figure: Figure or SubFigure to draw on; None creates one.
            title: one line above everything; None for none.

        Raises:
            RequestError: `figure` or `title` has the wrong type.
        """
        if not isinstance(figure, (Figure, SubFigure, type(None))):
            raise RequestError(
                f"figure must be a matplotlib Figure or SubFigure, not {shown(figure)}"
            )
        title = checked_title(title)
        self.top = _PAGE_TITLE_HEIGHT if title else 0.0
        size = np.array([width, height + self.top])
        if figure is None:
            figure = NotebookFigure(figsize=(size[0], size[1]), dpi=_DPI)
            figure.set_layout_engine("none")
            FigureCanvasAgg(figure)
        elif isinstance(figure.get_layout_engine(), TightLayoutEngine):
            # It would warn about axes at positions of their own.
            figure.figure.set_layout_engine("none")
        figure.set_facecolor(PAPER)
        self.figure: Figure | SubFigure = figure
        whole = np.array([figure.bbox.width, figure.bbox.height]) / figure.dpi
        scale = float((whole / size).min())
        self.text_size = TEXT_SIZE * scale
        self._per_inch = scale / whole
        self._origin = (1.0 - self._per_inch * size) / 2.0
        self._height = float(size[1])
        if title:
            x, y = self._position(MARGIN, MARGIN)
            font = FontProperties(size=1.25 * self.text_size)
            room = (width - 2.0 * MARGIN) * scale * figure.dpi
            figure.text(
                x,
                y,
                _shortened(title, font, figure.dpi, room),
                fontproperties=font,
                verticalalignment="top",
                color=INK,
                parse_math=False,
            )

    def _position(self, left: float, top: float) -> tuple[float, float]:
        x, y = self._origin + self._per_inch * (left, self._height - top)
        return float(x), float(y)

    def bounds(
        self, left: float, top: float, width: float, height: float
    ) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height as fractions of the figure; see `axes`."""
        x, y = self._position(left, self.top + top + height)
        across, down = self._per_inch * (width, height)
        return x, y, float(across), float(down)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes whose top left corner is at (left, top); all in inches, below the title."""
        axes = self.figure.add_axes(self.bounds(left, top, width, height))
        axes.set_title("", y=1.0)  # where it would be anyway; finding that out is slow
        return axes


def checked_title(title: object) -> str:
    """Return a title on one line; None becomes an empty one.

    Raises:
        RequestError: it is not a string.
    """
    if not isinstance(title, (str, type(None))):
        raise RequestError(f"title must be a string or None, not {shown(title)}")
    return printable(str.__str__(title or ""))


def _shortened(title: str, font: FontProperties, dpi: float, room: float) -> str:
    """Return a title of at most `room` pixels.

    The middle of a longer one is left out: both ends of a file name tell files apart.
    """
    renderer: Any = RendererAgg(1, 1, dpi)  # type: ignore[no-untyped-call]

    def of_length(length: int) -> str:
        if length >= len(title):
            return title
        return f"{title[: length // 2]}...{title[len(title) - (length - length // 2) :]}"

    def is_too_wide(length: int) -> bool:
        line = of_length(length)
        return bool(renderer.get_text_width_height_descent(line, font, False)[0] > room)

    length = min(len(title), 1000)
    with _without_glyph_warnings():
        if is_too_wide(length):
            length = max(1, bisect_left(range(length), True, key=is_too_wide) - 1)
    return of_length(length)


@contextmanager
def _without_glyph_warnings() -> Iterator[None]:
    """Draw letters that the font lacks as boxes, without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph ", UserWarning)
        yield


def pixels(figure: Figure) -> npt.NDArray[np.uint8]:
    """Return (h, w, 3) uint8 sRGB: the figure as an image."""
    canvas: Any = FigureCanvasAgg(figure)
    with _without_glyph_warnings():
        canvas.draw()
    image: npt.NDArray[np.uint8] = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return image


def png(figure: Figure, texts: Mapping[str, str] | None = None) -> bytes:
    """Return the figure as PNG. The same figure becomes the same bytes.

    Args:
        figure: to draw.
        texts: keywords and texts to store as tEXt chunks.
    """
    stream = io.BytesIO()
    metadata: dict[str, Any] = {"Software": None, **(texts or {})}
    with _without_glyph_warnings():
        figure.savefig(
            stream, format="png", dpi=figure.dpi, metadata=metadata,
            facecolor=figure.get_facecolor(), pil_kwargs={"compress_level": _COMPRESSION},
        )  # fmt: skip
    return stream.getvalue()
