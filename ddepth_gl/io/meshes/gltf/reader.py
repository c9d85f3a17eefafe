"""Scenes of glTF 2.0 files in one pose, as triangles.

Decision 4 says why this package reads glTF itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...._srgb import srgb_from_linear
from ...._text import counted
from ....errors import MeshError
from ..folder import MeshFolder
from ..merge import MeshPart, check_part, without_unused_vertices
from ..options import LoadOptions
from ..work_limit import WorkLimit
from .accessors import GltfAccessors
from .animation import GltfAnimations
from .document import GltfDocument
from .draco import DracoPrimitives
from .extensions import lost_appearance
from .images import GltfImages
from .instances import instance_count, instance_transforms, joined, separate
from .left_out import gltf_left_out
from .materials import GltfMaterials
from .morphs import morphed
from .nodes import GltfNodes
from .skins import GltfSkins, Influences, read_influences

__all__ = ["gltf_parts"]

_TRIANGLES, _STRIP, _FAN = 4, 5, 6
# Where a file has more instances, times primitives, those of a node are one part and one object.
_MAX_INSTANCES = 20_000
# Vertices times joints and morph targets: a file may use all of its bytes several times.
_MIN_STEPS, _STEPS_PER_BYTE = 50_000_000, 16
_STEPS_PER_INSTANCE = 16


def gltf_parts(data: bytes, folder: MeshFolder, options: LoadOptions) -> list[MeshPart]:
    """Return the triangles of the default scene, one part per primitive of each node with a mesh.

    Parts of one node share an object, or those of one instance where a node has instances. Colors
    are the linear base color factor times the vertex colors, converted to sRGB, and None if they
    are all white.

    Args:
        data: content of the file, text or binary.
        folder: reader of its side files.
        options: options of `load_mesh`.

    Raises:
        MeshError: the file is damaged, incomplete or uses an unsupported compression.
        FileNotFoundError: a buffer's file is missing.
    """
    try:
        document = GltfDocument(data, folder)
        parts = _Scene(document, folder, options).parts(options.max_faces)
        for text, is_decided in gltf_left_out(document.tree, options):
            folder.leave_out(text, warn=not is_decided)
        for text in lost_appearance(document.tree):
            folder.leave_out(text)
        return parts
    except (FileNotFoundError, MeshError):
        raise
    except KeyError as error:
        raise MeshError(f"an entry of its glTF lacks {error}; export it again") from error
    except (ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise MeshError(
            "an entry of its glTF has a value of a wrong type or size; export it again"
        ) from error


class _Scene:
    """The default scene of a document in one pose. Each mesh is read once for all its nodes."""

    def __init__(self, document: GltfDocument, folder: MeshFolder, options: LoadOptions) -> None:
        self._document = document
        self._accessors = GltfAccessors(document)
        self._draco = DracoPrimitives(document, self._accessors)
        self._materials = GltfMaterials(document, GltfImages(document, self._accessors), options)
        animations = GltfAnimations(document, self._accessors, folder.leave_out)
        self._nodes = GltfNodes(document, animations.posed(options.pose))
        self._work = WorkLimit(_MIN_STEPS + _STEPS_PER_BYTE * self._accessors.byte_count)
        steps = self._accessors.byte_count + self._accessors.decoded_count
        self._building = WorkLimit(
            2 * _MIN_STEPS + _STEPS_PER_BYTE * steps,
            "building its primitives and instances",
            "export fewer that share the same data",
        )
        self._skins = GltfSkins(document, self._accessors, self._nodes, self._work)
        self._meshes: dict[tuple[int, bytes], list[tuple[MeshPart, Influences | None]]] = {}

    def parts(self, max_faces: int) -> list[MeshPart]:
        parts: list[MeshPart] = []
        shown = [i for i in self._nodes.shown() if "mesh" in self._document.item("nodes", i)]
        are_objects = self._instances_are_objects(shown)
        face_count = 0
        for index in shown:
            node = self._document.item("nodes", index)
            mesh = self._document.item("meshes", node["mesh"])
            name = str(node.get("name") or mesh.get("name") or f"node {index}")
            primitives = self._primitives(node["mesh"], self._nodes.weights(index), name)
            if not primitives:
                continue
            copies = instance_count(node, self._accessors)
            self._building.spend(_STEPS_PER_INSTANCE * copies)
            face_count += (copies or 1) * sum(len(part.faces) for part, _ in primitives)
            if face_count > max_faces:
                raise MeshError(
                    f"it holds more than {counted(max_faces, 'face')}, the limit; "
                    "pass a larger max_faces"
                )
            world_from_node = self._nodes.world_from_node(index)
            of_node = [
                self._skins.posed(replace(part, name=name, object_key=index), joints, node["skin"])
                if joints is not None and node.get("skin") is not None
                else replace(part, name=name, object_key=index, world_from_part=world_from_node)
                for part, joints in primitives
            ]
            if copies:
                world_from_instance = world_from_node @ instance_transforms(node, self._accessors)
                copy = separate if are_objects else joined
                of_node = copy(of_node, world_from_instance)
            parts += of_node
        return parts

    def _instances_are_objects(self, shown: list[int]) -> bool:
        count = 0
        for index in shown:
            node = self._document.item("nodes", index)
            mesh = self._document.item("meshes", node["mesh"])
            count += instance_count(node, self._accessors) * len(mesh["primitives"])
        return count <= _MAX_INSTANCES

    def _primitives(
        self, index: int, weights: npt.NDArray[np.float64], name: str
    ) -> list[tuple[MeshPart, Influences | None]]:
        """Return the primitives of a mesh with faces, morphed, and the joints they may follow."""
        primitives = self._document.item("meshes", index)["primitives"]
        weights = weights[: max((len(each.get("targets", ())) for each in primitives), default=0)]
        key = index, weights.tobytes() if weights.any() else b""
        if key not in self._meshes:
            self._meshes[key] = []
            for primitive in primitives:
                part, influences = self._primitive(primitive, weights)
                if part is None or not len(part.faces):
                    continue
                part = replace(part, name=name)
                check_part(part)
                part, used = without_unused_vertices(part)
                if used is not None and influences is not None:
                    influences = influences.of_vertices(used)
                self._meshes[key].append((part, influences))
        return self._meshes[key]

    def _primitive(
        self, primitive: Any, weights: npt.NDArray[np.float64]
    ) -> tuple[MeshPart | None, Influences | None]:
        """Return a primitive in its own frame, morphed, and the joints that it may follow.

        The part is None if it consists of points or lines.
        """
        mode = primitive.get("mode", _TRIANGLES)
        if mode not in (_TRIANGLES, _STRIP, _FAN):
            return None, None
        attributes = primitive["attributes"]
        arrays = self._draco.arrays(primitive)
        if arrays.is_decoded:
            mode = _TRIANGLES  # what a Draco stream decodes to, even if it was made from strips
        targets = primitive.get("targets", ())

        def moved(name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return morphed(values, name, targets, weights, self._accessors, self._work)

        vertices = moved("POSITION", arrays.array(attributes["POSITION"], "POSITION", (3,)))
        corners = arrays.corners(primitive)
        if corners is None:
            corners = np.arange(len(vertices))
        if corners.dtype.kind not in "iu":
            raise MeshError("its indices are not integers; export it again")
        vertex_count = len(vertices)
        used = _used_vertices(corners, vertex_count)
        if used is not None:
            vertices, corners = vertices[used], np.searchsorted(used, corners)
        self._building.spend(len(corners) + len(vertices))

        def of_used(name: str, widths: tuple[int, ...]) -> npt.NDArray[Any]:
            """Return an attribute, morphed, of the vertices that are used."""
            values = arrays.array(attributes[name], name, widths)
            if len(values) != vertex_count:
                raise MeshError(
                    f"it has {len(values)} {name} for {vertex_count} vertices; export it again"
                )
            if used is not None and not any(name in target for target in targets):
                return _as_color(values[used]) if name == "COLOR_0" else values[used]
            values = moved(name, _as_color(values) if name == "COLOR_0" else values)
            return values if used is None else values[used]

        look = self._materials.look(primitive.get("material"), "COLOR_0" in attributes)
        uv = None
        if look.uv_name in attributes:
            given = of_used(look.uv_name, (2,))
            uv = given @ look.uv_matrix[:, :2].T + look.uv_matrix[:, 2]
            uv[:, 1] = 1.0 - uv[:, 1]  # in glTF, v points down
        linear = look.factor[None]
        if "COLOR_0" in attributes and look.channels.any():
            linear = look.vertex_colors(np.clip(of_used("COLOR_0", (3, 4)), 0.0, 1.0))
        colors = srgb_from_linear(linear)
        part = MeshPart(
            vertices,
            _triangles(corners, mode),
            name="",
            object_key=0,
            uv=uv,
            colors=None if (colors == 255).all() else colors,
            texture=look.texture,
            sampler=look.sampler,
            alpha_cutoff=look.cutoff(float(linear[:, 3].min()), uv is not None),
        )
        influences = read_influences(attributes, arrays, vertex_count, self._work)
        if influences is not None and used is not None:
            influences = influences.of_vertices(used)
        return part, influences


def _used_vertices(corners: npt.NDArray[Any], count: int) -> npt.NDArray[Any] | None:
    """Return the sorted vertices that corners use; None for all, and if one is out of range.

    Primitives may share the vertices of a whole scene. Each then takes only its own.
    """
    if len(corners) >= count or not len(corners):
        return None
    used = np.unique(corners)
    return used if int(used[0]) >= 0 and int(used[-1]) < count else None


def _as_color(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return integers as fractions, even if they are not marked normalized."""
    return values / float(np.iinfo(values.dtype).max) if values.dtype.kind in "iu" else values


def _triangles(corners: npt.NDArray[Any], mode: int) -> npt.NDArray[np.int64]:
    """Return (F, 3) triangles of a list, a strip or a fan."""
    corners = corners.astype(np.int64)
    if mode == _TRIANGLES:
        if len(corners) % 3:
            raise MeshError(
                f"it has {len(corners)} triangle corners, not a multiple of 3; export it again"
            )
        return corners.reshape(-1, 3)
    if len(corners) < 3:
        return np.zeros((0, 3), np.int64)
    if mode == _FAN:
        return np.stack((corners[1:-1], corners[2:], np.full(len(corners) - 2, corners[0])), axis=1)
    faces = np.stack((corners[:-2], corners[1:-1], corners[2:]), axis=1)
    faces[1::2] = faces[1::2][:, [0, 2, 1]]  # every second triangle has the opposite winding
    # Triangles that repeat a corner only connect strips.
    proper = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return np.asarray(faces[proper])
