"""Arrays that nobody can write to."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["frozen"]


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a C-contiguous array for good: its `flags.writeable` cannot be set again, as its memory is lent.

    The memory stays that of `array`, which the caller must not keep.
    """
    return np.asarray(np.ascontiguousarray(array).data.toreadonly())
