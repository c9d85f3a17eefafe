"""The buffers between the compute shaders: snapped vertices, and queues of faces by size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...gl.context import GLContext
from ..scene import Scene
from .mesh_buffers import FacePart, MeshBuffers, TexelBuffer, VertexBlock

__all__ = ["MEDIUM", "FaceQueues", "PartQueues", "SnappedVertices"]

QUEUES = 3  # per part of the faces: small, medium, large
MEDIUM = 1


@dataclass(frozen=True)
class SnappedVertices:
    """The vertices of a block in the image, for one camera after the other.

    Attributes:
        block: the vertices, n.
        screen_positions: (cameras, n, 2) int32, subpixels.
        cells: (cameras, n) int32, see shaders/compute_vertices.comp.
    """

    block: VertexBlock
    screen_positions: TexelBuffer
    cells: TexelBuffer


@dataclass(frozen=True)
class PartQueues:
    """The queues of one part of the faces.

    Attributes:
        vertices: of the block that the part belongs to.
        faces: the faces, n.
        queues: (cameras, 2, n) uint32, see shaders/compute_queues.comp.
        first_dispatch: index of the first of its QUEUES dispatches.
    """

    vertices: SnappedVertices
    faces: FacePart
    queues: TexelBuffer
    first_dispatch: int


class FaceQueues:
    """The queues of all parts of a scene, overwritten by every image; iterable by part.

    Args:
        context: current.
        scene: will own the buffers.
        mesh: vertices and faces of the scene.
        cameras: number of cameras to make room for.

    Attributes:
        cameras: number of cameras that there is room for.
        vertices: of every block.
        dispatches: for each queue the numbers of work groups along three axes, then the number of
            faces for each camera, uint32.
        bytes_per_dispatch: size of one of these.
    """

    def __init__(self, context: GLContext, scene: Scene, mesh: MeshBuffers, cameras: int) -> None:
        def new_buffer(words: int, components: int) -> TexelBuffer:
            buffer = scene.adopt(context.gl.buffer(reserve=4 * words))
            return TexelBuffer(
                buffer, scene.adopt(context.functions.buffer_texture(buffer, components))
            )

        self.cameras = cameras
        self.vertices: list[SnappedVertices] = []
        self._parts: list[PartQueues] = []
        for block in mesh.blocks:
            vertices = SnappedVertices(
                block,
                screen_positions=new_buffer(2 * cameras * block.count, 2),
                cells=new_buffer(cameras * block.count, 1),
            )
            self.vertices.append(vertices)
            for part in block.parts:
                queues = new_buffer(2 * cameras * part.count, 1)
                self._parts.append(PartQueues(vertices, part, queues, QUEUES * len(self._parts)))
        empty = np.array([0, 1, cameras, *[0] * cameras], np.uint32)
        self.bytes_per_dispatch = empty.nbytes
        self._empty_dispatches = np.tile(empty, QUEUES * len(self._parts))
        self.dispatches = new_buffer(self._empty_dispatches.size, 1)

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[PartQueues]:
        return iter(self._parts)

    def clear(self, cameras: int) -> None:
        """Empty all queues, for a number of cameras."""
        self._empty_dispatches[2 :: 3 + self.cameras] = cameras
        self.dispatches.buffer.write(self._empty_dispatches)

    def count(self, queue: int) -> int:
        """Wait for the device; return the number of faces in a queue.

        Reads the first part of the faces and the first camera.
        """
        words = self.dispatches.buffer.read(4, offset=self.bytes_per_dispatch * queue + 12)
        return int(np.frombuffer(words, np.uint32)[0])

    def set_groups(self, queue: int, groups: int) -> None:
        """Set the number of work groups for a queue of the first part, for one camera."""
        self.dispatches.buffer.write(
            np.array([groups, 1, 1], np.uint32), offset=self.bytes_per_dispatch * queue
        )
