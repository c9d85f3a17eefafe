"""The vertex and index buffers of a mesh on the engine `raster`, and of some of its faces."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...gl.context import GLContext
from ..scene import Scene
from ..shared.drawn_faces import drawn_faces
from .vertex_order import FaceVertices

__all__ = ["TWO_SIDED_FORMAT", "VERTEX_FORMAT", "FaceIndices", "upload_mesh", "upload_two_sided"]

# As in sheet.vert: a vertex, and the other two corners of the face that it provokes.
VERTEX_FORMAT = ("3i 3i 3i", "corner", "corner_after", "corner_before")
_BYTES_PER_VERTEX = 36
# As in sheet.vert: whether the face that a vertex provokes is two-sided.
TWO_SIDED_FORMAT = ("1i", "provokes_two_sided")

# Faces uploaded at a time, which bound the memory needed.
_FACES_AT_A_TIME = 1 << 16


def upload_mesh(context: GLContext, scene: Scene) -> tuple[Any, Any]:
    """Upload the vertices of a scene's mesh in the order of `FaceVertices`, and its faces.

    Returns:
        The vertex buffer and the index buffer; the scene owns them.
    """
    mesh, gl = scene.mesh, context.gl
    layout = FaceVertices(mesh.faces, len(mesh.vertices))
    count = len(mesh.faces)
    positions = scene.local_vertices()
    vertices = scene.adopt(gl.buffer(reserve=_BYTES_PER_VERTEX * (count + len(layout.extra))))
    indices = scene.adopt(gl.buffer(reserve=12 * count))
    for start in range(0, count, _FACES_AT_A_TIME):
        block = slice(start, min(start + _FACES_AT_A_TIME, count))
        corners = positions[layout.corners(block)[:, (2, 0, 1)]]
        vertices.write(corners, offset=_BYTES_PER_VERTEX * start)
        drawn = drawn_faces(corners, mesh, block)
        indices.write(layout.indices(block) * drawn[:, None], offset=12 * start)
    if len(layout.extra):
        vertices.write(positions[layout.extra].repeat(3, axis=0), offset=_BYTES_PER_VERTEX * count)
    return vertices, indices


def upload_two_sided(context: GLContext, scene: Scene) -> Any:
    """Upload which faces are two-sided, for the vertices of `upload_mesh`.

    Returns:
        The vertex buffer; the scene owns it.
    """
    vertices, _ = scene.cached("raster", lambda: upload_mesh(context, scene))
    flags = np.zeros(vertices.size // _BYTES_PER_VERTEX, np.int32)
    two_sided = scene.mesh.bodies.two_sided_faces
    flags[: len(two_sided)] = two_sided  # vertex i provokes face i
    return scene.adopt(context.gl.buffer(flags))


class FaceIndices:
    """An index buffer of some faces of a mesh, which is rewritten for each draw.

    Args:
        context: current.
        scene: Scene of the mesh, which owns the buffer.
        indices: index buffer of `upload_mesh`.

    Attributes:
        buffer: the index buffer.
    """

    def __init__(self, context: GLContext, scene: Scene, indices: Any) -> None:
        # Three indices are one element, as NumPy gathers elements faster than rows.
        self._of_faces = np.frombuffer(indices.read(), np.dtype("V12"))
        self.buffer = scene.adopt(context.gl.buffer(reserve=12, dynamic=True))

    def write(self, faces: npt.NDArray[np.int64]) -> int:
        """Write the indices of (n,) faces, n > 0, in their order; return how many these are."""
        indices = self._of_faces.take(faces)
        if indices.nbytes > self.buffer.size:
            self.buffer.orphan(indices.nbytes)
        self.buffer.write(indices)
        return 3 * len(faces)
