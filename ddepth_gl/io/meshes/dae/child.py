"""COLLADA files, read in a child process: nodes with their transforms, geometries and materials.

COLLADA 1.4.1 and 1.5.0 (Khronos). Coordinates stay in the unit of the file; `up_axis` is told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from ..scene_message import SceneMessage
from .document import DaeDocument, Element, numbers
from .geometry import DaePolygons, read_polygons
from .materials import DaeMaterials
from .skins import skinned_vertices

__all__ = ["read_dae"]

_MAX_DEPTH, _MAX_NODES = 200, 200_000
_UP = {"X_UP": (1.0, 0.0, 0.0), "Y_UP": (0.0, 1.0, 0.0), "Z_UP": (0.0, 0.0, 1.0)}


def read_dae(
    request: dict[str, Any], blobs: Sequence[memoryview]
) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Read a COLLADA file; a function of `run_in_child`.

    Args:
        request: ``max_faces`` and ``appearance``.
        blobs: the content of the file.
    """
    document = DaeDocument(bytes(blobs[0]))
    message = SceneMessage(request["max_faces"])
    axis = document.root.find("asset/up_axis")
    message.up = _UP.get("" if axis is None else (axis.text or "").strip(), _UP["Y_UP"])
    try:
        _Reader(document, message, request).read()
    except (KeyError, ValueError, OverflowError) as error:
        if isinstance(error, MeshError):
            raise
        raise MeshError(f"its COLLADA has a wrong value ({error}); export it again") from error
    return message.result()


class _Reader:
    """Reader of the scene. Each geometry is read once, and sent once for each binding of it."""

    def __init__(
        self, document: DaeDocument, message: SceneMessage, request: dict[str, Any]
    ) -> None:
        self._document, self._message = document, message
        self._materials: DaeMaterials | None = None
        if request["appearance"]:
            self._materials = DaeMaterials(document, message)
        self._geometries: dict[Element, list[DaePolygons]] = {}
        self._meshes: dict[Any, tuple[int, int | None]] = {}
        self._world: dict[Element, npt.NDArray[np.float64]] = {}
        self._object_count = self._node_count = 0

    def read(self) -> None:
        instance = self._document.root.find("scene/instance_visual_scene")
        scene = None if instance is None else self._document.target(instance.get("url"))
        if scene is None:
            scene = self._document.root.find("library_visual_scenes/visual_scene")
        if scene is None:  # a library of geometries
            for geometry in self._document.root.findall("library_geometries/geometry"):
                self._instance(geometry, geometry, np.eye(4), {}, geometry.get("name", ""))
            return
        found: list[tuple[Element, npt.NDArray[np.float64]]] = []
        for node in scene.findall("node"):
            self._collect(node, np.eye(4), found, 0)
        for node, world_from_node in found:
            self._show(node, world_from_node)
        animations = self._document.root.findall("library_animations/animation")
        if animations:
            self._message.leave_out("animations", len(animations))

    def _collect(
        self,
        node: Element,
        world_from_parent: npt.NDArray[np.float64],
        found: list[tuple[Element, npt.NDArray[np.float64]]],
        depth: int,
    ) -> None:
        """Add a node and all below it with their transforms, parents first."""
        self._node_count += 1
        if depth > _MAX_DEPTH or self._node_count > _MAX_NODES:
            raise MeshError("its nodes contain themselves, or are too many; repair it")
        world_from_node = world_from_parent @ _parent_from_node(node)
        self._world.setdefault(node, world_from_node)
        found.append((node, world_from_node))
        for child in node:
            if child.tag == "node":
                self._collect(child, world_from_node, found, depth + 1)
            elif child.tag == "instance_node":
                target = self._document.needed(child.get("url"))
                self._collect(target, world_from_node, found, depth + 1)

    def _show(self, node: Element, world_from_node: npt.NDArray[np.float64]) -> None:
        """Add the geometries of a node."""
        for child in node:
            name = node.get("name") or node.get("id") or ""
            if child.tag == "instance_geometry":
                geometry = self._document.needed(child.get("url"))
                name = name or geometry.get("name", "")
                self._instance(geometry, geometry, world_from_node, _bindings(child), name)
            elif child.tag == "instance_controller":
                self._controller(child, world_from_node, name)

    def _controller(
        self, instance: Element, world_from_node: npt.NDArray[np.float64], name: str
    ) -> None:
        """Add a skinned geometry in its pose, or a morphed one without its targets."""
        controller = self._document.needed(instance.get("url"))
        skin, source = controller.find("skin"), controller
        for _ in range(8):  # a skin of a morph of a geometry
            inner = source.find("skin") if source.find("skin") is not None else source.find("morph")
            if inner is None:
                break
            if inner.tag == "morph":
                self._message.leave_out("morph targets")
            source = self._document.needed(inner.get("source"))
        vertices = None
        if skin is not None:
            rest = self._polygons(source)
            if rest:
                vertices = skinned_vertices(
                    self._document, skin, instance, self._world, rest[0].vertices
                )
            world_from_node = np.eye(4)  # skinned vertices are in the world's frame
        self._instance(source, instance, world_from_node, _bindings(instance), name, vertices)

    def _polygons(self, geometry: Element) -> list[DaePolygons]:
        if geometry not in self._geometries:
            self._geometries[geometry] = read_polygons(
                self._document, geometry, self._message.leave_out
            )
        return self._geometries[geometry]

    def _instance(
        self,
        geometry: Element,
        key: Element,
        matrix: npt.NDArray[np.float64],
        bindings: dict[str, tuple[str | None, dict[str, int]]],
        name: str,
        vertices: npt.NDArray[np.float64] | None = None,
    ) -> None:
        """Add the polygons of a geometry.

        Args:
            geometry: an element ``geometry``.
            key: instances with equal keys and materials have the same vertices.
            matrix: world_from_part.
            bindings: material and sets of texture coordinates, by symbol.
            name: name of the object.
            vertices: (V, 3) positions instead of its own.
        """
        for number, polygons in enumerate(self._polygons(geometry)):
            url, sets = bindings.get(polygons.material, (None, {}))
            if url is None and not bindings:
                url = polygons.material  # some exporters name the material itself
            found = (key, number, url, tuple(sorted(sets.items())))
            if found not in self._meshes:
                if vertices is not None:
                    polygons = polygons._replace(vertices=vertices)
                self._meshes[found] = self._mesh(polygons, url, sets)
            mesh, material = self._meshes[found]
            self._message.add_part(mesh, self._object_count, name, matrix, material)
        self._object_count += 1

    def _mesh(
        self, polygons: DaePolygons, url: str | None, sets: dict[str, int]
    ) -> tuple[int, int | None]:
        """Return the numbers of a mesh and of its material."""
        uv = colors = material = None
        if self._materials is not None:
            looks = self._materials.material(url)
            material = looks.number
            if looks.texcoord is not None and polygons.uv:
                uv = polygons.uv.get(sets.get(looks.texcoord, -1))
                uv = polygons.uv[min(polygons.uv)] if uv is None else uv
            colors = polygons.colors if material is None else None
        mesh = self._message.add_mesh(
            polygons.vertices, polygons.counts, polygons.corners, uv=uv, colors=colors
        )
        return mesh, material


def _bindings(instance: Element) -> dict[str, tuple[str | None, dict[str, int]]]:
    """Return the material of each symbol, and the sets of its texture coordinates by name."""
    found: dict[str, tuple[str | None, dict[str, int]]] = {}
    for entry in instance.findall("bind_material/technique_common/instance_material"):
        sets = {
            bind.get("semantic", ""): int(bind.get("input_set", 0))
            for bind in entry.findall("bind_vertex_input")
        }
        found[entry.get("symbol", "")] = (entry.get("target"), sets)
    return found


def _parent_from_node(node: Element) -> npt.NDArray[np.float64]:
    """Return the product of the transforms of a node, in their order."""
    matrix = np.eye(4)
    for element in node:
        size = {"matrix": 16, "translate": 3, "rotate": 4, "scale": 3, "lookat": 9, "skew": 7}
        if element.tag not in size:
            continue
        values = numbers(element)
        if len(values) != size[element.tag]:
            raise MeshError(f"a {element.tag} of it has {len(values)} numbers; export it again")
        if element.tag == "skew":
            raise MeshError("it uses skew, which is not supported; export it with matrices")
        matrix = matrix @ _transform(element.tag, values)
    return matrix


def _transform(kind: str, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    matrix = np.eye(4)
    if kind == "matrix":
        return values.reshape(4, 4)
    if kind == "translate":
        matrix[:3, 3] = values
    elif kind == "scale":
        matrix[:3, :3] = np.diag(values)
    elif kind == "rotate":
        matrix[:3, :3] = _rotation(values[:3], math.radians(values[3]))
    else:
        eye, interest, up = values.reshape(3, 3)
        z = eye - interest
        x = np.cross(up, z)
        y = np.cross(z, x)
        axes = [axis / max(float(np.linalg.norm(axis)), 1e-300) for axis in (x, y, z)]
        matrix[:3] = np.stack([*axes, eye], axis=1)
    return matrix


def _rotation(axis: npt.NDArray[np.float64], angle: float) -> npt.NDArray[np.float64]:
    """Return the rotation about an axis by an angle in radians (Rodrigues)."""
    length = float(np.linalg.norm(axis))
    if length == 0:
        return np.eye(3)
    x, y, z = axis / length
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross)
