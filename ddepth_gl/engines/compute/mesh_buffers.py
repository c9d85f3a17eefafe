"""A mesh as the engine `compute` reads it: its vertices once, its faces in parts that fit into one buffer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gl.context import GLContext
from ...gl.functions import BufferTexture
from ...mesh.mesh import Mesh
from ..scene import Scene
from ..shared.drawn_faces import drawn_faces

__all__ = ["FacePart", "FaceParts", "VertexBlock"]

IntArray = npt.NDArray[np.int32]

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


@dataclass
class VertexBlock:
    """Vertices, and all faces that use them.

    Attributes:
        positions: texels of (n, 3) int32, local frame.
        count: n.
        parts: the faces.
        of_mesh: (n,) which vertices of the mesh; None for all, in their order.
        remainders: texels of (n, 3) int32, see `Scene.local_remainders`; from `FaceParts.add_remainders`.
    """

    positions: BufferTexture
    count: int
    parts: list[FacePart]
    of_mesh: npt.NDArray[np.integer[Any]] | None = None
    remainders: BufferTexture | None = None


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
        self.longest_edge = 0.0
        self.blocks: list[VertexBlock] = []
        faces, vertices = scene.mesh.faces, scene.local_vertices()

        texels = partial(_texels, context, scene)

        def add_part(block: VertexBlock, first: int, faces: IntArray, vertices: IntArray) -> None:
            drawn, longest_edge = _looked_at(faces, vertices, scene.mesh)
            self.longest_edge = max(self.longest_edge, longest_edge)
            # A face whose corners are one vertex covers nothing.
            indices = faces if drawn.all() else faces * drawn[:, None]
            block.parts.append(FacePart(texels(indices), first, len(faces)))

        most = block_limit // _BYTES_PER_FACE
        if len(vertices) * _BYTES_PER_VERTEX <= block_limit:
            self.blocks.append(VertexBlock(texels(vertices), len(vertices), []))
            for first in range(0, len(faces), most):
                add_part(self.blocks[0], first, faces[first : first + most], vertices)
            return
        most = max(1, most // 3)  # each may have three vertices of its own
        for first in range(0, len(faces), most):
            used, corners = np.unique(faces[first : first + most], return_inverse=True)
            own = vertices[used]
            self.blocks.append(VertexBlock(texels(own), len(own), [], used))
            add_part(self.blocks[-1], first, corners.reshape(-1, 3).astype(np.int32), own)

    def add_remainders(self, context: GLContext, scene: Scene) -> None:
        """Uploads the rest of the vertices' positions, which only cameras beside a face need.

        Args:
            context: current.
            scene: the same as that of the other buffers.
        """
        remainders = scene.local_remainders()
        for block in self.blocks:
            own = remainders if block.of_mesh is None else remainders[block.of_mesh]
            block.remainders = _texels(context, scene, own)


def _texels(context: GLContext, scene: Scene, rows: IntArray) -> BufferTexture:
    """(n, components) integers on the device, owned by the scene."""
    buffer = scene.adopt(context.gl.buffer(np.ascontiguousarray(rows)))
    made: BufferTexture = scene.adopt(context.functions.buffer_texture(buffer, rows.shape[1]))
    return made


def _looked_at(
    faces: IntArray, vertices: IntArray, mesh: Mesh
) -> tuple[npt.NDArray[np.bool_], float]:
    """(F,) which faces of the mesh are drawn, and the longest edge of these, local units."""
    drawn, longest_edge = np.empty(len(faces), np.bool_), 0.0
    for start in range(0, len(faces), _FACES_AT_A_TIME):
        some = slice(start, start + _FACES_AT_A_TIME)
        corners = vertices[faces[some]]
        drawn[some] = drawn_faces(corners, mesh)
        longest_edge = max(longest_edge, _longest_edge(corners[drawn[some]]))
    return drawn, longest_edge


def _longest_edge(corners: npt.NDArray[np.int32]) -> float:
    """Of faces, given by the (n, 3, 3) positions of their corners."""
    places = corners.astype(np.float64)
    edges = np.roll(places, 1, axis=1) - places
    return float(np.sqrt(np.einsum("fci,fci->fc", edges, edges).max(initial=0.0)))
