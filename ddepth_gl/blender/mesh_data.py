"""Arrays of one evaluated mesh of Blender: points, triangles as Blender cuts them, materials."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["MeshArrays", "mesh_arrays"]


class MeshArrays(NamedTuple):
    """A mesh in the frame of its object.

    Attributes:
        vertices: (V, 3) float32.
        faces: (F, 3) int32, counter-clockwise seen from outside.
        polygons: (F,) int32: index of the polygon that each triangle was cut from.
        materials: (F,) int32: index of the material slot of each triangle.
    """

    vertices: npt.NDArray[np.float32]
    faces: npt.NDArray[np.int32]
    polygons: npt.NDArray[np.int32]
    materials: npt.NDArray[np.int32]


def mesh_arrays(mesh: Any) -> MeshArrays:
    """Return the arrays of a mesh; every element is copied by Blender itself.

    Args:
        mesh: a ``bpy.types.Mesh`` that may be read: evaluated, and not in edit mode.
    """
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    vertices = np.empty(3 * len(mesh.vertices), np.float32)
    _attribute(mesh, "position").foreach_get("vector", vertices)
    # Blender looks up vertices of triangles one by one, and copies all these as they are.
    corners = np.empty(3 * count, np.int32)
    mesh.loop_triangles.foreach_get("loops", corners)
    corner_vertices = np.empty(len(mesh.loops), np.int32)
    _attribute(mesh, ".corner_vert").foreach_get("value", corner_vertices)
    polygons = np.empty(count, np.int32)
    mesh.loop_triangle_polygons.foreach_get("value", polygons)
    return MeshArrays(
        vertices.reshape(-1, 3),
        corner_vertices[corners].reshape(-1, 3),
        polygons,
        _materials(mesh, polygons),
    )


def _attribute(mesh: Any, name: str) -> Any:
    return mesh.attributes[name].data


def _materials(mesh: Any, polygons: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    if len(mesh.materials) < 2 or "material_index" not in mesh.attributes:
        return np.zeros(len(polygons), np.int32)
    of_polygons = np.empty(len(mesh.polygons), np.int32)
    _attribute(mesh, "material_index").foreach_get("value", of_polygons)
    # As in Cycles, an index without a slot is the last slot's.
    return of_polygons[polygons].clip(0, len(mesh.materials) - 1)
