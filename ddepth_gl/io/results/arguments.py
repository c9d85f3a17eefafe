"""Arguments that several writers take: the result and the fill value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..._checks import checked_float32
from ...errors import OutputError

__all__ = ["check_result_type", "checked_fill", "with_fill"]


def check_result_type(result: Any, *types: type) -> None:
    """Raise OutputError if the result to write has none of these types."""
    if not isinstance(result, types):
        names = " or ".join(each.__name__ for each in types)
        raise OutputError(f"{names} can be written here, not {type(result).__name__}")


def checked_fill(fill: Any) -> np.float32:
    """Return the float32 nearest to `fill`.

    Raises:
        RequestError: it is not a number, or float32 cannot hold it.
    """
    return checked_float32("fill", fill)


def with_fill(array: npt.NDArray[Any], fill: np.float32) -> npt.NDArray[Any]:
    """Return `array` with `fill` in place of NaN; integers and booleans stay as they are."""
    if np.isnan(fill) or array.dtype.kind != "f":
        return array
    return np.where(np.isnan(array), fill, array)
