"""Depth rounded to a relative tolerance, so that fewer of its bits need to be stored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._checks import checked_number
from ...errors import RequestError

__all__ = ["checked_tolerance", "rounded"]

_MANTISSA_BITS = 24  # of a float32, the leading one included


def checked_tolerance(name: str, value: Any) -> float:
    """Return a relative tolerance as float64.

    Raises:
        RequestError: it is not a number, or not 0 <= tolerance < 1.
    """
    tolerance = checked_number(name, value)
    if not 0.0 <= tolerance < 1.0:
        raise RequestError(
            f"{name} must be a relative error from 0 to below 1, such as 1e-4, not {tolerance:g}"
        )
    return tolerance


def rounded(depth: npt.NDArray[np.float32], tolerance: float) -> npt.NDArray[np.float32]:
    """Return depths with as few significant bits as a tolerance allows.

    Each value becomes the nearest float32 whose last bits are 0. NaN, infinity and numbers below
    1.2e-38, the smallest normal float32, stay as they are. The order of depths stays, but
    different ones may become equal.

    Args:
        depth: of any shape.
        tolerance: largest error of a value, relative to that value; 0 changes nothing.
    """
    # tolerance >= 2 ** (exponent - 1). Rounding n bits away is wrong by 2 ** (n - 24) at most.
    _, exponent = math.frexp(tolerance)
    dropped = exponent - 1 + _MANTISSA_BITS
    if tolerance == 0.0 or dropped <= 0:
        return depth
    bits = depth.view(np.uint32)
    nearest = bits + np.uint32(1 << (dropped - 1))
    nearest &= np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)
    values = nearest.view(np.float32)
    limits = np.finfo(np.float32)
    is_rounded = (np.abs(depth) >= limits.smallest_normal) & (np.abs(values) <= limits.max)
    np.copyto(values, depth, where=~is_rounded)
    return values
