"""Crossing keys: 64-bit numbers that sort crossings, and per-pixel lists of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...results.crossing_rows import BLOCK_SIZE, crossing_blocks

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

# The upper half holds the bits of the float32 depth, the lower half face * 2 + (0 for a front, 1
# for a back). Depths are positive, so keys sort by (depth, face).
KeyArray = npt.NDArray[np.int64]
IntArray = npt.NDArray[np.int64]
CountArray = npt.NDArray[np.integer[Any]]


def split_keys(
    keys: KeyArray,
    depth: npt.NDArray[np.float32],
    face: IntArray,
    front_facing: npt.NDArray[np.bool_],
) -> None:
    """Split keys into depth, face and facing.

    Args:
        keys: (M,).
        depth: (M,), overwritten.
        face: (M,), overwritten; may be `keys` itself.
        front_facing: (M,), overwritten.
    """
    for start in range(0, len(keys), BLOCK_SIZE):
        block = slice(start, start + BLOCK_SIZE)
        key = keys[block]
        depth[block] = key.view(np.float32)[1::2]  # little-endian: the lower half comes first
        lower = key.astype(np.uint32)
        np.equal(lower & 1, 0, out=front_facing[block])
        lower >>= 1
        face[block] = lower


def crossing_offsets(*counts: CountArray, max_layers: int | None = None) -> IntArray:
    """Return (n + 1,) the first crossing of each pixel, and the end of the last pixel.

    Args:
        counts: arrays (n,), whose sum is the number of crossings of each pixel.
        max_layers: upper limit to that number; None for no limit.
    """
    offsets = np.empty(len(counts[0]) + 1, dtype=np.int64)
    offsets[0] = end = 0
    for start in range(0, len(counts[0]), BLOCK_SIZE):
        block = slice(start, start + BLOCK_SIZE)
        total = sum((other[block] for other in counts[1:]), counts[0][block].astype(np.int32))
        if max_layers is not None:
            np.minimum(total, max_layers, out=total)
        end = running_total(total, end, offsets[1:][block])
    return offsets


def running_total(counts: CountArray, start: int, out: IntArray) -> int:
    """Write `start` plus the running total of counts (n,) to `out` (n,); return the last value."""
    out[:] = counts  # without a conversion, NumPy adds in half the time
    out[0] += start
    np.cumsum(out, out=out)
    return int(out[-1])


def take_first_layers(keys: KeyArray, offsets: IntArray, max_layers: int, out: KeyArray) -> None:
    """Copy the first `max_layers` keys of each pixel to `out`."""
    end = 0
    for pixels, crossings in crossing_blocks(offsets):
        starts = offsets[pixels.start : pixels.stop]
        counts = offsets[pixels.start + 1 : pixels.stop + 1] - starts
        layer = np.arange(crossings.start, crossings.stop) - np.repeat(starts, counts)
        first = keys[crossings][layer < max_layers]
        out[end : end + len(first)] = first
        end += len(first)
