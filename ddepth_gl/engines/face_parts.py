"""A mesh as the engine `compute` reads it: its vertices once, its faces in parts that fit into one buffer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..context import GLContext
from ..gl_calls import BufferTexture
from ..scene import Scene
from .drawn_faces import drawn_faces

__all__ = ["FacePart", "FaceParts", "VertexBlock"]

# Faces looked at together while uploading: bounds the memory needed for it.
_FACES_AT_A_TIME = 1 << 16

_BYTES_PER_VERTEX = 12
_BYTES_PER_FACE = 12


@dataclass(frozen=True)
class FacePart:
    """Some consecutive faces.

    Attributes:
        indices: texels of (n, 3) int32, into the vertices of the block that the part belongs to.
        first, count: which faces of the mesh.
    """

    indices: BufferTexture
    first: int
    count: int


@dataclass(frozen=True)
class VertexBlock:
    """Vertices, and all faces that use them.

    Attributes:
        positions: texels of (n, 3) int32, local frame.
        count: n.
        parts: the faces.
    """

    positions: BufferTexture
    count: int
    parts: list[FacePart]


class FaceParts:
    """The buffers of one scene; uploads them.

    All faces share one block of vertices. Only where that would not fit into one buffer has every part its
    own, with the vertices at its border in several of them.

    Args:
        context: current.
        scene: which will own the buffers.
        block_limit: bytes of the largest buffer that a shader can address.

    Attributes:
        blocks: in the order of their faces.
        longest_edge: of the faces that are drawn, local units.
    """

    def __init__(self, context: GLContext, scene: Scene, block_limit: int) -> None:
        self._context, self._scene = context, scene
        self.longest_edge = 0.0
        faces, vertices = scene.mesh.faces, scene.local_vertices()
        size = min(block_limit // _BYTES_PER_FACE, len(faces))
        parts = [slice(start, min(start + size, len(faces))) for start in range(0, len(faces), size)]
        if len(vertices) * _BYTES_PER_VERTEX <= block_limit:
            block = self._block(vertices)
            block.parts.extend(self._part(part, faces[part], vertices) for part in parts)
            self.blocks = [block]
        else:
            self.blocks = []
            for part in parts:
                used, corners = np.unique(faces[part], return_inverse=True)
                own = vertices[used]
                block = self._block(own)
                block.parts.append(self._part(part, corners.reshape(-1, 3).astype(np.int32), own))
                self.blocks.append(block)

    def _texels(self, rows: npt.NDArray[np.int32]) -> BufferTexture:
        buffer = self._scene.own(self._context.gl.buffer(np.ascontiguousarray(rows)))
        texels: BufferTexture = self._scene.own(self._context.calls.buffer_texture(buffer, rows.shape[1]))
        return texels

    def _block(self, vertices: npt.NDArray[np.int32]) -> VertexBlock:
        return VertexBlock(self._texels(vertices), len(vertices), [])

    def _part(self, part: slice, faces: npt.NDArray[np.int32], vertices: npt.NDArray[np.int32]) -> FacePart:
        drawn = np.empty(len(faces), np.bool_)
        for start in range(0, len(faces), _FACES_AT_A_TIME):
            some = slice(start, start + _FACES_AT_A_TIME)
            corners = vertices[faces[some]]
            drawn[some] = drawn_faces(corners, self._scene.mesh)
            self.longest_edge = max(self.longest_edge, _longest_edge(corners[drawn[some]]))
        # A face whose corners are one vertex covers nothing.
        indices = faces if drawn.all() else faces * drawn[:, None]
        return FacePart(self._texels(indices), part.start, len(faces))


def _longest_edge(corners: npt.NDArray[np.int32]) -> float:
    """Of faces, given by the (n, 3, 3) positions of their corners."""
    places = corners.astype(np.float64)
    edges = np.roll(places, 1, axis=1) - places
    return float(np.sqrt(np.einsum("fci,fci->fc", edges, edges).max(initial=0.0)))
