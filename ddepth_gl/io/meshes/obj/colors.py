"""Colors behind the vertices of an OBJ file."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["columns", "row_colors", "vertex_colors"]

_COLORED = 6  # numbers of a vertex with a color
_NO_COLOR = -1.0
_ABOVE_1 = 1.001  # rounding errors of colors in 0..1 stay below


def columns(
    values: npt.NDArray[np.float64],
    starts: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    first: int,
    last: int,
) -> npt.NDArray[np.float64]:
    """Return some columns of rows of different lengths, all long enough.

    Args:
        values: numbers, also those of rows that are not chosen.
        starts: (N,) index of the first number of each chosen row.
        counts: (N,) how many numbers each chosen row has.
        first, last: the columns, `last` excluded.
    """
    if len(values) == len(starts) * int(counts[0]) and (counts == counts[0]).all():
        return np.ascontiguousarray(values.reshape(len(starts), -1)[:, first:last])
    return np.asarray(values[starts[:, None] + np.arange(first, last)])


def row_colors(
    values: npt.NDArray[np.float64], starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32] | None:
    """Return the numbers behind the coordinates, as written, or three NaN if one is no number.

    None if there are none at all.
    """
    is_colored = counts >= _COLORED
    if not is_colored.any():
        return None
    colors = np.full((len(starts), 3), _NO_COLOR, np.float32)
    given = columns(values, starts[is_colored], counts[is_colored], 3, 6)
    given = np.nan_to_num(given, nan=np.nan, posinf=1.0, neginf=0.0)
    given[np.isnan(given).any(axis=1)] = np.nan
    colors[is_colored] = np.clip(given, 0.0, 255.0)
    return colors


def vertex_colors(
    blocks: list[npt.NDArray[np.float32] | None], lengths: list[int]
) -> npt.NDArray[np.uint8] | None:
    """Return (V, 4) sRGB colors, white where a vertex has none or NaN; None if no vertex has one.

    A number above 1 anywhere in the file says that they are in 0..255.

    Args:
        blocks: colors of each block of the file, from `row_colors`.
        lengths: number of vertices of each block.
    """
    given = [each for each in blocks if each is not None]
    if not given:
        return None
    factor = 1.0 if any((each > _ABOVE_1).any() for each in given) else 255.0
    colors = np.full((sum(lengths), 4), 255, np.uint8)
    start = 0
    for length, each in zip(lengths, blocks, strict=True):
        if each is not None:
            scaled = np.rint(np.clip(each * factor, 0.0, 255.0))
            colors[start : start + length, :3] = np.where(each >= 0.0, scaled, 255.0)
        start += length
    return colors
