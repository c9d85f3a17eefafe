"""The mesh on the device: its vertices once, its faces in parts that fit into one buffer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gl.context import GLContext
from ...gl.functions import BufferTexture
from ...mesh.mesh import Mesh
from ..scene import Scene
from ..shared.drawn_faces import drawn_faces

__all__ = ["BYTES_PER_FACE", "VERTICES_AT_ONCE", "FacePart", "MeshBuffers", "VertexBlock"]

IntArray = npt.NDArray[np.int32]

# Faces per step while uploading: bounds the temporary memory.
_FACES_AT_A_TIME = 1 << 16

# Vertices per invocation of compute_vertices.comp. Blocks are padded to a multiple.
VERTICES_AT_ONCE = 4

_BYTES_PER_VERTEX = 12
BYTES_PER_FACE = 12


@dataclass
class FacePart:
    """Some consecutive faces of the mesh.

    Attributes:
        indices: texels of (n, 3) int32, vertices of the block that the part belongs to.
        first: number of the first face in the mesh.
        count: n.
        two_sided: texels of int32, 32 bits each for as many faces; None until
            `MeshBuffers.add_two_sided`.
    """

    indices: BufferTexture
    first: int
    count: int
    two_sided: BufferTexture | None = None


@dataclass
class VertexBlock:
    """Vertices, and all faces that use them.

    Attributes:
        positions: texels of (n, 3) int32, local frame.
        count: n, a multiple of VERTICES_AT_ONCE; no face uses the last ones that are added for it.
        parts: the faces.
        of_mesh: numbers of the vertices in the mesh; None for all vertices, in their order.
        remainders: texels of (n, 3) int32, see `Scene.local_remainders`; None until
            `MeshBuffers.add_remainders`.
    """

    positions: BufferTexture
    count: int
    parts: list[FacePart]
    of_mesh: npt.NDArray[np.integer[Any]] | None = None
    remainders: BufferTexture | None = None


class MeshBuffers:
    """The vertices and faces of one scene, uploaded when an instance is created.

    All faces share one block of vertices if that fits into one buffer. Otherwise each part of the
    faces has a block of its own, and vertices at the border of parts are in several blocks.

    Args:
        context: current.
        scene: will own the buffers.
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
            drawn, longest_edge = _drawn_and_longest_edge(faces, vertices, scene.mesh, first)
            self.longest_edge = max(self.longest_edge, longest_edge)
            # A face with three times the same corner covers nothing.
            indices = faces if drawn.all() else faces * drawn[:, None]
            block.parts.append(FacePart(texels(indices), first, len(faces)))

        max_faces = block_limit // BYTES_PER_FACE
        max_vertices = block_limit // (_BYTES_PER_VERTEX * VERTICES_AT_ONCE) * VERTICES_AT_ONCE
        if len(vertices) <= max_vertices:
            self.blocks.append(VertexBlock(texels(_padded(vertices)), _padded_count(vertices), []))
            for first in range(0, len(faces), max_faces):
                add_part(self.blocks[0], first, faces[first : first + max_faces], vertices)
            return
        max_faces = max(1, max_vertices // 3)  # each face may have three vertices of its own
        for first in range(0, len(faces), max_faces):
            used, corners = np.unique(faces[first : first + max_faces], return_inverse=True)
            positions = vertices[used]
            block = VertexBlock(texels(_padded(positions)), _padded_count(positions), [], used)
            self.blocks.append(block)
            add_part(block, first, corners.reshape(-1, 3).astype(np.int32), positions)

    def add_remainders(self, context: GLContext, scene: Scene) -> None:
        """Upload the remainders of the positions, which only cameras beside a face need.

        Args:
            context: current.
            scene: owner of the other buffers.
        """
        remainders = scene.local_remainders()
        for block in self.blocks:
            rows = remainders if block.of_mesh is None else remainders[block.of_mesh]
            block.remainders = _texels(context, scene, _padded(rows))

    def add_two_sided(self, context: GLContext, scene: Scene) -> None:
        """Upload which faces are two-sided, which only meshes with faces of both kinds need.

        Args:
            context: current.
            scene: owner of the other buffers.
        """
        two_sided = scene.mesh.bodies.two_sided_faces
        for part in chain.from_iterable(block.parts for block in self.blocks):
            flags = two_sided[part.first : part.first + part.count]
            packed = np.packbits(flags, bitorder="little")
            words = np.zeros((-(-len(flags) // 32), 1), np.dtype("<i4"))
            words.view(np.uint8).reshape(-1)[: len(packed)] = packed
            part.two_sided = _texels(context, scene, words)


def _padded_count(rows: IntArray) -> int:
    """Return the number of rows, rounded up to a multiple of VERTICES_AT_ONCE."""
    return -(-len(rows) // VERTICES_AT_ONCE) * VERTICES_AT_ONCE


def _padded(rows: IntArray) -> IntArray:
    """Return (n, 3) rows with rows of zeros added, see `_padded_count`."""
    added = _padded_count(rows) - len(rows)
    return np.concatenate((rows, np.zeros((added, 3), np.int32))) if added else rows


def _texels(context: GLContext, scene: Scene, rows: IntArray) -> BufferTexture:
    """Upload (n, components) integers to a buffer of the scene; return its texels."""
    buffer = scene.adopt(context.gl.buffer(np.ascontiguousarray(rows)))
    texels: BufferTexture = scene.adopt(context.functions.buffer_texture(buffer, rows.shape[1]))
    return texels


def _drawn_and_longest_edge(
    faces: IntArray, vertices: IntArray, mesh: Mesh, first: int
) -> tuple[npt.NDArray[np.bool_], float]:
    """Return which faces are drawn, (n,), and the longest edge of these, local units.

    Args:
        faces: (n, 3) indices of `vertices`, of consecutive faces of the mesh.
        vertices: (V, 3) local frame.
        mesh: Mesh of the faces.
        first: number of the first face in the mesh.
    """
    drawn, longest_edge = np.empty(len(faces), np.bool_), 0.0
    for start in range(0, len(faces), _FACES_AT_A_TIME):
        chunk = slice(start, start + _FACES_AT_A_TIME)
        corners = vertices[faces[chunk]]
        of_mesh = slice(first + start, first + start + len(corners))
        drawn[chunk] = drawn_faces(corners, mesh, of_mesh)
        longest_edge = max(longest_edge, _longest_edge(corners[drawn[chunk]]))
    return drawn, longest_edge


def _longest_edge(corners: IntArray) -> float:
    """Return the length of the longest edge of faces, given their corners, (n, 3, 3)."""
    positions = corners.astype(np.float64)
    edges = np.roll(positions, 1, axis=1) - positions
    return float(np.sqrt(np.einsum("fci,fci->fc", edges, edges).max(initial=0.0)))
