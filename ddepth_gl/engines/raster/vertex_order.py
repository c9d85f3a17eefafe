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

__all__ = ["FaceVertices"]


class FaceVertices:
    """One vertex a face over a mesh's faces; vertex i is the provoking one of face i.

    Args:
        faces: (F, 3) indices of mesh vertices.
        vertex_count: of the mesh.

    Attributes:
        extra: (E,) mesh vertices that provoke no face; they become the vertices F, F + 1, ...
    """

    def __init__(self, faces: npt.NDArray[np.int32], vertex_count: int) -> None:
        self._faces = faces
        count = len(faces)
        # The corner, 0, 1 or 2, that each face is turned to end with.
        self._last = np.full(count, 2, dtype=np.uint8)
        # The vertex that stands for each mesh vertex where it is not the provoking one.
        self._stand_in = np.full(vertex_count, -1, dtype=np.int32)
        waiting = np.arange(count, dtype=np.int32)
        # Let as many mesh vertices as possible provoke a face, or else they are shaded once more.
        for corner in range(3):
            wanted = faces[waiting, corner]
            free = self._stand_in[wanted] < 0
            # Written backward, so that of several faces that want a vertex the first one gets it.
            self._stand_in[wanted[free][::-1]] = waiting[free][::-1]
            served = self._stand_in[wanted] == waiting
            self._last[waiting[served]] = corner
            waiting = waiting[~served]
        used = np.zeros(vertex_count, dtype=bool)
        used[faces.reshape(-1)] = True
        self.extra = np.flatnonzero(used & (self._stand_in < 0)).astype(np.int32)
        self._stand_in[self.extra] = count + np.arange(len(self.extra), dtype=np.int32)

    def corners(self, part: slice) -> npt.NDArray[np.int32]:
        """(n, 3) mesh vertices of some faces, turned (same winding) so that the provoking one comes last."""
        order = (self._last[part, None] + np.array([1, 2, 0], dtype=np.uint8)) % 3
        return np.take_along_axis(self._faces[part], order, axis=1)

    def indices(self, part: slice) -> npt.NDArray[np.int32]:
        """(n, 3) vertices of some faces, in the order of `corners`; the last of face i is i."""
        indices = self._stand_in[self.corners(part)]
        indices[:, 2] = np.arange(len(self._faces), dtype=np.int32)[part]
        return indices
