"""Cross-sections of layers: the crossings and the solid along one row or column of the image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .._checks import is_integer, shown
from ..camera.camera import Camera
from ..errors import RequestError

if TYPE_CHECKING:
    from ..plot.cross_section import Section
    from .depth_layers import DepthLayers

__all__ = ["busiest_row", "section_of"]


def _line(layers: DepthLayers, row: int | None, column: int | None) -> DepthLayers:
    """Return the layers of one row or one column, with the camera of those pixels."""
    if column is None:
        return layers.rows(row or 0, (row or 0) + 1)
    camera, K = layers.camera, np.array(layers.camera.K)
    K[0, 2] -= column
    pixel = np.arange(camera.height) * camera.width + column
    first, counts = layers.offsets[pixel], np.diff(layers.offsets)[pixel]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    crossings = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], counts)
    return replace(
        layers,
        **layers._copies(crossings),
        offsets=offsets,
        truncated=layers.truncated[:, column : column + 1].copy(),
        camera=Camera(K, camera.camera_from_world, 1, camera.height, camera.is_orthographic),
    )


def busiest_row(layers: DepthLayers) -> int:
    """Return the row with the most crossings.

    Ties go to the row nearest the middle, then to the upper one.
    """
    height, width = layers.camera.height, layers.camera.width
    crossings = np.diff(layers.offsets[::width])
    rows = np.flatnonzero(crossings == crossings.max())
    return int(rows[np.argmin(np.abs(2 * rows - (height - 1)))])


def section_of(layers: DepthLayers, row: object = None, column: object = None) -> Section:
    """Return the section along a row or a column; by default along the `busiest_row`.

    What is solid is unknown where the `DepthLayers.nesting` is; and, if nothing is known of the
    mesh, where rays seem to start inside.

    Raises:
        RequestError: there is no such row or column, or both are given.
    """
    from ..plot.cross_section import Section

    if row is not None and column is not None:
        raise RequestError("pass row or column, not both: a section runs along one of them")
    if row is None and column is None:
        row = busiest_row(layers)
    camera = layers.camera
    along, index, size = (
        ("row", row, camera.height) if column is None else ("column", column, camera.width)
    )
    if not is_integer(index) or not 0 <= index < size:
        raise RequestError(
            f"there is no {along} {shown(index)} in an image of {size} {along}s; "
            f"they are numbered from 0 to {size - 1}"
        )
    index = int(index)
    line = _line(layers, *((index, None) if along == "row" else (None, index)))
    length = camera.width if along == "row" else camera.height
    pixels: npt.NDArray[np.int64] = np.zeros(0, np.int64)
    pieces: npt.NDArray[np.float32] = np.zeros((0, 2), np.float32)
    unknown: npt.NDArray[np.bool_] = np.zeros(length, bool)
    if line.is_complete:
        _, inside_at_start = line.nesting  # NaN if unknown
        unknown = np.isnan(inside_at_start)
        if not (layers.is_oriented or layers._facts.surfaces):
            unknown |= inside_at_start != 0
        pixels, pieces = line.solid_pieces
        is_known = ~unknown[pixels]
        pixels, pieces = pixels[is_known], pieces[is_known]
    return Section(
        along="row" if along == "row" else "column",
        index=index,
        length=length,
        pixel=line.pixel,
        depth=line.depth,
        entering=line.front_facing,
        solid_pixel=pixels,
        solid=pieces,
        unknown=unknown,
        is_cut=not line.is_complete,
    )
