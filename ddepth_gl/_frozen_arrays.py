"""Arrays that are read-only for good."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["frozen"]


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a C-contiguous array that nobody can make writeable again.

    NumPy refuses to set its `flags.writeable`, because the memory belongs to a read-only buffer.
    If `array` is C-contiguous, the memory is shared: the caller must not keep `array`.
    """
    return np.asarray(np.ascontiguousarray(array).data.toreadonly())
