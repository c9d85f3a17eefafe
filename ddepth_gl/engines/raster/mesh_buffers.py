"""The vertex and index buffers of a mesh on the engine `raster`, and of some of its faces."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...gl.context import GLContext
from ..scene import Scene
from ..shared import face_buffers
from ..shared.face_buffers import TWO_SIDED_FORMAT, VERTEX_FORMAT
from ..shared.vertex_order import FaceVertices

__all__ = ["TWO_SIDED_FORMAT", "VERTEX_FORMAT", "FaceIndices", "upload_mesh", "upload_two_sided"]


def upload_mesh(context: GLContext, scene: Scene) -> tuple[Any, Any]:
    """Upload the vertices of a scene's mesh in the order of `FaceVertices`, and its faces.

    Returns:
        The vertex buffer and the index buffer; the scene owns them.
    """
    layout = FaceVertices(scene.mesh.faces, len(scene.mesh.vertices))
    return face_buffers.upload_faces(context, scene, layout, scene.local_vertices())


def upload_two_sided(context: GLContext, scene: Scene) -> Any:
    """Upload which faces are two-sided, for the vertices of `upload_mesh`.

    Returns:
        The vertex buffer; the scene owns it.
    """
    vertices, _ = scene.cached("raster", lambda: upload_mesh(context, scene))
    return face_buffers.upload_two_sided(context, scene, vertices)


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
