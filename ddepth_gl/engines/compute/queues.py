"""What compute shaders note of a mesh for some images: the places of vertices, the faces that may be seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...gl.context import GLContext
from ...gl.functions import BufferTexture
from ..scene import Scene
from .mesh_buffers import FacePart, FaceParts, VertexBlock

__all__ = ["MEDIUM", "FaceQueues", "PartQueues", "VertexPlaces"]

QUEUES = 3  # of each part: small faces, medium ones, large ones
MEDIUM = 1


@dataclass(frozen=True)
class _Notes:
    """A buffer, and its texels."""

    buffer: Any
    texels: BufferTexture


@dataclass(frozen=True)
class VertexPlaces:
    """Of the vertices of a block, view after view.

    Attributes:
        block: whose vertices.
        places: (views, n, 2) int32.
        cells: (views, n) int32.
    """

    block: VertexBlock
    places: _Notes
    cells: _Notes


@dataclass(frozen=True)
class PartQueues:
    """Of a part of the faces.

    Attributes:
        vertices: of the block that the part belongs to.
        part: which faces.
        queues: (views, 2, n) uint32.
        first_dispatch: of its QUEUES dispatches.
    """

    vertices: VertexPlaces
    part: FacePart
    queues: _Notes
    first_dispatch: int


class FaceQueues:
    """The buffers for some views of one scene, rewritten for every image; iterating gives the parts.

    Args:
        context: current.
        scene: which will own the buffers.
        parts: its faces.
        views: how many there are room for.

    Attributes:
        views: the same.
        vertices: of every block.
        dispatches: of each queue: groups along three axes, then the number of faces for each view, uint32.
    """

    def __init__(self, context: GLContext, scene: Scene, parts: FaceParts, views: int) -> None:
        def notes(words: int, components: int) -> _Notes:
            buffer = scene.adopt(context.gl.buffer(reserve=4 * words))
            return _Notes(buffer, scene.adopt(context.functions.buffer_texture(buffer, components)))

        self.views = views
        self.vertices: list[VertexPlaces] = []
        self._parts: list[PartQueues] = []
        for block in parts.blocks:
            vertices = VertexPlaces(
                block, notes(2 * views * block.count, 2), notes(views * block.count, 1)
            )
            self.vertices.append(vertices)
            for part in block.parts:
                queues = notes(2 * views * part.count, 1)
                self._parts.append(PartQueues(vertices, part, queues, QUEUES * len(self._parts)))
        # No face has asked for a dispatch yet.
        nothing = np.array([0, 1, views, *[0] * views], np.uint32)
        self.bytes_per_dispatch = nothing.nbytes
        self._nothing_queued = np.tile(nothing, QUEUES * len(self._parts))
        self.dispatches = notes(self._nothing_queued.size, 1)

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[PartQueues]:
        return iter(self._parts)

    def clear(self, views: int) -> None:
        """Empties all queues, for a number of views."""
        self._nothing_queued[2 :: 3 + self.views] = views
        self.dispatches.buffer.write(self._nothing_queued)

    def count(self, queue: int) -> int:
        """How many faces of the first part are in a queue, for the first view; waits for the device."""
        words = self.dispatches.buffer.read(4, offset=self.bytes_per_dispatch * queue + 12)
        return int(np.frombuffer(words, np.uint32)[0])

    def set_groups(self, queue: int, groups: int) -> None:
        """Has so many groups come for a queue of the first part, for one view."""
        self.dispatches.buffer.write(
            np.array([groups, 1, 1], np.uint32), offset=self.bytes_per_dispatch * queue
        )
