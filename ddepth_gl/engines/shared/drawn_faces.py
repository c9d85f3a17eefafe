"""Drawn faces: the faces of a mesh that engines rasterize."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...mesh.mesh import Mesh

__all__ = ["drawn_faces"]


def drawn_faces(corners: npt.NDArray[np.int32], mesh: Mesh, faces: slice) -> npt.NDArray[np.bool_]:
    """Return (n,) bool: the face is drawn.

    A face without area covers nothing. Snapped to the rasterizer's grid it might, so it is not
    drawn. In a closed body, however, such a face seals a T-junction at its middle corner, which the
    same snapping may open. Bodies are found only for meshes with such faces that are not closed.

    Args:
        corners: (n, 3, 3) positions of the corners of n faces, local frame.
        mesh: Mesh of the faces.
        faces: n consecutive faces of the mesh.
    """
    a, b, c = np.moveaxis(corners.astype(np.float64), 1, 0)
    has_area = np.asarray(np.cross(b - a, c - a).any(axis=1))
    if has_area.all():
        return has_area
    seals = (a != b).any(axis=1) & (b != c).any(axis=1) & (c != a).any(axis=1) & ~has_area
    if seals.any() and not mesh.is_closed:
        body = mesh.bodies.of_face[faces]  # -1 for a face that uses a position twice
        seals &= mesh.bodies.is_closed[body] & (body >= 0)
    drawn: npt.NDArray[np.bool_] = has_area | seals
    return drawn
