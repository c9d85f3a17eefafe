"""Scenes of glTF 2.0 files: nodes with their transforms, and the triangles of their meshes.

These modules read glTF themselves. trimesh does not scale integer texture coordinates and 16-bit
colors, silently leaves out sparse data and triangle fans, and does not check what a header claims.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._srgb import srgb_from_linear
from ..._text import counted
from ...errors import MeshError
from .draco import DracoPrimitives
from .folder import MeshFolder
from .gltf_accessors import GltfAccessors
from .gltf_document import GltfDocument
from .gltf_extensions import lost_appearance
from .gltf_left_out import gltf_left_out
from .gltf_materials import GltfMaterials
from .merge import MeshPart
from .options import LoadOptions

__all__ = ["gltf_parts"]

_TRIANGLES, _STRIP, _FAN = 4, 5, 6


def gltf_parts(data: bytes, folder: MeshFolder, options: LoadOptions) -> list[MeshPart]:
    """Return the triangles of the default scene, one part per primitive of each node with a mesh.

    Parts of one node share an object. Colors are the linear base color factor times the vertex
    colors, converted to sRGB, and None if they are all white. Animation, skins and morph targets
    are left out.

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
        parts = _Scene(document, folder).parts(options.max_faces)
        for text, is_decided in gltf_left_out(document.tree):
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
    """The default scene of a document. Each mesh is read once, however many nodes show it."""

    def __init__(self, document: GltfDocument, folder: MeshFolder) -> None:
        self._document = document
        self._accessors = GltfAccessors(document)
        self._draco = DracoPrimitives(document, self._accessors)
        self._materials = GltfMaterials(document, self._accessors, folder.leave_out)
        self._meshes: dict[int, list[MeshPart]] = {}

    def parts(self, max_faces: int) -> list[MeshPart]:
        parts: list[MeshPart] = []
        face_count = 0
        for index, world_from_node in self._nodes():
            node = self._document.item("nodes", index)
            if "EXT_mesh_gpu_instancing" in node.get("extensions", {}):
                raise MeshError(
                    "it uses EXT_mesh_gpu_instancing, which is not supported; export plain nodes"
                )
            if "mesh" not in node:
                continue
            mesh_index = node["mesh"]
            mesh = self._document.item("meshes", mesh_index)
            if mesh_index not in self._meshes:
                primitives = (self._primitive(p) for p in mesh["primitives"])
                self._meshes[mesh_index] = [part for part in primitives if part is not None]
            name = str(node.get("name") or mesh.get("name") or f"node {index}")
            for part in self._meshes[mesh_index]:
                face_count += len(part.faces)
                parts.append(
                    replace(part, name=name, object_key=index, world_from_part=world_from_node)
                )
            if face_count > max_faces:
                raise MeshError(
                    f"it holds more than {counted(max_faces, 'face')}, the limit; "
                    "pass a larger max_faces"
                )
        return parts

    def _nodes(self) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
        """Yield (node, world_from_node), parents before children, in file order."""
        nodes = self._document.tree.get("nodes", [])
        if self._document.tree.get("scenes"):
            scene = self._document.item("scenes", self._document.tree.get("scene", 0))
            roots = scene.get("nodes", [])
        else:
            children = {child for node in nodes for child in node.get("children", [])}
            roots = [i for i in range(len(nodes)) if i not in children]
        stack = [(root, np.eye(4)) for root in reversed(roots)]
        seen: set[int] = set()
        while stack:
            index, world_from_parent = stack.pop()
            node = self._document.item("nodes", index)
            if index in seen:
                raise MeshError(
                    f"node {index} of its scene has two parents or contains itself; export it again"
                )
            seen.add(index)
            world_from_node = world_from_parent @ _parent_from_node(node)
            yield index, world_from_node
            stack.extend((child, world_from_node) for child in reversed(node.get("children", [])))

    def _primitive(self, primitive: Any) -> MeshPart | None:
        """Return a primitive in its own frame; None if it consists of points or lines."""
        mode = primitive.get("mode", _TRIANGLES)
        if mode not in (_TRIANGLES, _STRIP, _FAN):
            return None
        attributes = primitive["attributes"]
        arrays = self._draco.arrays(primitive)
        if arrays.is_decoded:
            mode = _TRIANGLES  # what a Draco stream decodes to, even if it was made from strips
        vertices = arrays.array(attributes["POSITION"], "POSITION", (3,))
        corners = arrays.corners(primitive)
        if corners is None:
            corners = np.arange(len(vertices))
        if corners.dtype.kind not in "iu":
            raise MeshError("its indices are not integers; export it again")
        base = self._materials.base_color(primitive.get("material"))
        uv = None
        if base.uv_name in attributes:
            given = arrays.array(attributes[base.uv_name], base.uv_name, (2,))
            uv = given @ base.uv_matrix[:, :2].T + base.uv_matrix[:, 2]
            uv[:, 1] = 1.0 - uv[:, 1]  # in glTF, v points down
        linear = base.factor[None]
        if "COLOR_0" in attributes:
            linear = self._vertex_colors(
                arrays.array(attributes["COLOR_0"], "COLOR_0", (3, 4)), base.factor
            )
        for name, values in ((base.uv_name, uv), ("COLOR_0", linear if len(linear) > 1 else None)):
            if values is not None and len(values) != len(vertices):
                raise MeshError(
                    f"it has {len(values)} {name} for {len(vertices)} vertices; export it again"
                )
        colors = srgb_from_linear(linear)
        return MeshPart(
            vertices,
            _triangles(corners, mode),
            name="",
            object_key=0,
            uv=uv,
            colors=None if (colors == 255).all() else colors,
            texture=base.texture,
        )

    def _vertex_colors(
        self, given: npt.NDArray[Any], factor: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return (V, 4) linear colors: those of the vertices times the base color factor."""
        if given.dtype.kind in "iu":  # integer colors are fractions, even if not marked normalized
            given = given / float(np.iinfo(given.dtype).max)
        linear = np.tile(factor, (len(given), 1))
        linear[:, : given.shape[1]] *= given
        return linear


def _parent_from_node(node: Any) -> npt.NDArray[np.float64]:
    """Return the (4, 4) transform of a node."""
    if "matrix" in node:
        matrix: npt.NDArray[np.float64] = np.array(node["matrix"], np.float64).reshape(4, 4)
        matrix = matrix.T  # stored column by column
    else:
        x, y, z, w = np.array(node.get("rotation", (0.0, 0.0, 0.0, 1.0)), np.float64).reshape(4)
        n = 2.0 / max(x * x + y * y + z * z + w * w, 1e-300)
        rotation = (
            (1 - n * (y * y + z * z), n * (x * y - z * w), n * (x * z + y * w)),
            (n * (x * y + z * w), 1 - n * (x * x + z * z), n * (y * z - x * w)),
            (n * (x * z - y * w), n * (y * z + x * w), 1 - n * (x * x + y * y)),
        )
        scale = np.array(node.get("scale", (1.0, 1.0, 1.0)), np.float64).reshape(3)
        matrix = np.eye(4)
        matrix[:3, :3] = np.array(rotation) * scale
        matrix[:3, 3] = np.array(node.get("translation", (0.0, 0.0, 0.0)), np.float64).reshape(3)
    if not np.isfinite(matrix).all():
        raise MeshError("a node of its scene has a transform that is not finite; export it again")
    return matrix


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
