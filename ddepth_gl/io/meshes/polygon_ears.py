"""Polygons that earcut leaves incomplete: dropped corners, slits, repeated corners."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .polygon_minimum import MAX_MINIMUM_CORNERS, least_negative
from .polygon_work import PolygonWork

__all__ = ["clipped_ears", "with_dropped_corners"]

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
_MAX_CORNERS = 2000
_NOTHING: _Ints = np.zeros((0, 3), np.int64)


def with_dropped_corners(triangles: _Ints, outline: _Floats) -> _Ints:
    """Return triangles in which the corners that they leave out are inserted.

    earcut drops corners that lie on a straight line between others. They split the triangle at
    that line.

    Args:
        triangles: (T, 3) corner numbers.
        outline: (n, 2) corners.
    """
    count = len(outline)
    if len(triangles) == 0:
        return _NOTHING
    used = np.unique(triangles)
    rows: list[list[int] | None] = triangles.tolist()
    place = {(row[k], row[(k + 1) % 3]): i for i, row in enumerate(rows) if row for k in range(3)}
    for a, b in zip(used.tolist(), np.roll(used, -1).tolist(), strict=True):
        chain = [(a + k) % count for k in range((b - a) % count + 1)]
        if len(chain) == 2:
            continue
        i = place.get((a, b))
        row = None if i is None else rows[i]
        if i is None or row is None:
            return _NOTHING
        (c,) = set(row) - {a, b}
        rows[i] = None
        for start, end in pairwise(chain):
            for edge in ((c, start), (start, end), (end, c)):
                place[edge] = len(rows)
            rows.append([c, start, end])
    return np.array([row for row in rows if row], np.int64).reshape(-1, 3)


def clipped_ears(outline: _Floats, work: PolygonWork) -> _Ints:
    """Return the triangles of a polygon, cut off one by one.

    Slower than earcut, but corners at equal positions and on straight lines all stay.

    Args:
        outline: (n, 2) corners, counter-clockwise. Parts of the outline may touch.
        work: time that is left.

    Returns:
        (n - 2, 3) corner numbers, or none if there is no ear left or the search takes too long.
    """
    left = np.arange(len(outline))
    if len(left) > _MAX_CORNERS:
        return _NOTHING
    triangles: list[list[int]] = []
    while len(left) > 3:
        if not work.spend(3000 + 10 * len(left)):
            return _NOTHING
        points = outline[left]
        before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
        turns = _side(before, points, after)
        # Without these, the area is the same: ends of slits and spikes, and repeated corners. Other
        # corners on a straight line stay, as long as there are ears.
        flat = np.flatnonzero(turns == 0)
        folds = ((before - points) * (after - points)).sum(axis=1)[flat] >= 0
        ear = int(flat[folds][0]) if folds.any() else -1
        for i in np.flatnonzero(turns > 0).tolist() if ear < 0 else ():
            if not work.spend(4000 + 20 * len(left)):
                return _NOTHING
            if _is_ear(points, turns, i):
                ear = i
                break
        if ear < 0 and len(left) <= MAX_MINIMUM_CORNERS:
            rest = left[least_negative(points[None], work)[0]]
            return np.concatenate((np.array(triangles, np.int64).reshape(-1, 3), rest))
        if ear < 0 and len(flat) == 0:
            return _NOTHING
        ear = int(flat[0]) if ear < 0 else ear
        triangles.append([left[ear - 1], left[ear], left[(ear + 1) % len(left)]])
        left = np.delete(left, ear)
    triangles.append(left.tolist())
    return np.array(triangles, np.int64)


def _is_ear(points: _Floats, turns: _Floats, i: int) -> bool:
    """Return whether nothing of the outline is inside the triangle at convex corner i."""
    count = len(points)
    before, after = (i - 1) % count, (i + 1) % count
    a, b, c = points[before], points[i], points[after]
    if not (_opens_to(points, turns, before, c) and _opens_to(points, turns, after, a)):
        return False
    side_ab, side_bc, side_ca = (_side(p, q, points) for p, q in ((a, b), (b, c), (c, a)))
    on_diagonal = (side_ca == 0) & (((points - a) * (points - c)).sum(axis=1) < 0)
    if (on_diagonal | ((side_ab > 0) & (side_bc > 0) & (side_ca > 0))).any():
        return False
    ends = np.roll(points, -1, axis=0)
    crosses = (side_ca * np.roll(side_ca, -1) < 0) & (
        _side(points, ends, a) * _side(points, ends, c) < 0
    )
    return not crosses.any()


def _opens_to(points: _Floats, turns: _Floats, i: int, target: _Floats) -> bool:
    """Return whether the target lies within the interior angle at corner i."""
    before, corner, after = points[i - 1], points[i], points[(i + 1) % len(points)]
    left_of_next = _side(corner, after, target) >= 0
    left_of_previous = _side(before, corner, target) >= 0
    if turns[i] > 0:
        return bool(left_of_next and left_of_previous)
    return bool(left_of_next or left_of_previous)


def _side(a: _Floats, b: _Floats, p: _Floats) -> _Floats:
    return np.asarray(
        (b[..., 0] - a[..., 0]) * (p[..., 1] - a[..., 1])
        - (b[..., 1] - a[..., 1]) * (p[..., 0] - a[..., 0])
    )
