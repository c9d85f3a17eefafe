"""A scene of Blender as one `Mesh`: which objects are rendered, where, and in which colors."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import MeshError
from ..mesh.mesh import Mesh, MeshSource
from .left_out import LeftOut
from .materials import has_faces, materials_of, plain_color
from .mesh_data import MeshArrays, mesh_arrays

__all__ = ["BlenderScene", "blender_scene"]

_WHITE = np.full((1, 4), 255, np.uint8)


class BlenderScene(NamedTuple):
    """Objects of a scene that are rendered, as one mesh.

    Attributes:
        mesh: all objects in world space; ``object_id`` counts objects and instances.
        object_names: name of each object id. Instances are "name #0", "name #1", ...
        left_out: a line for each kind of thing that Cycles shows and the mesh lacks.
    """

    mesh: Mesh
    object_names: tuple[str, ...]
    left_out: tuple[str, ...]


class _Part(NamedTuple):
    """An object or instance: arrays of its mesh, and where it is."""

    arrays: MeshArrays
    colors: npt.NDArray[np.uint8]
    world_from_part: npt.NDArray[np.float64]


def blender_scene(depsgraph: Any, objects: str = "renderable") -> BlenderScene:
    """Return the objects of a scene as one mesh, modifiers applied and instances included.

    Objects are those that a camera sees in a render: not disabled in renders, and visible to
    camera rays. Curves, texts and metaballs become meshes as Blender converts them. Objects whose
    scale mirrors them keep their outside outside, as in Cycles.

    Args:
        depsgraph: a ``bpy.types.Depsgraph``. One of a render (``mode == "RENDER"``) has the
            modifiers and levels of renders, that of ``evaluated_depsgraph_get`` those of the
            viewport; see `render_depsgraph`.
        objects: "renderable", "selected", or the name of a collection, whose children count, too.
            Instances follow the object that makes them.

    Raises:
        MeshError: there is no such collection, or nothing with faces is left.
    """
    import bpy

    scene, left_out = depsgraph.scene, LeftOut()
    left_out.of_scene(scene, scene.camera, depsgraph.view_layer)
    left_out.of_file(bpy.data)
    chosen = _chosen(depsgraph, objects)
    known: dict[tuple[int, tuple[int, ...]], tuple[MeshArrays, npt.NDArray[np.uint8]] | None] = {}
    parts: list[_Part] = []
    names: list[str] = []
    counts: dict[str, int] = {}
    for instance in depsgraph.object_instances:
        obj = instance.object
        owner = instance.parent if instance.is_instance and instance.parent else obj
        if chosen is not None and owner.original.as_pointer() not in chosen:
            continue
        if not _is_seen(obj, owner, depsgraph):
            continue
        left_out.of_type(obj)
        # As in Cycles: curves, texts and metaballs come a second time, as meshes.
        if obj.type != "MESH" or not instance.show_self:
            continue
        left_out.of_object(obj, owner, depsgraph)
        found = _known_arrays(obj, materials_of(obj, depsgraph.view_layer), known)
        if found is None:
            continue
        name = obj.name
        if instance.is_instance and obj.original != owner.original:
            counts[name] = counts.get(name, -1) + 1
            name = f"{name} #{counts[name]}"
        # The matrix belongs to the iterator: a copy of its numbers stays.
        parts.append(_Part(*found, np.array(instance.matrix_world, np.float64)))
        names.append(name)
    if not parts:
        what = {"renderable": "nothing to render", "selected": "nothing selected"}
        shown = what.get(objects, f"nothing in collection {objects!r}")
        raise MeshError(
            f"scene {scene.name!r} has {shown} that has faces; enable objects in renders, or "
            "choose others"
        )
    lines = left_out.lines()
    return BlenderScene(_merged(parts, tuple(names), scene.name, lines), tuple(names), lines)


def _chosen(depsgraph: Any, objects: str) -> set[int] | None:
    """Return pointers of the original objects that count; None for all."""
    if objects == "renderable":
        return None
    layer = depsgraph.view_layer
    if objects == "selected":
        return {obj.as_pointer() for obj in layer.objects if obj.select_get(view_layer=layer)}
    root = depsgraph.scene.collection
    for collection in (root, *root.children_recursive):
        if collection.name == objects:
            return {obj.as_pointer() for obj in collection.all_objects}
    names = ", ".join(repr(each.name) for each in root.children_recursive[:8]) or "none"
    raise MeshError(
        f"the scene has no collection {objects!r}; give renderable, selected or one of its "
        f"collections: {names}"
    )


def _is_seen(obj: Any, owner: Any, depsgraph: Any) -> bool:
    """Return whether rays of the camera meet an object."""
    if not obj.visible_camera or not owner.visible_camera:
        return False
    original, layer = owner.original, depsgraph.view_layer
    if original.hide_render and depsgraph.mode != "RENDER":
        return False
    is_indirect = original.indirect_only_get(view_layer=layer)
    # As in Cycles, a holdout is one all the same.
    return not is_indirect or bool(original.holdout_get(view_layer=layer))


def _known_arrays(
    obj: Any,
    materials: list[Any],
    known: dict[Any, tuple[MeshArrays, npt.NDArray[np.uint8]] | None],
) -> tuple[MeshArrays, npt.NDArray[np.uint8]] | None:
    """Return the arrays of an object's mesh and the color of each slot; None without faces."""
    pointers = tuple(0 if each is None else each.as_pointer() for each in materials)
    key = (0 if obj.data is None else obj.data.as_pointer(), pointers)
    if key not in known:
        mesh = obj.to_mesh()
        try:
            known[key] = None
            if mesh is not None and len(mesh.polygons):
                slots = materials or [*mesh.materials]
                arrays = mesh_arrays(mesh)
                if not all(map(has_faces, slots)):
                    arrays = _with_slots(arrays, [has_faces(each) for each in slots])
                if len(arrays.faces):
                    colors = [plain_color(each) for each in slots]
                    known[key] = arrays, np.array(colors or _WHITE, np.uint8)
        finally:
            obj.to_mesh_clear()
    return known[key]


def _with_slots(arrays: MeshArrays, is_kept: list[bool]) -> MeshArrays:
    """Return a mesh with the faces of some material slots alone."""
    kept = np.array(is_kept)[arrays.materials.clip(0, len(is_kept) - 1)]
    faces, polygons, materials = (each[kept] for each in arrays[1:])
    return MeshArrays(arrays.vertices, faces, polygons, materials)


def _merged(
    parts: list[_Part], names: tuple[str, ...], name: str, left_out: tuple[str, ...]
) -> Mesh:
    """Return the parts as one mesh, whose source tells what is left out."""
    vertices, faces, colors, polygons = [], [], [], []
    first_vertex = first_polygon = 0
    for arrays, points, triangles, shades in map(_placed, parts):
        vertices.append(points)
        faces.append(triangles + np.int32(first_vertex))
        colors.append(shades)
        polygons.append(arrays.polygons + np.int64(first_polygon))
        first_vertex += len(points)
        first_polygon += int(arrays.polygons[-1]) + 1
    sizes = [len(part.arrays.faces) for part in parts]
    joined: dict[str, Any] = {
        "vertices": np.concatenate(vertices),
        "faces": np.concatenate(faces),
        "colors": np.concatenate(colors),
        "object_id": np.repeat(np.arange(len(parts), dtype=np.int32), sizes),
    }
    digest = hashlib.sha256()
    for array in joined.values():
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    return Mesh(
        **joined,
        object_names=names,
        polygon_id=np.concatenate(polygons),
        name=name,
        source=MeshSource("", digest.hexdigest(), left_out=left_out),
        up=(0.0, 0.0, 1.0),
    )


def _placed(
    part: _Part,
) -> tuple[MeshArrays, npt.NDArray[Any], npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Return arrays, points in world space, triangles and colors of the vertices of a part."""
    arrays, colors, matrix = part
    local, faces = arrays.vertices, arrays.faces
    if (colors == colors[:1]).all():
        shades = np.broadcast_to(colors[0], (len(local), 4))
    else:
        local, faces, shades = _split(local, faces, arrays.materials, colors)
    points = local @ matrix[:3, :3].T + matrix[:3, 3]
    if np.linalg.det(matrix[:3, :3]) < 0.0:
        faces = faces[:, ::-1]
    return arrays, points, faces, shades


def _split(
    vertices: npt.NDArray[np.float32],
    faces: npt.NDArray[np.int32],
    materials: npt.NDArray[np.int32],
    colors: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Return vertices of one color each: those between materials come once for each."""
    slots = materials.clip(0, len(colors) - 1).astype(np.int64)
    keys = faces * np.int64(len(colors)) + slots[:, None]
    is_used = np.zeros(len(vertices) * len(colors), bool)
    is_used[keys] = True
    (used,) = is_used.nonzero()
    places = is_used.cumsum(dtype=np.int32) - np.int32(1)
    return vertices[used // len(colors)], places[keys], colors[used % len(colors)]
