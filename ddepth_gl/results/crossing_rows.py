"""Arithmetic on crossings in compressed sparse rows: layers, sheets, selections.

In all functions ``offsets`` is (P + 1,) int64 for P pixels in row-major order. The crossings of
pixel i are [offsets[i], offsets[i + 1]), nearest first; M is their total number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "BLOCK_SIZE",
    "by_layer",
    "crossing_blocks",
    "outermost",
    "per_crossing",
    "prefix_sums",
    "put_layers",
    "scattered",
    "selected_rows",
    "separate",
]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]

# Numbers processed at a time: they stay in the cache, and their memory is reused.
BLOCK_SIZE = 1 << 15


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


def crossing_blocks(offsets: IntArray) -> Iterator[tuple[slice, slice]]:
    """Yield consecutive pixels and their crossings, up to BLOCK_SIZE of either.

    A pixel with more crossings makes a block of its own.

    Args:
        offsets: (n + 1,) first crossing of each of n pixels, and the end of the last pixel.
    """
    pixels, start = len(offsets) - 1, 0
    while start < pixels:
        stop = int(np.searchsorted(offsets, offsets[start] + BLOCK_SIZE, side="right")) - 1
        stop = min(max(stop, start + 1), start + BLOCK_SIZE, pixels)
        yield slice(start, stop), slice(int(offsets[start]), int(offsets[stop]))
        start = stop


def put_layers(
    offsets: IntArray,
    moves: Iterable[tuple[npt.NDArray[Any], npt.NDArray[Any]]],
    layer_count: int,
) -> None:
    """Put the values of crossings into stacks of images, one image for each layer.

    Args:
        offsets: (P + 1,), see the module.
        moves: values (M,) or (M, channels), one for each crossing; and the stack that they go to,
            (L, H, W) or (L, H, W, channels), C-contiguous, of the same dtype.
        layer_count: L, the number of images; further layers are left out.
    """
    pixel_count = len(offsets) - 1
    flat = [(_elements(values, axes=1), _elements(stack, axes=3)) for values, stack in moves]
    for pixels, crossings in crossing_blocks(offsets):
        # Crossing i of pixel p goes to element (i - offsets[p]) * P + p of a stack.
        first = offsets[pixels.start : pixels.stop + 1]
        counts = np.diff(first)
        shift = np.arange(pixels.start, pixels.stop) - first[:-1] * pixel_count
        targets = np.repeat(shift, counts)
        steps = crossings.start * pixel_count, crossings.stop * pixel_count, pixel_count
        targets += np.arange(*steps)
        selected: slice | BoolArray = slice(None)
        if counts.max() > layer_count:
            selected = targets < layer_count * pixel_count
            targets = targets[selected]
        for elements, images in flat:
            np.put(images, targets, elements[crossings][selected])


def _elements(array: npt.NDArray[Any], axes: int) -> npt.NDArray[Any]:
    """Return the elements along the first `axes` axes as one axis, with all channels in each.

    NumPy moves elements of 12 bytes far faster than rows of three numbers.
    """
    size = array.itemsize * math.prod(array.shape[axes:])
    return np.ascontiguousarray(array).reshape(-1).view(f"V{size}")


def separate(
    offsets: IntArray, depth: Float32Array, length_per_depth: npt.NDArray[np.float64], gap: float
) -> BoolArray:
    """Return (M,) bool: the crossings that remain if those closer than `gap` are merged.

    The first crossing of a pixel remains, and then each one that lies at least `gap` behind the
    last one that remains.

    Args:
        offsets: (P + 1,), see the module.
        depth: (M,).
        length_per_depth: (P,) length along the ray per unit of depth.
        gap: smallest distance along the ray, mesh units.
    """
    remains = np.zeros(len(depth), np.bool_)
    last = np.full(len(offsets) - 1, -np.inf)
    for pixels, crossings in by_layer(offsets):
        here = depth[crossings].astype(np.float64)
        far = (here - last[pixels]) * length_per_depth[pixels] >= gap
        remains[crossings] = far
        last[pixels[far]] = here[far]
    return remains


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
    return prefix_sums(selected)[offsets]


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
    np.put(_elements(image, axes=1), pixels, _elements(values, axes=1)[crossings])
    return image.reshape(*shape, *values.shape[1:])


def prefix_sums(values: npt.NDArray[Any]) -> IntArray:
    """Return (M + 1,): the sum of all values (M,) before each index; the last one is the total."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums
