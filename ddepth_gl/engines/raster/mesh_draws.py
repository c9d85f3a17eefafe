"""MeshDraws: draw calls for all faces of a mesh, or for some of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...gl.context import GLContext
from ...gl.vertex_arrays import vertex_array
from ..scene import Scene
from .mesh_buffers import (
    TWO_SIDED_FORMAT,
    VERTEX_FORMAT,
    FaceIndices,
    upload_mesh,
    upload_two_sided,
)
from .selection import FaceList

__all__ = ["DrawFaces", "DrawFacing", "MeshDraws"]

# Draws these faces, or all if they are None.
DrawFaces = Callable[[FaceList | None], None]
# The same of one facing: 0 for fronts, 1 for backs.
DrawFacing = Callable[[int, FaceList | None], None]


class MeshDraws:
    """Draw calls for the meshes of scenes, which own the buffers and the vertex arrays.

    Args:
        context: current in every call.
    """

    def __init__(self, context: GLContext) -> None:
        self._context = context

    def prepare(self, scene: Scene) -> None:
        """Upload the mesh of a scene."""
        self._mesh_buffers(scene)

    def draw_call(self, scene: Scene, program: Any, mixed: bool = False) -> DrawFaces:
        """Return a function that draws faces.

        Args:
            scene: Scene of the mesh.
            program: program of sheet.vert, with the uniforms set.
            mixed: the program has the option MIXED.
        """

        def draw(faces: FaceList | None) -> None:
            if faces is None:
                self.vertex_array(scene, program, mixed).render()
            elif len(faces):
                some = self._face_indices(scene)
                count = some.write(faces)
                self.vertex_array(scene, program, mixed, some).render(vertices=count)

        return draw

    def vertex_array(
        self, scene: Scene, program: Any, mixed: bool = False, some: FaceIndices | None = None
    ) -> Any:
        """Return the vertex array of all faces, or of `some` of them."""

        def make() -> Any:
            vertices, indices = self._mesh_buffers(scene)
            if some is not None:
                indices = some.buffer
            content: list[tuple[Any, ...]] = [(vertices, *VERTEX_FORMAT)]
            if mixed:
                content.append((upload_two_sided(self._context, scene), *TWO_SIDED_FORMAT))
            return scene.adopt(vertex_array(self._context.gl, program, content, indices))

        return scene.cached(("raster", program.glo, some is not None), make)

    def _face_indices(self, scene: Scene) -> FaceIndices:
        def make() -> FaceIndices:
            return FaceIndices(self._context, scene, self._mesh_buffers(scene)[1])

        return scene.cached("raster indices", make)

    def _mesh_buffers(self, scene: Scene) -> tuple[Any, Any]:
        return scene.cached("raster", lambda: upload_mesh(self._context, scene))
