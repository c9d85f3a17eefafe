"""Which faces are drawn at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...mesh.mesh import Mesh

__all__ = ["drawn_faces"]


def drawn_faces(corners: npt.NDArray[np.int32], mesh: Mesh) -> npt.NDArray[np.bool_]:
    """Which faces, given by the (n, 3, 3) positions of their corners, are drawn.

    A face without area covers nothing; snapped to the rasterizer's grid it could. But in a closed mesh such
    a face seals the T-junction in its middle, which the same snapping may open.
    """
    a, b, c = np.moveaxis(corners.astype(np.float64), 1, 0)
    has_area = np.asarray(np.cross(b - a, c - a).any(axis=1))
    if has_area.all():
        return has_area
    seals = (a != b).any(axis=1) & (b != c).any(axis=1) & (c != a).any(axis=1) & ~has_area
    return has_area | (seals & mesh.is_closed) if seals.any() else has_area
