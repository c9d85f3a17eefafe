"""The mesh on the device: its vertices once, its faces in parts that fit into one buffer.

In software, large meshes in a scattered order are reordered after some images, see `face_order`.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from .face_order import face_order, is_scattered, vertex_order

__all__ = [
    "BYTES_PER_FACE",
    "VERTICES_AT_ONCE",
    "FacePart",
    "MeshBuffers",
    "TexelBuffer",
    "VertexBlock",
]

IntArray = npt.NDArray[np.int32]

# Faces per step while uploading: bounds the temporary memory.
_FACES_AT_A_TIME = 1 << 16

# Vertices per invocation of compute_vertices.comp. Blocks are padded to a multiple.
VERTICES_AT_ONCE = 8

_BYTES_PER_VERTEX = 12
BYTES_PER_FACE = 12


# Images after which a mesh in a scattered order is reordered: that takes as long as 5 to 20 images
# save. Smaller meshes stay in the cache.
_IMAGES_BEFORE_REORDERING = 8
_MIN_REORDERED_FACES = 1 << 17


@dataclass(frozen=True)
class TexelBuffer:
    """A buffer, and the texels as which shaders read it."""

    buffer: Any
    texels: BufferTexture


@dataclass
class FacePart:
    """Some consecutive faces, in the order on the device.

    Attributes:
        indices: (n, 3) int32, vertices of the block that the part belongs to.
        first: index of the first face, its number in the mesh unless faces are reordered.
        count: n.
        two_sided: (m, 1) int32, a bit for each face of the mesh; None until
            `MeshBuffers.add_two_sided`.
        numbers: (n, 1) int32, numbers of the faces in the mesh; None for consecutive ones.
    """

    indices: TexelBuffer
    first: int
    count: int
    two_sided: TexelBuffer | None = None
    numbers: TexelBuffer | None = None


@dataclass
class VertexBlock:
    """Vertices, and all faces that use them.

    Attributes:
        positions: (n, 3) int32, local frame.
        count: n, a multiple of VERTICES_AT_ONCE; no face uses the last ones that are added for it.
        parts: the faces.
        of_mesh: numbers of the vertices in the mesh; None for all vertices, in their order.
        remainders: (n, 3) int32, see `Scene.local_remainders`; None until
            `MeshBuffers.add_remainders`.
    """

    positions: TexelBuffer
    count: int
    parts: list[FacePart]
    of_mesh: npt.NDArray[np.integer[Any]] | None = None
    remainders: TexelBuffer | None = None


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
        is_reordered: whether faces have another order than in the mesh; all parts then have
            `numbers`.
    """

    def __init__(self, context: GLContext, scene: Scene, block_limit: int) -> None:
        self.longest_edge = 0.0
        self.is_reordered = False
        self._images = 0
        self._not_drawn: list[npt.NDArray[np.int64]] = []  # numbers of faces in the mesh
        self.blocks: list[VertexBlock] = []
        faces, vertices = scene.mesh.faces, scene.local_vertices()
        texels = partial(_texels, context, scene)

        def add_part(block: VertexBlock, first: int, faces: IntArray, vertices: IntArray) -> None:
            drawn, longest_edge = _drawn_and_longest_edge(faces, vertices, scene.mesh, first)
            self.longest_edge = max(self.longest_edge, longest_edge)
            # A face with three times the same corner covers nothing.
            indices = faces if drawn.all() else faces * drawn[:, None]
            self._not_drawn.append(first + np.flatnonzero(~drawn))
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
        packed = np.packbits(scene.mesh.bodies.two_sided_faces, bitorder="little")
        words = np.zeros((-(-len(packed) // 4), 1), np.dtype("<i4"))
        words.view(np.uint8).reshape(-1)[: len(packed)] = packed
        two_sided = _texels(context, scene, words)
        for part in self._parts():
            part.two_sided = two_sided

    def _parts(self) -> Iterator[FacePart]:
        return chain.from_iterable(block.parts for block in self.blocks)

    def count_images(self, context: GLContext, scene: Scene, images: int) -> None:
        """Note that so many images follow; in time, reorder a mesh whose order slows them down.

        Args:
            context: current.
            scene: owner of the other buffers.
            images: number of images.
        """
        is_due = self._images < _IMAGES_BEFORE_REORDERING <= self._images + images
        self._images += images
        if not (is_due and context.is_software and len(self.blocks) == 1):
            return
        faces = scene.mesh.faces
        if len(faces) >= _MIN_REORDERED_FACES and is_scattered(faces):
            self._reorder(context, scene)

    def _reorder(self, context: GLContext, scene: Scene) -> None:
        """Replace faces and vertices by the same ones in an order that suits caches.

        Without memory for that, the order stays.
        """
        (block,), vertices = self.blocks, scene.local_vertices()
        try:
            order = face_order(scene.mesh.faces, vertices)
            faces = scene.mesh.faces[order]
            of_mesh = vertex_order(faces, len(vertices))
            rank = np.empty(len(vertices), np.int32)
            rank[of_mesh] = np.arange(len(vertices), dtype=np.int32)
            indices = rank[faces]
            indices[np.isin(order, np.concatenate(self._not_drawn))] = 0
            positions = _padded(vertices[of_mesh])
        except MemoryError:
            return
        block.positions.buffer.write(positions)
        block.of_mesh = of_mesh
        if block.remainders is not None:
            block.remainders.buffer.write(_padded(scene.local_remainders()[of_mesh]))
        for part in block.parts:
            rows = slice(part.first, part.first + part.count)
            part.indices.buffer.write(np.ascontiguousarray(indices[rows]))
            part.numbers = _texels(context, scene, order[rows, None].astype(np.int32))
        self.is_reordered = True


def _padded_count(rows: IntArray) -> int:
    """Return the number of rows, rounded up to a multiple of VERTICES_AT_ONCE."""
    return -(-len(rows) // VERTICES_AT_ONCE) * VERTICES_AT_ONCE


def _padded(rows: IntArray) -> IntArray:
    """Return (n, 3) rows with rows of zeros added, see `_padded_count`."""
    added = _padded_count(rows) - len(rows)
    return np.concatenate((rows, np.zeros((added, 3), np.int32))) if added else rows


def _texels(context: GLContext, scene: Scene, rows: IntArray) -> TexelBuffer:
    """Upload (n, components) integers to a buffer of the scene."""
    buffer = scene.adopt(context.gl.buffer(np.ascontiguousarray(rows)))
    texels = scene.adopt(context.functions.buffer_texture(buffer, rows.shape[1]))
    return TexelBuffer(buffer, texels)


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
    a, b, c = np.ascontiguousarray(corners.transpose(1, 2, 0), dtype=np.float64)
    return max(float(np.sqrt((e * e).sum(axis=0).max(initial=0.0))) for e in (b - a, c - b, a - c))
