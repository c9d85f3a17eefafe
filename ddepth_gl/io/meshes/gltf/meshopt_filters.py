"""The filters of meshoptimizer's attributes: directions, rotations, floats and colors.

Appendix B of KHR_meshopt_compression states them. Values that it calls unspecified become 0 where
they have no number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FILTERS"]


def _octahedral(elements: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """Return (n, 4) signed unit vectors from octahedral components; the fourth stays as it is."""
    bits = 2 * elements.shape[1]
    encoded = elements.view(f"<i{bits // 8}")
    x, y, one = (encoded[:, i].astype(np.float64) for i in range(3))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x, y = x / one, y / one
        z = 1.0 - np.abs(x) - np.abs(y)
        below = np.minimum(z, 0.0)
        x, y = x - np.copysign(below, x), y - np.copysign(below, y)
        vectors = np.stack((x, y, z), axis=1)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    decoded = encoded.copy()
    decoded[:, :3] = _rounded(vectors * (2 ** (bits - 1) - 1), encoded.dtype)
    return decoded


def _quaternion(elements: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """Return (n, 4) 16-bit unit quaternions from the three smallest components of each."""
    encoded = elements.view("<i2")
    one = (encoded[:, 3] | 3).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        small = encoded[:, :3] / one[:, None] * np.sqrt(0.5)
    largest = np.sqrt(np.maximum(1.0 - (small**2).sum(axis=1), 0.0))
    values = _rounded(np.concatenate((largest[:, None], small), axis=1) * 32767.0, encoded.dtype)
    columns = ((encoded[:, 3] & 3)[:, None] + np.arange(4)) % 4
    decoded = np.empty_like(encoded)
    np.put_along_axis(decoded, columns.astype(np.int64), values, axis=1)
    return decoded


def _exponential(elements: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """Return float32 values from 8-bit exponents and 24-bit mantissas."""
    encoded = elements.view("<i4")
    with np.errstate(over="ignore", under="ignore"):
        values = np.ldexp((encoded << 8 >> 8).astype(np.float64), encoded >> 24)
        return np.asarray(values.astype("<f4"))


def _color(elements: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """Return (n, 4) unsigned RGBA from luma, two chrominances and alpha."""
    size = elements.shape[1] // 4
    unsigned, signed = elements.view(f"<u{size}"), elements.view(f"<i{size}")
    luma, alpha = unsigned[:, 0].astype(np.int64), unsigned[:, 3].astype(np.int64)
    orange, green = signed[:, 1].astype(np.int64), signed[:, 2].astype(np.int64)
    # The highest bit of alpha says how many bits there are: frexp(0) is 0, frexp(1) is 1.
    largest = (1 << np.frexp(alpha.astype(np.float64))[1].astype(np.int64)) - 1
    opacity = alpha & largest >> 1
    opacity = opacity << 1 | opacity & 1
    colors = np.stack(
        (luma + orange - green, luma + green, luma - orange - green, opacity), axis=1
    ).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _rounded(colors * (2 ** (8 * size) - 1) / largest[:, None], unsigned.dtype)


def _rounded(values: npt.NDArray[np.float64], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the nearest integers of a type, halves away from zero."""
    info = np.iinfo(dtype)
    with np.errstate(invalid="ignore"):
        nearest = np.trunc(values + np.copysign(0.5, values))
    return np.asarray(np.clip(np.nan_to_num(nearest), info.min, info.max).astype(dtype))


# By the name in a file; each takes (n, stride) bytes.
FILTERS: dict[str, Callable[[npt.NDArray[np.uint8]], npt.NDArray[Any]]] = {
    "OCTAHEDRAL": _octahedral,
    "QUATERNION": _quaternion,
    "EXPONENTIAL": _exponential,
    "COLOR": _color,
}
