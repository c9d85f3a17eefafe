"""glTF files of the tests with meshopt and Draco compression."""

from __future__ import annotations

from typing import Any

import DracoPy
import numpy as np
import numpy.typing as npt
from mesh_files import Tree, gltf_tree
from meshopt_encoder import encode_attributes, encode_triangles
from shapes import box

from ddepth_gl.io.meshes.gltf.draco import DRACO_EXTENSION
from ddepth_gl.mesh.mesh import Mesh

__all__ = ["add_stream", "draco_stream", "draco_tree", "meshopt_tree", "with_buffer"]

Arrays = dict[str, npt.NDArray[Any]]


def meshopt_tree(
    extension: str = "EXT_meshopt_compression",
    mesh: Mesh | None = None,
    fallback: bool = True,
    **entry: Any,
) -> tuple[Tree, bytes]:
    """Return a glTF tree and its buffer: compressed positions and indices, no plain data."""
    mesh = box((0, 0, 0), (1, 2, 3)) if mesh is None else mesh
    rng = np.random.default_rng(0)
    vertices = mesh.vertices.astype("<f4")
    streams = [
        encode_attributes(vertices.view(np.uint8).reshape(-1, 12), rng, int(extension[0] == "K")),
        encode_triangles([(a, b, c) for a, b, c in mesh.faces.tolist()]),
    ]
    layouts: list[Tree] = [
        {"mode": "ATTRIBUTES", "count": len(vertices), "byteStride": 12},
        {"mode": "TRIANGLES", "count": 3 * len(mesh.faces), "byteStride": 4},
    ]
    views: list[Tree] = []
    content, size = b"", 0
    for stream, layout in zip(streams, layouts, strict=True):
        layout = {"buffer": 0, "byteOffset": len(content), "byteLength": len(stream), **layout}
        length = layout["count"] * layout["byteStride"]
        view = {"buffer": 1, "byteOffset": size, "byteLength": length}
        views.append({**view, "extensions": {extension: {**layout, **entry}}})
        content, size = content + stream + bytes(-len(stream) % 4), size + length
    mark: Tree = {"extensions": {extension: {"fallback": True}}} if fallback else {}
    tree: Tree = {
        "asset": {"version": "2.0"},
        "extensionsUsed": [extension],
        "extensionsRequired": [extension],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(vertices), "type": "VEC3"},
            {
                "bufferView": 1,
                "componentType": 5125,
                "count": 3 * len(mesh.faces),
                "type": "SCALAR",
            },
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": len(content)}, {"byteLength": size, **mark}],
    }
    return tree, content


def draco_stream(arrays: Arrays, bits: int = 20) -> tuple[bytes, dict[str, int]]:
    """Return a Draco stream of arrays by attribute name, and the unique ids of its attributes."""
    others = [name for name in arrays if name not in ("POSITION", "indices")]
    stream = DracoPy.encode(
        arrays["POSITION"],
        arrays["indices"].reshape(-1, 3).astype(np.uint32),
        quantization_bits=bits,
        preserve_order=True,
        generic_attributes={10 + i: arrays[name] for i, name in enumerate(others)} or None,
    )
    ids = {name: 10 + i for i, name in enumerate(others)}
    types = {a["attribute_type"]: a["unique_id"] for a in DracoPy.decode(stream).attributes}
    return stream, {"POSITION": types[0], **ids}


def draco_tree(arrays: Arrays, *, plain: bool = False, **tree: Any) -> tuple[Tree, bytes]:
    """Return a glTF tree and its buffer, with its one primitive in a Draco stream."""
    stream, ids = draco_stream(arrays)
    result, content = gltf_tree(arrays, **tree)
    add_stream(result, 0, stream, ids, plain)
    return with_buffer(result, [content if plain else b"", stream])


def add_stream(tree: Tree, mesh: int, stream: bytes, ids: dict[str, int], plain: bool) -> None:
    """Put a Draco stream behind the one primitive of a mesh; `with_buffer` follows."""
    view = {"buffer": 0, "byteOffset": len(stream), "byteLength": len(stream), "is stream": True}
    tree["bufferViews"].append(view)
    entry = {"bufferView": len(tree["bufferViews"]) - 1, "attributes": ids}
    (primitive,) = tree["meshes"][mesh]["primitives"]
    primitive["extensions"] = {DRACO_EXTENSION: entry}
    if not plain:
        tree["extensionsRequired"] = [DRACO_EXTENSION]
        for index in (*primitive["attributes"].values(), primitive["indices"]):
            del tree["accessors"][index]["bufferView"]


def with_buffer(tree: Tree, parts: list[bytes]) -> tuple[Tree, bytes]:
    """Return a tree and its buffer: plain data, then the streams that `add_stream` added."""
    content = b""
    views = [view for view in tree["bufferViews"] if view.pop("is stream", False)]
    for view, part in zip([None, *views], parts, strict=True):
        if view is not None:
            view["byteOffset"] = len(content)
        content += part + bytes(-len(part) % 4)
    tree["buffers"] = [{"byteLength": len(content)}]
    return tree, content
