"""Vertex order of the engine `raster`: every face has a provoking vertex of its own.

The plane and the index of a face reach the fragments as flat outputs of the face's provoking
vertex, the last of its three. So every face needs a vertex that provokes no other face: vertex i
provokes face i. The other two corners of a face are any vertices at these positions.

A closed mesh has about twice as many faces as vertices, so this shades each mesh vertex twice. The
alternative is gl_PrimitiveID, with which Mesa's software rasterizer unshares all vertices and
shades each mesh vertex six times.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["FaceVertices"]


class FaceVertices:
    """Vertices for the faces of a mesh, of which vertex i provokes face i.

    Args:
        faces: (F, 3) indices of mesh vertices.
        vertex_count: number of mesh vertices.

    Attributes:
        extra: (E,) mesh vertices that provoke no face; they become vertices F, F + 1, ...
    """

    def __init__(self, faces: npt.NDArray[np.int32], vertex_count: int) -> None:
        self._faces = faces
        count = len(faces)
        # The corner of each face that becomes its last one: 0, 1 or 2.
        self._last_corner = np.full(count, 2, dtype=np.uint8)
        # The vertex at the position of each mesh vertex.
        self._vertex_of = np.full(vertex_count, -1, dtype=np.int32)
        # A mesh vertex that provokes no face is an extra vertex to shade, so as many as possible
        # become provoking ones.
        unassigned = np.arange(count, dtype=np.int32)
        for corner in range(3):
            candidates = faces[unassigned, corner]
            free = self._vertex_of[candidates] < 0
            # Written backward, so that the first of several faces gets the vertex.
            self._vertex_of[candidates[free][::-1]] = unassigned[free][::-1]
            assigned = self._vertex_of[candidates] == unassigned
            self._last_corner[unassigned[assigned]] = corner
            unassigned = unassigned[~assigned]
        used = np.zeros(vertex_count, dtype=bool)
        used[faces.reshape(-1)] = True
        self.extra = np.flatnonzero(used & (self._vertex_of < 0)).astype(np.int32)
        self._vertex_of[self.extra] = count + np.arange(len(self.extra), dtype=np.int32)

    def corners(self, block: slice) -> npt.NDArray[np.int32]:
        """Return (n, 3) mesh vertices of some faces, the provoking one last; winding is kept."""
        order = (self._last_corner[block, None] + np.array([1, 2, 0], dtype=np.uint8)) % 3
        return np.take_along_axis(self._faces[block], order, axis=1)

    def indices(self, block: slice) -> npt.NDArray[np.int32]:
        """Return (n, 3) vertices of some faces, in the order of `corners`; face i ends with i."""
        indices = self._vertex_of[self.corners(block)]
        indices[:, 2] = np.arange(len(self._faces), dtype=np.int32)[block]
        return indices
