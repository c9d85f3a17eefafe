"""Images of the page: colors, and the depth that composes them with what the browser draws."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..coloring import colored
from ..state import ViewerState
from ..values import limits_of, values_of
from .shared_session import SharedSession

__all__ = ["MISS_DEPTH", "Drawing", "draw", "with_marks"]

MISS_DEPTH = 1e6  # farther than anything the page draws
_MARK = (255, 255, 255)
_MARK_SIZE = 9


@dataclass(frozen=True)
class Drawing:
    """The image of a state.

    Attributes:
        colors: (H, W, 3) uint8 sRGB.
        depth: (H, W) float32, mesh units, of what the image shows; `MISS_DEPTH` at misses. None if
            it was not asked for.
        limits: values at both ends of the color scale; None for modes without one.
        layers: the largest number of crossings of a ray; None if they were not rendered.
        seconds: how long it took.
    """

    colors: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32] | None
    limits: tuple[float, float] | None
    layers: int | None
    seconds: float


def draw(
    session: SharedSession, state: ViewerState, width: int, height: int, with_depth: bool
) -> Drawing:
    """Return the image of a state, rendered and colored."""
    started = time.perf_counter()
    frame = session.frame(state, width, height)
    values = values_of(state.mode, frame, state.layer)
    limits = None
    if state.mode_info.has_scale:
        limits = state.limits or limits_of(values, state.mode)
    layers = frame.layers
    odd = layers.odd if layers is not None and state.highlight_odd else None
    colors = colored(values, state.mode, state.color_map_name or None, limits, odd)[..., :3]
    depth = None
    if with_depth:
        # The depth of what is shown: the values themselves if they are depth, else the entry.
        if state.mode not in ("entry", "exit", "layer"):
            values = session.maps(state, width, height).entry
        depth = np.where(np.isnan(values), np.float32(MISS_DEPTH), values)
    count = None if layers is None else int(layers.count.max(initial=0))
    return Drawing(colors, depth, limits, count, time.perf_counter() - started)


def with_marks(
    colors: npt.NDArray[np.uint8], state: ViewerState, scale: float
) -> npt.NDArray[np.uint8]:
    """Return the image with the pinned pixel and the section line drawn on it.

    Args:
        colors: (H, W, 3) uint8.
        state: gives pin and section, in pixels of the full resolution.
        scale: size of the image, divided by that of the full resolution.
    """
    if state.section is None and state.pin is None:
        return colors
    marked = colors.copy()
    if state.section is not None:
        (left, top), (right, bottom) = state.section
        steps = int(max(abs(right - left), abs(bottom - top)) * scale) + 1
        columns = np.linspace(left, right, steps + 1) * scale
        rows = np.linspace(top, bottom, steps + 1) * scale
        _put(marked, columns, rows)
    if state.pin is not None:
        column, row = ((each + 0.5) * scale for each in state.pin)
        arm = np.concatenate([np.arange(-_MARK_SIZE, -2), np.arange(3, _MARK_SIZE + 1)])
        _put(marked, column + arm, np.full(len(arm), row))
        _put(marked, np.full(len(arm), column), row + arm)
    return marked


def _put(image: npt.NDArray[np.uint8], columns: Any, rows: Any) -> None:
    """Draw pixels in white, on a dark rim that keeps them visible."""
    height, width = image.shape[:2]
    x, y = np.floor(columns).astype(int), np.floor(rows).astype(int)
    for color, offsets in (
        ((0, 0, 0), ((1, 0), (0, 1), (-1, 0), (0, -1))),
        (_MARK, ((0, 0),)),
    ):
        for right, down in offsets:
            is_in = (x + right >= 0) & (x + right < width) & (y + down >= 0) & (y + down < height)
            image[y[is_in] + down, x[is_in] + right] = color
