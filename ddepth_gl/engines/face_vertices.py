"""Vertex order of the `raster` engine: one vertex a face, that only this face has as its provoking vertex.

What belongs to a face (its plane, its index) reaches the fragments as a flat output of the face's provoking
vertex, the last of the three. So every face needs such a vertex of its own, and vertex i is made that of
face i. The other two corners of a face are whichever vertices happen to have that position. A closed mesh has
about twice as many faces as vertices, so this shades each vertex twice; what the fixed pipeline offers
instead, gl_PrimitiveID, makes Mesa's software rasterizer unshare all vertices and shade each six times.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["face_vertices"]

# Which corners a face begins with so that its corner 0, 1 or 2 comes last; all three keep the winding.
_LAST = {0: (1, 2, 0), 1: (2, 0, 1), 2: (0, 1, 2)}


def face_vertices(
    faces: npt.NDArray[np.int32], vertex_count: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Turns faces over a mesh's vertices into faces over one vertex a face.

    Args:
        faces: (F, 3) indices of mesh vertices.
        vertex_count: of the mesh.

    Returns:
        corners: (F, 3), the faces turned (same winding) so that the last corner is the provoking one. The
            new vertex i has the position of mesh vertex corners[i, 2].
        extra: (E,) mesh vertices that are the last corner of no face; the new vertices F, F + 1, ...
        indices: (F, 3) of the new vertices; indices[i, 2] is i.
    """
    count = len(faces)
    corners = faces.copy()
    owner = np.full(vertex_count, -1, dtype=np.int32)
    waiting = np.arange(count, dtype=np.int32)
    # Give as many mesh vertices as possible a face of their own, or else they are shaded once more.
    for corner, order in _LAST.items():
        wanted = faces[waiting, corner]
        free = owner[wanted] < 0
        # Written backwards, so that of several faces that want a vertex the first one gets it.
        owner[wanted[free][::-1]] = waiting[free][::-1]
        served = owner[wanted] == waiting
        corners[waiting[served]] = faces[waiting[served]][:, order]
        waiting = waiting[~served]
    used = np.zeros(vertex_count, dtype=bool)
    used[faces.reshape(-1)] = True
    extra = np.flatnonzero(used & (owner < 0)).astype(np.int32)
    owner[extra] = count + np.arange(len(extra), dtype=np.int32)
    indices = owner[corners]
    indices[:, 2] = np.arange(count, dtype=np.int32)
    return corners, extra, indices
