"""Judgment of rendered values by rays in float64: right, or wrong whatever the rounding.

An engine may decide coverage at a point up to `MARGIN` away from the center of a pixel. So near a
border of a face there is more than one right answer, and each is accepted; see `explained`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from .float64_rays import Booleans, Crossings, Floats, Integers

__all__ = ["RELATIVE", "explained", "unexplained_layers"]

# Of a depth: twice float32's rounding, for the depth itself and for its plane.
RELATIVE = 2e-6


def explained(
    crossings: Crossings,
    values: npt.ArrayLike,
    sheet: Literal["entry", "exit"],
    two_sided: npt.ArrayLike,
    *,
    relative: float = RELATIVE,
    absolute: float = 0.0,
    near: float | None = None,
    far: float | None = None,
) -> Booleans:
    """Return which values of a sheet rays in float64 explain, (N,) bool.

    A *candidate* is a face that touches the square of `MARGIN` around the center of the pixel. It
    is *certain* if it covers the whole square. Below, "beyond" is farther for entry, and nearer for
    exit.

    A depth is explained if it is one that a candidate has within the square, within `relative` and
    `absolute`, and no certain candidate hides it: if it is not beyond every depth of one. It must
    also not be beyond all faces that nine rays through the square answer with, if each of them has
    an answer. The candidate faces the right way, or counts on either side. Where the border of such
    a face is in the square, it may also be the face behind: at silhouettes, entry and exit are one
    depth.

    NaN is explained if no certain candidate faces the right way, and one of the nine rays misses.

    Args:
        crossings: of N points.
        values: (N,) depths of the sheet, NaN for a miss.
        sheet: which of both.
        two_sided: (F,) bool, the faces that count on either side.
        relative: relative error of a depth that is allowed.
        absolute: further error that is allowed, mesh units.
        near, far: range of depths that count.
    """
    c = crossings
    got = np.asarray(values, np.float64)
    sign = 1.0 if sheet == "entry" else -1.0
    first, last = (-np.inf if near is None else near), (np.inf if far is None else far)
    faces_right = (c.front == (sign > 0)) | c.turns | np.asarray(two_sided, bool)[c.face]
    counts = (c.high >= first) & (c.low <= last)
    certain = c.certain & (c.low >= first) & (c.high <= last)
    key_low, key_high = (c.low, c.high) if sign > 0 else (-c.high, -c.low)

    bound = np.full(len(got), np.inf)
    hides = certain & faces_right
    np.minimum.at(bound, c.point[hides], key_high[hides])
    bound = np.minimum(bound, _bound_of_rays(c, sign, faces_right, key_high, first, last, len(got)))

    at_border = np.zeros(len(got), bool)
    at_border[c.point[faces_right & counts & ~certain]] = True
    possible = counts & (faces_right | (~certain & at_border[c.point]))
    slack = relative * np.abs(got) + absolute
    key = sign * got
    with np.errstate(invalid="ignore"):
        fits = possible & (key[c.point] >= key_low - slack[c.point])
        fits &= key[c.point] <= np.minimum(key_high, bound[c.point]) + slack[c.point]
    right = np.zeros(len(got), bool)
    right[c.point[fits]] = True
    missing = np.isnan(got)
    right[missing] = np.isinf(bound[missing])
    return right


def _bound_of_rays(
    c: Crossings,
    sign: float,
    faces_right: Booleans,
    key_high: Floats,
    first: float,
    last: float,
    count: int,
) -> Floats:
    """Return the farthest that a face is which one of the nine rays answers with.

    It is inf where a ray misses.
    """
    bound = np.full(count, -np.inf)
    for ray in range(c.hit.shape[1]):
        depth = c.depth[:, ray]
        hits = np.flatnonzero(c.hit[:, ray] & faces_right & (depth >= first) & (depth <= last))
        # Sorted by point and key, the first of each point is its answer.
        order = hits[np.lexsort((sign * depth[hits], c.point[hits]))]
        point, index = np.unique(c.point[order], return_index=True)
        of_ray = np.full(count, np.inf)
        of_ray[point] = key_high[order[index]]
        bound = np.maximum(bound, of_ray)
    return bound


def unexplained_layers(
    crossings: Crossings,
    offsets: Integers,
    depth: npt.ArrayLike,
    *,
    relative: float = RELATIVE,
) -> tuple[Booleans, Booleans]:
    """Return at which points lists of crossings are wrong, and which points were compared.

    A point is compared if no face has a border in its square: then the ray meets as many faces, at
    the same depths, wherever in the square it is.

    Args:
        crossings: of N points, without `near` and `far`.
        offsets: (N + 1,) the depths of point i are those from offsets[i] to offsets[i + 1].
        depth: depths of all crossings, in increasing order at each point.
        relative: relative error of a depth that is allowed.

    Returns:
        wrong, compared: (N,) bool.
    """
    c = crossings
    count = len(offsets) - 1
    compared = np.ones(count, bool)
    compared[c.point[~c.certain]] = False
    rows = c.of_ray()
    wrong = compared & (np.diff(offsets) != np.bincount(c.point[rows], minlength=count))
    # Where the numbers are equal, the depths are compared in their order, whatever the faces.
    same = compared & ~wrong
    rows = rows[same[c.point[rows]]]
    got = np.asarray(depth, np.float64)[np.repeat(same, np.diff(offsets))]
    slack = relative * np.abs(got)
    off = ~((got >= c.low[rows] - slack) & (got <= c.high[rows] + slack))
    wrong[c.point[rows[off]]] = True
    return wrong, compared
