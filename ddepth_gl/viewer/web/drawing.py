"""Images of the page: colors, and the depth that composes them with what the browser draws."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..coloring import colored
from ..modes import MODES
from ..session import Session
from ..state import ViewerState
from ..values import limits_of

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
        seconds: how long rendering took.
    """

    colors: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32] | None
    limits: tuple[float, float] | None
    layers: int | None
    seconds: float


def draw(
    session: Session, state: ViewerState, width: int, height: int, with_depth: bool
) -> Drawing:
    """Return the image of a state, rendered."""
    started = time.perf_counter()
    mode = MODES[state.mode]
    values = session.values(state, width, height)
    limits = None
    if mode.has_scale:
        limits = state.limits or limits_of(values, state.mode)
    odd = layers = None
    if mode.needs_layers or state.highlight_odd:
        found = session.frame(state, width, height, layers=True).layers
        assert found is not None
        layers = int(found.count.max(initial=0))
        odd = found.odd if state.highlight_odd else None
    colors = colored(values, state.mode, state.color_map, limits, odd)[..., :3]
    depth = None
    if with_depth:
        depth = _depth(session, state, values, width, height)
    return Drawing(colors, depth, limits, layers, time.perf_counter() - started)


def _depth(
    session: Session, state: ViewerState, values: npt.NDArray[Any], width: int, height: int
) -> npt.NDArray[np.float32]:
    """Return the depth of what a mode shows: its own values if they are depth, else the entry."""
    if state.mode not in ("entry", "exit", "layer"):
        values = session.values(replace(state, mode="entry"), width, height)
    depth: npt.NDArray[np.float32] = np.where(np.isnan(values), np.float32(MISS_DEPTH), values)
    return depth


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
