"""The 64-bit keys of crossings, by which they are found and sorted, and lists of them, pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "BLOCK_SIZE",
    "CountArray",
    "IntArray",
    "KeyArray",
    "crossing_blocks",
    "crossing_offsets",
    "running_total",
    "split_keys",
    "take_first_layers",
]

# The bits of the float32 depth, then those of face * 2 + (0 for a front, 1 for a back). Depths are positive,
# so the order of keys is that of (depth, face).
KeyArray = npt.NDArray[np.int64]
IntArray = npt.NDArray[np.int64]
CountArray = npt.NDArray[np.integer[Any]]

# Work goes on in blocks of so many numbers: they stay in the cache, and the memory for them is used again.
BLOCK_SIZE = 1 << 15


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
    for start in range(0, len(keys), BLOCK_SIZE):
        block = slice(start, start + BLOCK_SIZE)
        key = keys[block]
        depth[block] = key.view(np.float32)[1::2]  # the lower half comes first
        np.equal(key & 1, 0, out=front_facing[block])
        np.bitwise_and(key, 0xFFFFFFFF, out=face[block])
        face[block] >>= 1


def crossing_blocks(offsets: IntArray) -> Iterator[tuple[slice, slice]]:
    """Consecutive pixels and their crossings, BLOCK_SIZE of either at most; at least one pixel.

    Args:
        offsets: (n + 1,) where the crossings of each of n pixels begin, and where the last ones end.
    """
    pixels, start = len(offsets) - 1, 0
    while start < pixels:
        stop = int(np.searchsorted(offsets, offsets[start] + BLOCK_SIZE, side="right")) - 1
        stop = min(max(stop, start + 1), start + BLOCK_SIZE, pixels)
        yield slice(start, stop), slice(int(offsets[start]), int(offsets[stop]))
        start = stop


def crossing_offsets(*counts: CountArray, max_layers: int | None = None) -> IntArray:
    """(n + 1,) where each pixel's crossings begin.

    Args:
        counts: (n,) each; a pixel has as many crossings as these say together.
        max_layers: or so many, if that is less.
    """
    offsets = np.empty(len(counts[0]) + 1, dtype=np.int64)
    offsets[0] = end = 0
    for start in range(0, len(counts[0]), BLOCK_SIZE):
        block = slice(start, start + BLOCK_SIZE)
        total = sum((more[block] for more in counts[1:]), counts[0][block].astype(np.int32))
        if max_layers is not None:
            np.minimum(total, max_layers, out=total)
        end = running_total(total, end, offsets[1:][block])
    return offsets


def running_total(counts: CountArray, before: int, into: IntArray) -> int:
    """Fills `into` (n,) with `before` and the running total of counts (n,); returns the last of these."""
    np.cumsum(counts, out=into, dtype=np.int64)
    into += before
    return int(into[-1])


def take_first_layers(keys: KeyArray, offsets: IntArray, max_layers: int, into: KeyArray) -> None:
    """Fills `into` with the first `max_layers` keys of each pixel."""
    end = 0
    for pixels, crossings in crossing_blocks(offsets):
        starts = offsets[pixels.start : pixels.stop]
        counts = offsets[pixels.start + 1 : pixels.stop + 1] - starts
        layer = np.arange(crossings.start, crossings.stop) - np.repeat(starts, counts)
        first = keys[crossings][layer < max_layers]
        into[end : end + len(first)] = first
        end += len(first)
