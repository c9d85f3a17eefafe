"""Packed arrays: differences of neighboring float32 values, byte by byte, which deflate shrinks.

Deflate finds nothing to repeat in float32 depths as they are. In a smooth surface, the bits of a
pixel differ little from what its neighbors predict, and the upper bytes of all differences are
alike. So a packed array holds, for each byte of the number, one image of that byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "BIAS", "PACKED", "from_layers", "layer_order", "pack", "packed_shape", "to_layers", "unpack",
]  # fmt: skip

PACKED = "_packed"  # the end of the name of a packed array
_BYTES = 4  # of a float32
# Added to every difference, so that the upper bytes of small negative and positive ones are equal.
BIAS = 0x808080
# Crossings ordered at a time: few, so that they take next to no memory.
_BLOCK_SIZE = 1 << 15

IntArray = npt.NDArray[np.int64]
Float32Array = npt.NDArray[np.float32]
Uint8Array = npt.NDArray[np.uint8]


def packed_shape(shape: tuple[int | None, ...], has_channels: bool) -> tuple[int | None, ...]:
    """Return the shape of a packed array; None is an axis of any length.

    Args:
        shape: of the array.
        has_channels: whether its last axis is one of channels.
    """
    return (_BYTES, shape[-1], *shape[:-1]) if has_channels else (_BYTES, *shape)


def pack(array: Float32Array, has_channels: bool = False) -> Uint8Array:
    """Return an array packed, of the same size in bytes.

    Args:
        array: (H, W) or (M,) float32, or with an axis of channels after those.
        has_channels: whether the last axis is one of channels.

    Returns:
        (4, [channels,] H, W) or (4, [channels,] M) uint8: bytes of the differences, lowest first.
    """
    values = np.ascontiguousarray(np.moveaxis(array, -1, 0) if has_channels else array)
    bits = values.view(np.uint32)
    # All modulo 2**32, so that the sum of the differences is exact.
    differences = bits + np.uint32(BIAS)
    differences[..., 1:] -= bits[..., :-1]
    if array.ndim - has_channels == 2:
        rows = differences - np.uint32(BIAS)
        differences[..., 1:, :] -= rows[..., :-1, :]
    planes = np.empty((_BYTES, *values.shape), np.uint8)
    for place, plane in enumerate(planes):
        np.right_shift(differences, 8 * place, out=plane, casting="unsafe")
    return planes


def unpack(planes: Uint8Array, has_channels: bool = False) -> Float32Array:
    """Return the array that `pack` packed, bit for bit.

    Args:
        planes: (4, [channels,] H, W) or (4, [channels,] M) uint8.
        has_channels: whether its second axis is one of channels.
    """
    bits = planes[-1].astype(np.uint32)
    for plane in planes[-2::-1]:
        bits <<= np.uint32(8)
        bits |= plane
    bits -= np.uint32(BIAS)
    np.add.accumulate(bits, -1, out=bits)
    if planes.ndim - has_channels == 3:
        # Ten times as fast as accumulate over this axis, which visits one column after another.
        rows = np.moveaxis(bits, -2, 0)
        for above, row in pairwise(rows):
            row += above
    values: npt.NDArray[Any] = bits.view(np.float32)
    return np.ascontiguousarray(np.moveaxis(values, 0, -1)) if has_channels else values


def to_layers(array: Float32Array, offsets: IntArray) -> Float32Array:
    """Return the values of crossings in the order of `layer_order`.

    Args:
        array: (M,) or (M, channels), in the order of `DepthLayers`.
        offsets: (P + 1,), see `DepthLayers`.
    """
    ordered = np.empty_like(array)
    start = 0
    for crossings in layer_order(offsets):
        ordered[start : start + len(crossings)] = array[crossings]
        start += len(crossings)
    return ordered


def from_layers(ordered: Float32Array, offsets: IntArray) -> Float32Array:
    """Return the array that `to_layers` put in order."""
    array = np.empty_like(ordered)
    start = 0
    for crossings in layer_order(offsets):
        array[crossings] = ordered[start : start + len(crossings)]
        start += len(crossings)
    return array


def layer_order(offsets: IntArray) -> Iterator[IntArray]:
    """Yield all crossings layer by layer, nearest first, each in the order of the pixels.

    Neighbors in this order are neighbors on a surface. It comes in blocks of up to _BLOCK_SIZE
    crossings, so that its memory is one number for each pixel that has crossings.

    Args:
        offsets: (P + 1,), see `DepthLayers`.
    """
    pixels = np.flatnonzero(offsets[1:] > offsets[:-1])
    layer = 0
    while len(pixels):
        # Several layers at a time if few pixels are left: one may have millions of crossings.
        layers = max(1, _BLOCK_SIZE // len(pixels))
        left = 0
        for start in range(0, len(pixels), _BLOCK_SIZE):
            block = pixels[start : start + _BLOCK_SIZE]
            first = offsets[block] + layer
            counts = offsets[block + 1] - first
            yield first if layers == 1 else _by_layer(first, np.minimum(counts, layers))
            kept = block[counts > layers]
            pixels[left : left + len(kept)] = kept  # no further than what was read
            left += len(kept)
        pixels = pixels[:left]
        layer += layers


def _by_layer(first: IntArray, counts: IntArray) -> IntArray:
    """Return the crossings of some pixels, layer by layer.

    Args:
        first: (n,) first crossing of each pixel.
        counts: (n,) number of its crossings, 1 to _BLOCK_SIZE.
    """
    ends = np.cumsum(counts)
    layer = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
    # NumPy sorts integers of 16 bits in linear time.
    order = np.argsort(layer.astype(np.uint16), kind="stable")
    crossings: IntArray = (np.repeat(first, counts) + layer)[order]
    return crossings
