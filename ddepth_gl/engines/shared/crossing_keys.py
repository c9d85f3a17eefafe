"""The 64-bit keys of crossings, by which they are found and sorted, and lists of them, pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "AT_A_TIME",
    "CountArray",
    "IntArray",
    "KeyArray",
    "add_up",
    "blocks_of_crossings",
    "first_of_each_pixel",
    "offsets_of",
    "split_keys",
]

# The bits of the float32 depth, then those of face * 2 + (0 for a front, 1 for a back). Depths are positive,
# so the order of keys is that of (depth, face).
KeyArray = npt.NDArray[np.int64]
IntArray = npt.NDArray[np.int64]
CountArray = npt.NDArray[np.integer[Any]]

# Work goes on in blocks of so many numbers: they stay in the cache, and the memory for them is used again.
AT_A_TIME = 1 << 15


def split_keys(
    keys: KeyArray,
    depth: npt.NDArray[np.float32],
    face: IntArray,
    front_facing: npt.NDArray[np.bool_],
) -> None:
    """Takes keys apart.

    Args:
        keys: (M,).
        depth, face, front_facing: (M,) are filled with what each key says; `face` may be `keys` itself.
    """
    for start in range(0, len(keys), AT_A_TIME):
        block = slice(start, start + AT_A_TIME)
        key = keys[block]
        depth[block] = key.view(np.float32)[1::2]  # the lower half comes first
        np.equal(key & 1, 0, out=front_facing[block])
        np.bitwise_and(key, 0xFFFFFFFF, out=face[block])
        face[block] >>= 1


def blocks_of_crossings(offsets: IntArray) -> Iterator[tuple[slice, slice]]:
    """Consecutive pixels and their crossings, AT_A_TIME of either at most; at least one pixel.

    Args:
        offsets: (n + 1,) where the crossings of each of n pixels begin, and where the last ones end.
    """
    pixels, start = len(offsets) - 1, 0
    while start < pixels:
        stop = int(np.searchsorted(offsets, offsets[start] + AT_A_TIME, side="right")) - 1
        stop = min(max(stop, start + 1), start + AT_A_TIME, pixels)
        yield slice(start, stop), slice(int(offsets[start]), int(offsets[stop]))
        start = stop


def offsets_of(*counts: CountArray, max_layers: int | None = None) -> IntArray:
    """(n + 1,) where each pixel's crossings begin.

    Args:
        counts: (n,) each; a pixel has as many crossings as these say together.
        max_layers: or so many, if that is less.
    """
    offsets = np.empty(len(counts[0]) + 1, dtype=np.int64)
    offsets[0] = end = 0
    for start in range(0, len(counts[0]), AT_A_TIME):
        block = slice(start, start + AT_A_TIME)
        total = sum((more[block] for more in counts[1:]), counts[0][block].astype(np.int32))
        if max_layers is not None:
            np.minimum(total, max_layers, out=total)
        end = add_up(total, end, offsets[1:][block])
    return offsets


def add_up(counts: CountArray, before: int, into: IntArray) -> int:
    """Fills `into` (n,) with `before` and the running total of counts (n,); returns the last of these."""
    np.cumsum(counts, out=into, dtype=np.int64)
    into += before
    return int(into[-1])


def first_of_each_pixel(keys: KeyArray, offsets: IntArray, max_layers: int, into: KeyArray) -> None:
    """Fills `into` with the first `max_layers` keys of each pixel."""
    end = 0
    for pixels, crossings in blocks_of_crossings(offsets):
        starts = offsets[pixels.start : pixels.stop]
        counts = offsets[pixels.start + 1 : pixels.stop + 1] - starts
        layer = np.arange(crossings.start, crossings.stop) - np.repeat(starts, counts)
        first = keys[crossings][layer < max_layers]
        into[end : end + len(first)] = first
        end += len(first)
