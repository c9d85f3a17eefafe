"""The triangulation of a small polygon in which the least area is turned over."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .polygon_work import PolygonWork

__all__ = ["MAX_MINIMUM_CORNERS", "least_negative"]

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
MAX_MINIMUM_CORNERS = 400
_CHUNK_STEPS = 1 << 20
# Among equally good triangulations, short diagonals are better. Weight of their length.
_LENGTH_WEIGHT = 1e-12


def least_negative(plane: _Floats, work: PolygonWork) -> _Ints:
    """Return the triangulations in which the area of the triangles turned over is smallest.

    An outline that touches itself is as close as one likes to one that does not, whose
    triangulations turn nothing over. So the smallest area is 0, or that of the rounding, without
    any decision about which corner lies on which side.

    Args:
        plane: (P, n, 2) corners, counter-clockwise. They may be repeated, collinear, and touch.
        work: time that is left.

    Returns:
        (P, n - 2, 3) corner numbers, whose boundary is the outline. Fans if no time is left.
    """
    count = plane.shape[1]
    fan = np.arange(count - 2)[:, None] + [0, 1, 2]
    fan[:, 0] = 0
    result = np.repeat(fan[None], len(plane), axis=0)
    step = max(_CHUNK_STEPS // count**2, 1)
    for start in range(0, len(plane), step):
        chunk = plane[start : start + step]
        if not work.spend(20_000 + 2000 * count + len(chunk) * count**3 // 6):
            break
        result[start : start + step] = _traced(_best_corners(chunk))
    return result


def _best_corners(plane: _Floats) -> _Ints:
    """Return (P, n, n) the corner k of the triangle i, k, j that is best for the outline i...j."""
    polygons, count = plane.shape[:2]
    size = np.ptp(plane, axis=1).max(axis=1)[:, None]
    x, y = np.moveaxis(plane / np.where(size > 0, size, 1)[..., None], 2, 0)
    cost = np.zeros((polygons, count, count))
    best = np.zeros((polygons, count, count), np.int64)
    for gap in range(2, count):
        i = np.arange(count - gap)[:, None]
        j = i + gap
        k = i + np.arange(1, gap)
        areas = (x[:, k] - x[:, i]) * (y[:, j] - y[:, i])
        areas -= (y[:, k] - y[:, i]) * (x[:, j] - x[:, i])
        total = cost[:, i, k] + cost[:, k, j] - np.minimum(areas, 0)
        choice = total.argmin(axis=2)
        least = np.take_along_axis(total, choice[..., None], axis=2)[..., 0]
        i, j = i[:, 0], j[:, 0]
        length = np.hypot(x[:, i] - x[:, j], y[:, i] - y[:, j])
        cost[:, i, j] = least + _LENGTH_WEIGHT * length
        best[:, i, j] = i + 1 + choice
    return best


def _traced(best: _Ints) -> _Ints:
    """Return the (P, n - 2, 3) triangles, found from the last edge inwards."""
    polygons, count = best.shape[:2]
    triangles = np.zeros((polygons, count - 2, 3), np.int64)
    rows = np.arange(polygons)
    # A stack of the outlines that are left to cut, for each polygon.
    stack = np.zeros((polygons, count, 2), np.int64)
    stack[:, 0, 1] = count - 1
    depth = np.ones(polygons, np.int64)
    for number in range(count - 2):
        depth -= 1
        i, j = stack[rows, depth].T
        k = best[rows, i, j]
        triangles[:, number] = np.stack((i, k, j), axis=1)
        for a, b in ((i, k), (k, j)):
            stack[rows, depth] = np.stack((a, b), axis=1)
            depth += b - a > 1
    return triangles
