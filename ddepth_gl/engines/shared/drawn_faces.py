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
    # By corner, then by coordinate. The products of a cross product, because np.cross is slow.
    a, b, c = np.ascontiguousarray(corners.transpose(1, 2, 0), dtype=np.float64)
    (x, y, z), (u, v, w) = b - a, c - a
    has_area: npt.NDArray[np.bool_] = (y * w != z * v) | (z * u != x * w) | (x * v != y * u)
    if has_area.all():
        return has_area
    seals = (a != b).any(axis=0) & (b != c).any(axis=0) & (c != a).any(axis=0) & ~has_area
    if seals.any() and not mesh.is_closed:
        body = mesh.bodies.of_face[faces]  # -1 for a face that uses a position twice
        seals &= mesh.bodies.is_closed[body] & (body >= 0)
    drawn: npt.NDArray[np.bool_] = has_area | seals
    return drawn
