"""Points inside closed bodies: winding numbers, counted along a ray from each point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["enclosing_bodies"]

Float64Array = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]

_BRANCHES = 8  # faces per leaf of the tree of boxes, and children per node
# Bounds on the memory of temporary arrays.
_PAIRS_PER_PIECE, _POINTS_PER_BLOCK, _MAX_SIGNS = 1 << 17, 1 << 9, 1 << 20
# A bound on the time: about half a minute. Thousands of bodies that enclose each other reach it.
_MAX_TESTS = 1 << 28
_TESTS_PER_SIGN = 5  # a face takes as long as so many boxes


def enclosing_bodies(
    points: Float64Array, corners: Float64Array, body: npt.NDArray[Any]
) -> tuple[Int64Array, Int64Array]:
    """Return which points lie inside which bodies: those with a positive winding number.

    The winding number is the sum of the signs with which a ray along +z leaves (+1) and enters (-1)
    the body. Nothing is decided twice: for the crossing of an edge, all faces at that edge compute
    the same bits, so a ray through an edge or a vertex counts once. A wrong answer is possible only
    for a point that lies on the surface within rounding.

    The time is bounded: after as many tests as take about half a minute, all remaining points count
    as outside.

    Args:
        points: (Q, 3).
        corners: (F, 3, 3) corners of the faces of closed, consistently wound bodies.
        body: (F,) body of each face, integers of at least 0.

    Returns:
        (P,) indices of points and (P,) bodies around them.
    """
    tree = _BoxTree(corners)
    body_count = int(body.max(initial=0)) + 1
    none: Int64Array = np.zeros(0, np.int64)
    inside = [none]
    for start in range(0, len(points), _POINTS_PER_BLOCK):
        block = np.arange(start, min(start + _POINTS_PER_BLOCK, len(points)))
        pairs, winding, limit = none, none, _MAX_SIGNS
        for point, face in tree.faces_above(points, block):
            sign = _crossing_signs(points[point], corners[face])
            hit = np.flatnonzero(sign)
            pairs = np.append(pairs, point[hit] * body_count + body[face[hit]])
            winding = np.append(winding, sign[hit])
            if len(pairs) > limit:
                pairs, winding = _summed(pairs, winding)
                limit = max(_MAX_SIGNS, 2 * len(pairs))
        if tree.tests > _MAX_TESTS:
            break
        pairs, winding = _summed(pairs, winding)
        inside.append(pairs[winding > 0])
    found = np.concatenate(inside)
    return found // body_count, found % body_count


def _summed(pairs: Int64Array, signs: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return the distinct pairs, sorted, and the sum of the signs of each."""
    distinct, index = np.unique(pairs, return_inverse=True)
    sums = np.zeros(len(distinct), np.int64)
    np.add.at(sums, index, signs)
    return distinct, sums


class _BoxTree:
    """Boxes around faces, around groups of faces, and so on, for rays along +z.

    Faces are grouped by sort-tile-recursive packing in the xy plane (Leutenegger, Lopez and
    Edgington, "STR: a simple and efficient algorithm for R-tree packing", 1997).

    Args:
        corners: (F, 3, 3).

    Attributes:
        tests: number of boxes tested so far, and of faces, which count more.
    """

    def __init__(self, corners: Float64Array) -> None:
        self.tests = 0
        low, high = corners.min(axis=1), corners.max(axis=1)
        strips = int(np.ceil(np.sqrt(len(corners) / _BRANCHES))) or 1
        strip = np.empty(len(corners), np.int64)
        strip[np.argsort(low[:, 0] + high[:, 0])] = (
            np.arange(len(corners)) * strips // max(len(corners), 1)
        )
        self._order = np.lexsort((low[:, 1] + high[:, 1], strip))
        # By level, the root's children first: (n, 2) lowest x and y, (n, 3) highest x, y and z.
        self._levels = [(low[self._order, :2], high[self._order])]
        while len(self._levels[0][0]) > _BRANCHES:
            low, high = self._levels[0]
            starts = np.arange(0, len(low), _BRANCHES)
            self._levels.insert(
                0, (np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts))
            )

    def faces_above(
        self, points: Float64Array, which: Int64Array
    ) -> Iterator[tuple[Int64Array, Int64Array]]:
        """Yield arrays of pairs (point, face) whose ray meets the box of the face.

        Stop after `_MAX_TESTS` tests.

        Args:
            points: (Q, 3).
            which: (n,) indices of the points whose rays to follow.
        """
        yield from self._below(points, which, np.zeros(len(which), np.int64), 0)

    def _below(
        self, points: Float64Array, point: Int64Array, node: Int64Array, level: int
    ) -> Iterator[tuple[Int64Array, Int64Array]]:
        """Yield the pairs below nodes of a level whose rays meet the boxes of these nodes."""
        low, high = self._levels[level]
        step = _PAIRS_PER_PIECE // _BRANCHES
        for start in range(0, len(point), step):
            if self.tests > _MAX_TESTS:
                return
            parents = node[start : start + step, None] * _BRANCHES + np.arange(_BRANCHES)
            which, _ = exists = np.nonzero(parents < len(low))
            children, owner = parents[exists], point[start : start + step][which]
            self.tests += len(children)
            p = points[owner]
            meets = (low[children] <= p[:, :2]).all(axis=1) & (high[children] >= p).all(axis=1)
            children, owner = children[meets], owner[meets]
            if not len(owner):
                continue
            if level + 1 < len(self._levels):
                yield from self._below(points, owner, children, level + 1)
            else:
                self.tests += _TESTS_PER_SIGN * len(owner)
                yield owner, self._order[children]


def _crossing_signs(points: Float64Array, corners: Float64Array) -> npt.NDArray[np.int64]:
    """Return (n,) by point and face: 1 where the ray along +z leaves through the face, -1 or 0.

    The plane through the point, perpendicular to y, crosses no edge of the face or two. The ray
    meets the face if it passes between these two crossings.

    Args:
        points: (n, 3).
        corners: (n, 3, 3).
    """
    starts, ends = corners, np.roll(corners, -1, axis=1)
    is_below = starts[..., 1] <= points[:, None, 1]
    direction = is_below.astype(np.int64) - np.roll(is_below, -1, axis=1)
    # An edge is evaluated from its lower end, so that its other faces compute the same bits.
    upward = (direction > 0)[..., None]
    lower, upper = np.where(upward, starts, ends), np.where(upward, ends, starts)
    crosses = direction != 0
    rise = np.where(crosses, upper[..., 1] - lower[..., 1], 1.0)
    t = np.where(crosses, (points[:, None, 1] - lower[..., 1]) / rise, 0.0)[..., None]
    # Rounding must not move a crossing out of the box of its edge, which other boxes contain.
    crossing = np.clip(
        lower + t * (upper - lower), np.minimum(lower, upper), np.maximum(lower, upper)
    )
    is_right = crosses & (crossing[..., 0] > points[:, None, 0])
    is_left = crosses & ~is_right
    sign = (direction * is_right).sum(axis=1)
    # Where the sign is not 0, one crossing is on the left and one on the right.
    left, right = ((crossing * side[..., None]).sum(axis=1) for side in (is_left, is_right))
    width = np.where(sign != 0, right[:, 0] - left[:, 0], 1.0)
    z = left[:, 2] + (points[:, 0] - left[:, 0]) / width * (right[:, 2] - left[:, 2])
    result: npt.NDArray[np.int64] = np.where(z > points[:, 2], sign, 0)
    return result
