"""Tables of matplotlib's color maps, for images that matplotlib does not draw."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps

__all__ = ["table_of"]


def table_of(name: str) -> npt.NDArray[np.uint8] | None:
    """Return (256, 3) uint8 sRGB: the colors of a color map; None if there is none of this name."""
    if name not in colormaps:
        return None
    colors = colormaps[name].resampled(256)(np.arange(256), bytes=True)
    return np.ascontiguousarray(colors[:, :3], dtype=np.uint8)
