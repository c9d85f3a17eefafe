"""Reads glTF 2.0, as text or binary: every claim is checked against the bytes that are there.

Read here and not by trimesh, which keeps integer texture coordinates and 16-bit colors as they are,
leaves out sparse data and triangle fans silently, and does not check what the header claims.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..._srgb import srgb_from_linear
from ...errors import MeshError
from .folder import MeshFolder, open_picture
from .parts import MeshPart

__all__ = ["gltf_parts"]

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_TRIANGLES, _STRIP, _FAN = 4, 5, 6


# Extensions that a file may require: those that are read, and those that change only how light is reflected.
_EXTENSIONS_READ = {
    "KHR_mesh_quantization",
    "KHR_texture_transform",
    "EXT_texture_webp",
    "KHR_lights_punctual",
    "KHR_materials_anisotropy",
    "KHR_materials_clearcoat",
    "KHR_materials_dispersion",
    "KHR_materials_emissive_strength",
    "KHR_materials_ior",
    "KHR_materials_iridescence",
    "KHR_materials_sheen",
    "KHR_materials_specular",
    "KHR_materials_transmission",
    "KHR_materials_unlit",
    "KHR_materials_volume",
}


def gltf_parts(data: bytes, folder: MeshFolder, max_faces: int) -> list[MeshPart]:
    """The triangles of the default scene, one part for each primitive of each node that has a mesh.

    Parts of one node share an object. Colors are glTF's linear base color factor times vertex colors,
    as sRGB, and None where that is plain white. Animation, skins and morph targets are left out.

    Raises:
        MeshError: if the file is damaged, incomplete or uses a compression that is not read.
        FileNotFoundError: if it needs a buffer that is not there.
    """
    is_binary = data[:4] == b"glTF"
    text, chunk = _glb_chunks(data) if is_binary else (data, None)
    try:
        tree = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise MeshError(
            f"it is not glTF ({error}); check that it is complete and not another format"
        ) from error
    try:
        return _Reader(tree, chunk, folder).parts(max_faces)
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise MeshError(
            f"its glTF is malformed ({type(error).__name__}: {error}); export it again"
        ) from error


def _glb_chunks(data: bytes) -> tuple[bytes, bytes | None]:
    """The JSON text and the binary chunk."""
    if len(data) < 20:
        raise MeshError(
            f"it has only {len(data)} bytes, too few for a GLB; it was cut short, copy it again"
        )
    _, version, length, json_length, kind = struct.unpack("<4sIII4s", data[:20])
    if version != 2:
        raise MeshError(
            f"it is glTF version {version}, only version 2 is read; export it as glTF 2.0"
        )
    if length > len(data) or 20 + json_length > length or kind != b"JSON":
        raise MeshError(
            f"its header declares {length} bytes and a chunk of {json_length}, the file has {len(data)}; "
            "it was cut short or damaged, copy it again"
        )
    start = 20 + json_length
    while start + 8 <= length:
        size, kind = struct.unpack("<I4s", data[start : start + 8])
        if start + 8 + size > length:
            raise MeshError(
                f"a chunk of {size} bytes does not fit into the file; copy or export it again"
            )
        if kind == b"BIN\0":
            return data[20 : 20 + json_length], data[start + 8 : start + 8 + size]
        start += 8 + size
    return data[20 : 20 + json_length], None


class _Reader:
    def __init__(self, tree: Any, chunk: bytes | None, folder: MeshFolder) -> None:
        self.tree = tree
        self.folder = folder
        version = str(tree.get("asset", {}).get("version", "2.0"))
        if version.split(".")[0] != "2":
            raise MeshError(
                f"it is glTF version {version}, only version 2 is read; export it as glTF 2.0"
            )
        needed = [
            name for name in tree.get("extensionsRequired", []) if name not in _EXTENSIONS_READ
        ]
        if needed:
            raise MeshError(
                f"it needs the extension {needed[0]!s:.60}, which is not read; export it without"
            )
        self.buffers = [self._buffer(i, b, chunk) for i, b in enumerate(tree.get("buffers", []))]
        self.budget = 16 * sum(
            len(b) for b in self.buffers
        )  # overlapping accessors must not multiply it
        self.arrays: dict[int, npt.NDArray[Any]] = {}
        self.pictures: dict[int, Image.Image | None] = {}
        self.primitives: dict[int, list[MeshPart]] = {}

    def parts(self, max_faces: int) -> list[MeshPart]:
        result: list[MeshPart] = []
        faces = 0
        for index, world_from_node in self._nodes():
            node = self._item("nodes", index)
            if "EXT_mesh_gpu_instancing" in node.get("extensions", {}):
                raise MeshError(
                    "it uses EXT_mesh_gpu_instancing, which is not read; export plain nodes"
                )
            if "mesh" not in node:
                continue
            mesh_index = node["mesh"]
            mesh = self._item("meshes", mesh_index)
            if mesh_index not in self.primitives:
                found = (self._primitive(p) for p in mesh["primitives"])
                self.primitives[mesh_index] = [part for part in found if part is not None]
            name = str(node.get("name") or mesh.get("name") or f"node {index}")
            for p in self.primitives[mesh_index]:
                faces += len(p.faces)
                result.append(
                    MeshPart(
                        p.vertices, p.faces, name, index, world_from_node, p.uv, p.colors, p.picture
                    )
                )
            if faces > max_faces:
                raise MeshError(
                    f"it holds over {max_faces} faces, the limit; pass a larger max_faces"
                )
        return result

    def _item(self, kind: str, index: Any) -> Any:
        items = self.tree.get(kind, [])
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(items):
            raise MeshError(f"its glTF refers to {kind}[{index}] of {len(items)}; export it again")
        return items[index]

    def _nodes(self) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
        """(node, world_from_node) of the default scene, parents before children, in file order."""
        nodes = self.tree.get("nodes", [])
        if self.tree.get("scenes"):
            roots = self._item("scenes", self.tree.get("scene", 0)).get("nodes", [])
        else:
            children = {child for node in nodes for child in node.get("children", [])}
            roots = [i for i in range(len(nodes)) if i not in children]
        waiting = [(root, np.eye(4)) for root in reversed(roots)]
        seen: set[int] = set()
        while waiting:
            index, world_from_parent = waiting.pop()
            node = self._item("nodes", index)
            if index in seen:
                raise MeshError(
                    f"node {index} of its scene has two parents or is its own; export it again"
                )
            seen.add(index)
            world_from_node = world_from_parent @ _parent_from_node(node)
            yield index, world_from_node
            waiting.extend((child, world_from_node) for child in reversed(node.get("children", [])))

    def _buffer(self, index: int, buffer: Any, chunk: bytes | None) -> bytes:
        if "uri" in buffer:
            content = self._uri(buffer["uri"])
        elif index == 0 and chunk is not None:
            content = chunk
        else:
            raise MeshError(f"its buffer {index} has no data; export it again")
        if buffer["byteLength"] > len(content):
            raise MeshError(
                f"its buffer {index} should have {buffer['byteLength']} bytes and has {len(content)}; "
                "it was cut short, copy it again"
            )
        return content

    def _uri(self, uri: str) -> bytes:
        if not uri.startswith("data:"):
            return self.folder.read(uri)
        head, _, content = uri.partition(",")
        if not head.endswith(";base64"):
            raise MeshError("it embeds data that is not base64; export it again")
        return base64.b64decode(content)

    def _view(self, index: Any) -> tuple[memoryview, int]:
        """The bytes of a buffer view and the distance between its elements, 0 for densely packed."""
        view = self._item("bufferViews", index)
        if any("meshopt" in name for name in view.get("extensions", {})):
            raise MeshError(
                "it uses meshopt compression, which is not read; export it without compression"
            )
        self._item("buffers", view["buffer"])
        content = memoryview(self.buffers[view["buffer"]])
        start, length, stride = (
            view.get("byteOffset", 0),
            view["byteLength"],
            view.get("byteStride", 0),
        )
        if min(start, length, stride) < 0 or start + length > len(content):
            raise MeshError(
                f"its buffer view {index} reaches outside its buffer; copy or export it again"
            )
        return content[start : start + length], stride

    def _array(self, index: Any, what: str, widths: tuple[int, ...]) -> npt.NDArray[Any]:
        """(count, width) numbers of an accessor; normalized integers become float."""
        accessor = self._item("accessors", index)
        if index in self.arrays:
            return self.arrays[index]
        count, width = accessor["count"], _WIDTHS.get(accessor["type"], 0)
        dtype = np.dtype(_COMPONENTS[accessor["componentType"]])
        if width not in widths or not isinstance(count, int) or count < 1:
            raise MeshError(f"its {what} accessor is {count} x {accessor['type']}; export it again")
        if "bufferView" not in accessor or "sparse" in accessor:
            raise MeshError(
                f"its {what} are compressed or sparse, which is not read; export them plainly"
            )
        content, stride = self._view(accessor["bufferView"])
        start, size = accessor.get("byteOffset", 0), width * dtype.itemsize
        stride = stride or size
        self.budget -= count * size
        if (
            start < 0
            or stride < size
            or start + (count - 1) * stride + size > len(content)
            or self.budget < 0
        ):
            raise MeshError(
                f"its {what} accessor claims {count} elements, more than there are; copy or export it again"
            )
        array: npt.NDArray[Any] = np.ndarray(
            (count, width), dtype, buffer=content, offset=start, strides=(stride, dtype.itemsize)
        ).copy()
        if accessor.get("normalized") and dtype.kind in "iu":
            array = np.maximum(array / float(np.iinfo(dtype).max), -1.0)
        self.arrays[index] = array
        return array

    def _primitive(self, primitive: Any) -> MeshPart | None:
        """A primitive in its own frame; None if it is made of points or lines."""
        mode = primitive.get("mode", _TRIANGLES)
        if mode not in (_TRIANGLES, _STRIP, _FAN):
            return None
        attributes = primitive["attributes"]
        if "KHR_draco_mesh_compression" in primitive.get("extensions", {}):
            accessor = self._item("accessors", attributes["POSITION"])
            if "bufferView" not in accessor:
                raise MeshError(
                    "it uses Draco compression, which is not read; export it without compression"
                )
        vertices = self._array(attributes["POSITION"], "POSITION", (3,))
        if "indices" in primitive:
            corners = self._array(primitive["indices"], "index", (1,))[:, 0]
            if corners.dtype.kind not in "iu":
                raise MeshError("its indices are not integers; export it again")
        else:
            corners = np.arange(len(vertices))
        factor, picture, uv_name, uv_matrix = self._material(primitive.get("material"))
        uv = None
        if uv_name in attributes:
            uv = (
                self._array(attributes[uv_name], uv_name, (2,)) @ uv_matrix[:, :2].T
                + uv_matrix[:, 2]
            )
            uv[:, 1] = 1.0 - uv[:, 1]  # glTF has v down
        linear = factor[None]
        if "COLOR_0" in attributes:
            tint = self._array(attributes["COLOR_0"], "COLOR_0", (3, 4))
            if tint.dtype.kind in "iu":  # colors are always fractions, said or not
                tint = tint / float(np.iinfo(tint.dtype).max)
            linear = np.tile(factor, (len(tint), 1))
            linear[:, : tint.shape[1]] *= tint
        for what, values in ((uv_name, uv), ("COLOR_0", linear if len(linear) > 1 else None)):
            if values is not None and len(values) != len(vertices):
                raise MeshError(
                    f"it has {len(values)} {what} for {len(vertices)} vertices; export it again"
                )
        colors = srgb_from_linear(linear)
        return MeshPart(
            vertices,
            _triangles(corners, mode),
            name="",
            object_key=0,
            uv=uv,
            colors=None if (colors == 255).all() else colors,
            picture=picture,
        )

    def _material(
        self, index: Any
    ) -> tuple[npt.NDArray[np.float64], Image.Image | None, str, npt.NDArray[np.float64]]:
        """Linear base color, base color picture, name of its uv, and the (2, 3) matrix for that uv."""
        pbr = (
            {} if index is None else self._item("materials", index).get("pbrMetallicRoughness", {})
        )
        factor = np.array(pbr.get("baseColorFactor", (1.0, 1.0, 1.0, 1.0)), np.float64).reshape(4)
        info = pbr.get("baseColorTexture")
        if info is None:
            return factor, None, "TEXCOORD_0", np.eye(2, 3)
        texture = self._item("textures", info["index"])
        source = (
            texture.get("extensions", {})
            .get("EXT_texture_webp", {})
            .get("source", texture.get("source"))
        )
        picture = None if source is None else self._picture(source)
        move = info.get("extensions", {}).get("KHR_texture_transform", {})
        turn, (du, dv), (su, sv) = (
            move.get("rotation", 0.0),
            move.get("offset", (0, 0)),
            move.get("scale", (1, 1)),
        )
        c, s = np.cos(turn), np.sin(turn)
        matrix = np.array(((c * su, s * sv, du), (-s * su, c * sv, dv)), np.float64)
        return factor, picture, f"TEXCOORD_{move.get('texCoord', info.get('texCoord', 0))}", matrix

    def _picture(self, index: Any) -> Image.Image | None:
        image = self._item("images", index)
        if index not in self.pictures:
            name = str(image.get("name", index))
            try:
                content = (
                    bytes(self._view(image["bufferView"])[0])
                    if "bufferView" in image
                    else self._uri(image["uri"])
                )
            except FileNotFoundError:  # geometry is still worth having
                self.pictures[index] = None
            else:
                self.pictures[index] = open_picture(content, name)
        return self.pictures[index]


def _parent_from_node(node: Any) -> npt.NDArray[np.float64]:
    if "matrix" in node:
        matrix: npt.NDArray[np.float64] = (
            np.array(node["matrix"], np.float64).reshape(4, 4).T
        )  # stored column by column
    else:
        x, y, z, w = np.array(node.get("rotation", (0.0, 0.0, 0.0, 1.0)), np.float64).reshape(4)
        n = 2.0 / max(x * x + y * y + z * z + w * w, 1e-300)
        turn = (
            (1 - n * (y * y + z * z), n * (x * y - z * w), n * (x * z + y * w)),
            (n * (x * y + z * w), 1 - n * (x * x + z * z), n * (y * z - x * w)),
            (n * (x * z - y * w), n * (y * z + x * w), 1 - n * (x * x + y * y)),
        )
        matrix = np.eye(4)
        matrix[:3, :3] = np.array(turn) * np.array(
            node.get("scale", (1.0, 1.0, 1.0)), np.float64
        ).reshape(3)
        matrix[:3, 3] = np.array(node.get("translation", (0.0, 0.0, 0.0)), np.float64).reshape(3)
    if not np.isfinite(matrix).all():
        raise MeshError("a node of its scene has a transform that is not finite; export it again")
    return matrix


def _triangles(corners: npt.NDArray[Any], mode: int) -> npt.NDArray[np.int64]:
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
    faces[1::2] = faces[1::2][
        :, [0, 2, 1]
    ]  # every second triangle of a strip is wound the other way
    proper = (faces != np.roll(faces, 1, axis=1)).all(axis=1)  # repeated corners only join strips
    return np.asarray(faces[proper])
