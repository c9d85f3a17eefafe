"""What a figure of matplotlib shows: its pixels, its texts, and the colors of its panels."""

from __future__ import annotations

from itertools import combinations
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import BboxImage

from ddepth_gl.plot.page import pixels


def panel(figure: Figure, name: str) -> Axes:
    """Return the axes whose title on the left is `name`."""
    (found,) = (axes for axes in figure.axes if axes.get_title(loc="left") == name)
    return found


def image_of(axes: Axes) -> npt.NDArray[Any]:
    """Return the array that a panel draws, with NaN where it is masked."""
    array: Any = axes.images[0].get_array()
    is_masked = isinstance(array, np.ma.MaskedArray) and array.dtype.kind == "f"
    plain: npt.NDArray[Any] = array.filled(np.nan) if is_masked else np.asarray(array)
    return plain


def bars(figure: Figure | SubFigure) -> list[BboxImage]:
    """Return the color bars of a page, in the order of their panels."""
    return [artist for artist in figure.artists if isinstance(artist, BboxImage)]


_drawn: WeakKeyDictionary[Figure, npt.NDArray[np.uint8]] = WeakKeyDictionary()


def drawn_once(figure: Figure) -> npt.NDArray[np.uint8]:
    """Return the pixels of a figure that does not change any more."""
    if figure not in _drawn:
        _drawn[figure] = pixels(figure)
    return _drawn[figure]


def at(figure: Figure, axes: Axes, x: float, y: float) -> tuple[int, ...]:
    """Return the color that the drawn figure has at data coordinates of some axes."""
    image = drawn_once(figure)
    across, up = axes.transData.transform((x, y))
    return tuple(map(int, image[int(image.shape[0] - up), int(across)]))


def around(figure: Figure, axes: Axes, x: float, y: float) -> set[tuple[int, ...]]:
    """Return the colors of the 3x3 pixels of the drawn figure around data coordinates.

    Versions of matplotlib put the border of an image up to one pixel apart.
    """
    image = drawn_once(figure)
    across, up = axes.transData.transform((x, y))
    row, column = int(image.shape[0] - up), int(across)
    colors = image[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, image.shape[-1])
    return {tuple(map(int, color)) for color in colors}


def cells(figure: Figure, axes: Axes, rows: int, columns: int) -> npt.NDArray[np.uint8]:
    """Return (rows, columns, 3): the color at the center of each pixel of an image."""
    image = drawn_once(figure)
    centers = np.stack(np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5), axis=-1)
    places = axes.transData.transform(centers.reshape(-1, 2)).astype(int)
    colors: npt.NDArray[np.uint8] = image[image.shape[0] - 1 - places[:, 1], places[:, 0]]
    return colors.reshape(rows, columns, 3)


def rgb(color: Any) -> tuple[int, ...]:
    """Return a color of matplotlib as three integers up to 255."""
    return tuple(round(255 * level) for level in to_rgb(color))


def texts(figure: Figure) -> list[tuple[str, tuple[float, ...]]]:
    """Return all visible texts with their boxes (left, bottom, right, top), in pixels."""
    drawn_once(figure)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    found = list(figure.texts)
    for part in (figure, *figure.subfigs):
        found += part.texts
    for axes in figure.axes:
        found += [axes.title, axes._left_title, axes._right_title, *axes.texts]  # type: ignore[attr-defined]
        if (legend := axes.get_legend()) is not None:
            found += legend.get_texts()
        for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
            low, high = sorted(axis.get_view_interval())
            found += [axis.label, axis.offsetText]
            found += [t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
    return [
        (text.get_text(), text.get_window_extent(renderer).extents)
        for text in dict.fromkeys(found)
        if text.get_text().strip() and text.get_visible()
    ]


def assert_readable(figure: Figure, gap: float = 1.0) -> list[str]:
    """Assert that no text overlaps another one or leaves the figure; return the texts."""
    found = texts(figure)
    width, height = figure.canvas.get_width_height()
    for text, (left, bottom, right, top) in found:
        assert left >= 1, text
        assert bottom >= 0, text
        assert right <= width, text
        assert top <= height, text
    for (one, a), (other, b) in combinations(found, 2):
        apart = a[2] + gap <= b[0] or b[2] + gap <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, (one, other)
    return [text for text, _ in found]


def is_close(shown: npt.NDArray[np.uint8], color: Any) -> bool:
    """Return whether a drawn color is one of matplotlib's, to a rounding error."""
    return bool(np.abs(shown.astype(int) - rgb(color)).max() <= 1)


def number_of_colors(image: npt.NDArray[np.uint8]) -> int:
    """Return how many different colors an image (h, w, 3) or (h, w, 4) has."""
    return len(np.unique(image[..., :3].astype(np.int64) @ [1 << 16, 1 << 8, 1]))
