"""Vertex and index buffers in which every face has a provoking vertex of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...gl.context import GLContext
from ..scene import Scene
from .drawn_faces import drawn_faces
from .vertex_order import FaceVertices

__all__ = ["TWO_SIDED_FORMAT", "VERTEX_FORMAT", "upload_faces", "upload_two_sided"]

# As in sheet.vert: a vertex, and the other two corners of the face that it provokes.
VERTEX_FORMAT = ("3i 3i 3i", "corner", "corner_after", "corner_before")
_BYTES_PER_VERTEX = 36
# As in sheet.vert: whether the face that a vertex provokes is two-sided.
TWO_SIDED_FORMAT = ("1i", "provokes_two_sided")

# Faces uploaded at a time, which bound the memory needed.
_FACES_AT_A_TIME = 1 << 16


def upload_faces(
    context: GLContext, scene: Scene, layout: FaceVertices, positions: npt.NDArray[np.int32]
) -> tuple[Any, Any]:
    """Upload the faces of a scene's mesh.

    Args:
        context: the scene's, current.
        scene: will own the buffers.
        layout: order of the vertices.
        positions: (n, 3) local frame, of the vertices that `layout` orders.

    Returns:
        The vertex buffer and the index buffer.
    """
    mesh, gl = scene.mesh, context.gl
    count = len(mesh.faces)
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


def upload_two_sided(context: GLContext, scene: Scene, vertices: Any) -> Any:
    """Upload which faces are two-sided, for each vertex of `upload_faces`.

    Args:
        context: the scene's, current.
        scene: will own the buffer.
        vertices: the vertex buffer.
    """
    flags = np.zeros(vertices.size // _BYTES_PER_VERTEX, np.int32)
    two_sided = scene.mesh.bodies.two_sided_faces
    flags[: len(two_sided)] = two_sided  # vertex i provokes face i
    return scene.adopt(context.gl.buffer(flags))
