"""Arithmetic on crossings in compressed sparse rows: layers, sheets, what is inside the solid.

In all functions ``offsets`` is (P + 1,) int64 for P pixels in row-major order. The crossings of
pixel i are [offsets[i], offsets[i + 1]), nearest first; M is their total number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "by_layer",
    "layer_stack",
    "nesting",
    "outermost",
    "per_crossing",
    "scattered",
    "selected_rows",
    "solid_pieces",
]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def per_crossing(offsets: IntArray, pixel_values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return (M,): the value of each crossing's pixel, from (P,) values."""
    return np.repeat(pixel_values, np.diff(offsets))


def by_layer(offsets: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield, for each layer, the pixels that have it and their crossings in it.

    Layers come nearest first, pixels in row-major order.
    """
    count = np.diff(offsets)
    pixels = np.flatnonzero(count)
    for layer in range(count.max(initial=0)):
        yield pixels, offsets[pixels] + layer
        pixels = pixels[count[pixels] > layer + 1]


def layer_stack(
    offsets: IntArray, values: npt.NDArray[Any], layer_count: int, fill: float
) -> npt.NDArray[Any]:
    """Return (L, P) or (L, P, channels): one image of the values for each layer.

    Args:
        offsets: (P + 1,), see the module.
        values: (M,) or (M, channels), one for each crossing.
        layer_count: L, the number of images; further layers are left out.
        fill: value where a pixel has no such crossing.
    """
    stack = np.full((layer_count, len(offsets) - 1, *values.shape[1:]), fill, dtype=values.dtype)
    for image, (pixels, crossings) in zip(stack, by_layer(offsets), strict=False):
        image[pixels] = values[crossings]
    return stack


def outermost(
    offsets: IntArray, selected: BoolArray, end: Literal["nearest", "farthest"]
) -> tuple[IntArray, IntArray]:
    """Return the pixels that have selected crossings, and the nearest or farthest one in each.

    Args:
        offsets: (P + 1,), see the module.
        selected: (M,) bool, the crossings to choose from.
        end: which end of each ray to search from.
    """
    crossings = np.flatnonzero(selected)
    before = selected_rows(offsets, selected)  # selected crossings before each pixel
    pixels = np.flatnonzero(np.diff(before))
    return pixels, crossings[before[pixels] if end == "nearest" else before[pixels + 1] - 1]


def selected_rows(offsets: IntArray, selected: BoolArray) -> IntArray:
    """Return (P + 1,): the offsets of the selected crossings, from (M,) bool."""
    return _prefix_sums(selected)[offsets]


def scattered(
    values: npt.NDArray[Any],
    pixels: IntArray,
    crossings: IntArray,
    shape: tuple[int, int],
    fill: float,
) -> npt.NDArray[Any]:
    """Return (H, W) or (H, W, channels): an image with the value of one crossing per given pixel.

    Args:
        values: (M,) or (M, channels), one for each crossing.
        pixels, crossings: (N,) each, as `outermost` returns them.
        shape: (H, W).
        fill: value at all other pixels.
    """
    image = np.full((shape[0] * shape[1], *values.shape[1:]), fill, dtype=values.dtype)
    image[pixels] = values[crossings]
    return image.reshape(*shape, *values.shape[1:])


def nesting(offsets: IntArray, front_facing: BoolArray) -> tuple[IntArray, IntArray]:
    """Return the nesting after each crossing (M,) and at the start of each ray (P,).

    The nesting is the number of bodies that the ray is inside. A ray ends outside every closed
    body, so where entries and exits do not balance, it started inside.
    """
    total = _prefix_sums(_nesting_steps(front_facing))
    at_end = total[offsets[1:]]
    at_start = total[offsets[:-1]] - at_end
    inside = total[1:]
    inside -= per_crossing(offsets, at_end)
    return inside, at_start


def solid_pieces(
    offsets: IntArray, depth: npt.NDArray[np.float32], front_facing: BoolArray
) -> tuple[IntArray, npt.NDArray[np.float32]]:
    """Return the pixel (N,) and the two end depths (N, 2) of each piece of a ray inside the solid.

    A piece that starts at depth 0 starts at a camera inside the solid.
    """
    inside, at_start = nesting(offsets, front_facing)
    is_inside = inside > 0  # after each crossing
    was_inside = inside > _nesting_steps(front_facing)  # before it
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
    return pixels, pieces


def _nesting_steps(front_facing: BoolArray) -> npt.NDArray[np.int8]:
    """Return (M,) int8: the change of the nesting at each crossing, +1 at fronts, -1 at backs."""
    steps: npt.NDArray[np.int8] = np.where(front_facing, np.int8(1), np.int8(-1))
    return steps


def _prefix_sums(values: npt.NDArray[Any]) -> IntArray:
    """Return (M + 1,): the sum of all values (M,) before each index; the last one is the total."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums
