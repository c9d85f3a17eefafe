"""Scene: a mesh's buffers on the GPU, in a local frame that float32 can hold without loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .context import GLContext
from .errors import ContextClosedError
from .mesh import Mesh

__all__ = ["Scene"]


class Scene:
    """A mesh on the GPU; made by `DepthRenderer.upload`, freed by `release` or with its renderer.

    Vertices are stored as float32 in the *local frame*: ``world = origin + scale * local``, with the origin
    in the middle of the mesh and the scale a power of two. Cameras are brought into it in float64, so a
    mesh far from the world's origin, tiny or huge, loses nothing.

    Attributes:
        mesh: the Mesh as it was given.
        origin: (3,) float64, world frame.
        scale: mesh units per local unit, a power of two.
        radius: of a sphere around the local origin that holds every vertex, local units.
    """

    def __init__(self, context: GLContext, mesh: Mesh) -> None:
        self.mesh = mesh
        low, high = mesh.bounds
        self.origin: npt.NDArray[np.float64] = low + (high - low) / 2.0
        half_diagonal = float(np.linalg.norm((high - low) / 2.0))
        self.scale = 2.0 ** np.ceil(np.log2(half_diagonal))
        self.radius = half_diagonal / self.scale
        self._context = context
        self._vertex_arrays: dict[int, Any] = {}
        self._objects: list[Any] = []
        self._released = False
        local = self.to_local(mesh.vertices).astype(np.float32)
        gl = context.gl
        try:
            for data in (local, mesh.faces.astype(np.int32, copy=False)):
                self._objects.append(gl.buffer(data))
            context.check_error(f"uploading {mesh!r}", "the number of faces")
        except BaseException:
            self._release_objects()
            raise
        self._vertices, self._indices = self._objects
        context.release_with(self, self._objects)

    def to_local(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """World points (..., 3) to the local frame, float64."""
        local = np.asarray(points, dtype=np.float64) - self.origin
        local /= self.scale
        return local

    def vertex_array(self, program: Any) -> Any:
        """The moderngl vertex array that feeds this mesh's triangles to `program`; made once a program."""
        self.check_usable()
        made = self._vertex_arrays.get(program.glo)
        if made is None:
            content = [(self._vertices, "3f", "position")]
            made = self._context.gl.vertex_array(program, content, self._indices, index_element_size=4)
            self._vertex_arrays[program.glo] = made
            self._objects.append(made)
        return made

    def belongs_to(self, context: GLContext) -> bool:
        """Whether the buffers live in `context`."""
        return self._context is context

    def check_usable(self) -> None:
        """Raises ContextClosedError after `release`."""
        if self._released or self._context.is_closed:
            raise ContextClosedError(f"the scene of {self.mesh!r} was released; upload the mesh again")

    @property
    def is_released(self) -> bool:
        """Whether the buffers are gone."""
        return self._released

    def release(self) -> None:
        """Frees the buffers. Idempotent; from the renderer's thread only."""
        if self._released or self._context.is_closed:
            self._released = True
            return
        with self._context:
            self._release_objects()

    def _release_objects(self) -> None:
        for made in reversed(self._objects):
            made.release()
        self._objects.clear()
        self._vertex_arrays.clear()
        self._released = True

    def __repr__(self) -> str:
        state = "released" if self._released else "on the GPU"
        return f"<Scene {state}: {self.mesh!r}>"
