"""Pieces of rays inside the solid, and how many bodies a ray is inside at each crossing.

The arguments are those of `crossing_rows`: offsets (P + 1,) of P pixels, M crossings.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .crossing_rows import per_crossing, prefix_sums, selected_rows

__all__ = ["nesting", "solid_pieces"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]
# `silhouettes.inside_out` without the camera: takes (N,) pixels, depths of backs and of the fronts
# behind them.
InsideOut = Callable[[IntArray, Float32Array, Float32Array], BoolArray]


def nesting(
    offsets: IntArray,
    depth: Float32Array,
    front_facing: BoolArray,
    solid: BoolArray,
    inside_out: InsideOut,
) -> tuple[Float32Array, Float32Array, npt.NDArray[np.int8]]:
    """Return the nesting after each crossing (M,) and at the start of each ray (P,), and the steps.

    The nesting is the number of bodies that the ray is inside, see `DepthLayers.nesting`. The steps
    (M,) are its change at each crossing: 1 at fronts, -1 at backs, 0 where not `solid`, (M,) bool.

    Args:
        offsets: (P + 1,), see the module.
        depth: (M,).
        front_facing: (M,) bool.
        solid: (M,) bool, whether the crossing belongs to a body that has an inside.
        inside_out: tells bodies that are inside out from silhouettes.
    """
    has_others_alone = (np.diff(selected_rows(offsets, solid)) == 0) & (np.diff(offsets) > 0)
    steps = np.where(front_facing, np.int8(1), np.int8(-1))
    steps[~solid] = 0
    total = prefix_sums(steps)
    at_end = total[offsets[1:]]
    at_start = (total[offsets[:-1]] - at_end).astype(np.float32)
    at_start[(at_start < 0) | has_others_alone] = np.nan
    total[1:] -= per_crossing(offsets, at_end)
    # After a back that comes before its front, the nesting is negative. At the end of a ray it is
    # 0, so there is a next crossing.
    negative = np.flatnonzero(total[1:] < 0)
    if len(negative):
        pixels = np.searchsorted(offsets, negative, side="right") - 1
        at_start[pixels[inside_out(pixels, depth[negative], depth[negative + 1])]] = np.nan
    inside = total[1:].astype(np.float32)
    inside[per_crossing(offsets, np.isnan(at_start))] = np.nan
    return inside, at_start, steps


def solid_pieces(
    offsets: IntArray,
    depth: Float32Array,
    front_facing: BoolArray,
    solid: BoolArray,
    inside_out: InsideOut,
) -> tuple[IntArray, Float32Array, BoolArray]:
    """Return the pixel (N,) and the two end depths (N, 2) of each piece of a ray inside the solid.

    The last result, (P,) bool, says in which pixels the `nesting` is unknown. For the arguments see
    `nesting`.

    A piece that starts at depth 0 starts at a camera inside the solid.
    """
    inside, at_start, steps = nesting(offsets, depth, front_facing, solid, inside_out)
    is_inside = inside > 0  # after each crossing; False for NaN, as all comparisons below
    was_inside = inside > steps  # before it
    starts = np.flatnonzero(is_inside & ~was_inside)
    ends = np.flatnonzero(was_inside & ~is_inside)
    pixels = per_crossing(offsets, np.arange(len(offsets) - 1))[ends]
    # Rays end outside, so every piece has an end. Only a pixel's first piece may have no start: it
    # starts at the camera.
    is_first = np.diff(pixels, prepend=-1) > 0
    from_camera = is_first & (at_start[pixels] > 0)
    pieces = np.zeros((len(ends), 2), np.float32)
    pieces[~from_camera, 0] = depth[starts]
    pieces[:, 1] = depth[ends]
    return pixels, pieces, np.isnan(at_start)
