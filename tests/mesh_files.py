"""Contents of small mesh files in every format, and checks of what loading them does."""

import base64
import json
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt
import pytest

from ddepth_gl.errors import MeshError
from ddepth_gl.io.meshes.read import load_mesh
from ddepth_gl.mesh.mesh import Mesh

Tree = dict[str, Any]  # the JSON of a glTF file
Rows = Any  # rows of numbers, nested sequences or an array

# A tetrahedron, a pyramid over a square, and a prism: closed and wound outward
TETRA_VERTICES = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], np.float32)
TETRA_FACES = np.array([(0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)])
PYRAMID_VERTICES = np.array([(0, 0, 0), (2, 0, 0), (2, 2, 0), (0, 2, 0), (1, 1, 1)], np.float32)
PYRAMID_POLYGONS = [(0, 3, 2, 1), (0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)]
PRISM_VERTICES = np.array(
    [(np.cos(a), np.sin(a), z) for z in (0, 1) for a in np.arange(5) * 2 * np.pi / 5], np.float32
)
PRISM_POLYGONS = [(4, 3, 2, 1, 0), (5, 6, 7, 8, 9)] + [
    (i, (i + 1) % 5, (i + 1) % 5 + 5, i + 5) for i in range(5)
]
PRISM_VOLUME = 2.5 * np.sin(2 * np.pi / 5)


# Contents of small files


def obj(vertices: Rows = TETRA_VERTICES, polygons: Rows = TETRA_FACES) -> bytes:
    lines = [f"v {x} {y} {z}" for x, y, z in vertices]
    lines += ["f " + " ".join(str(i + 1) for i in p) for p in polygons]
    return ("\n".join(lines) + "\n").encode()


def off(vertices: Rows = TETRA_VERTICES, polygons: Rows = TETRA_FACES) -> bytes:
    lines = ["OFF", f"{len(vertices)} {len(polygons)} 0", *(f"{x} {y} {z}" for x, y, z in vertices)]
    lines += [" ".join(map(str, (len(p), *p))) for p in polygons]
    return ("\n".join(lines) + "\n").encode()


def stl(vertices: Rows = TETRA_VERTICES, faces: Rows = TETRA_FACES) -> bytes:
    rows = np.zeros(
        len(faces), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("extra", "<u2")]
    )
    rows["corners"] = vertices[np.asarray(faces)]
    return bytes(80) + struct.pack("<I", len(faces)) + rows.tobytes()


def ascii_stl(
    names: Sequence[str] = ("part",), vertices: Rows = TETRA_VERTICES, faces: Rows = TETRA_FACES
) -> bytes:
    text = ""
    for i, name in enumerate(names):
        text += f"solid {name}\n"
        for face in faces:
            text += "facet normal 0 0 0\nouter loop\n"
            text += "".join(f"vertex {x + 5 * i} {y} {z}\n" for x, y, z in vertices[face])
            text += "endloop\nendfacet\n"
        text += f"endsolid {name}\n"
    return text.encode()


def ply(
    layout: str = "ascii",
    vertices: Rows = TETRA_VERTICES,
    polygons: Rows = TETRA_FACES,
    colors: Rows | None = None,
    extra: bool = False,
) -> bytes:
    header = f"ply\nformat {layout} 1.0\nelement vertex {len(vertices)}\n"
    header += "".join(f"property float {c}\n" for c in "xyz")
    if colors is not None:
        header += "".join(f"property uchar {c}\n" for c in ("red", "green", "blue"))
    header += f"element face {len(polygons)}\n" + ("property uchar before\n" if extra else "")
    header += "property list uchar int vertex_indices\n" + (
        "property float after\n" if extra else ""
    )
    header += "end_header\n"
    body = b""
    order = ">" if "big" in layout else "<"
    for i, v in enumerate(vertices):
        c = () if colors is None else tuple(colors[i])
        if layout == "ascii":
            body += (" ".join(map(str, (*v, *c))) + "\n").encode()
        else:
            body += struct.pack(f"{order}3f{len(c)}B", *map(float, v), *c)
    for p in polygons:
        around = ((7,), (1.5,)) if extra else ((), ())
        if layout == "ascii":
            body += (" ".join(map(str, (*around[0], len(p), *p, *around[1]))) + "\n").encode()
        else:
            layout_row = f"{order}{len(around[0])}BB{len(p)}i{len(around[1])}f"
            body += struct.pack(layout_row, *around[0], len(p), *map(int, p), *around[1])
    return header.encode() + body


def gltf_tree(
    arrays: dict[str, npt.NDArray[Any]], primitive: Tree | None = None, **tree: Any
) -> tuple[Tree, bytes]:
    """Return a glTF tree with one mesh, and its buffer.

    Args:
        arrays: arrays by attribute name, or "indices".
    """
    components = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
    types = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
    views: list[Tree] = []
    accessors: list[Tree] = []
    attributes: dict[str, int] = {}
    content = b""
    primitive = dict(primitive or {})
    for name, array in arrays.items():
        data = array.tobytes()
        views.append({"buffer": 0, "byteOffset": len(content), "byteLength": len(data)})
        width = 1 if array.ndim == 1 else array.shape[1]
        component = components[array.dtype.str[1:]]
        accessors.append(
            {
                "bufferView": len(views) - 1,
                "componentType": component,
                "count": len(array),
                "type": types[width],
            }
        )
        if array.dtype.kind in "iu" and name != "indices":
            accessors[-1]["normalized"] = True
        if name == "indices":
            primitive["indices"] = len(accessors) - 1
        else:
            attributes[name] = len(accessors) - 1
        content += data + bytes(-len(data) % 4)
    result: Tree = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "thing"}],
        "meshes": [{"primitives": [{"attributes": attributes, **primitive}]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(content)}],
    }
    return result | tree, content


TETRA: dict[str, npt.NDArray[Any]] = {
    "POSITION": TETRA_VERTICES,
    "indices": TETRA_FACES.astype(np.uint16).ravel(),
}


def glb(tree: Tree | None = None, content: bytes | None = None) -> bytes:
    if tree is None:
        tree, content = gltf_tree(TETRA)
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if content is not None:
        content += bytes(-len(content) % 4)
        chunks += struct.pack("<I4s", len(content), b"BIN\0") + content
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def gltf(tree: Tree | None = None, content: bytes | None = None) -> bytes:
    if tree is None:
        tree, content = gltf_tree(TETRA)
    uri = "data:application/octet-stream;base64," + base64.b64encode(content or b"").decode()
    return json.dumps(
        tree | {"buffers": [{"byteLength": len(content or b""), "uri": uri}]}
    ).encode()


def png(image: Any) -> bytes:
    encoded: bytes = iio.imwrite("<bytes>", image, extension=".png")
    return encoded


def png_bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


SMALL_FILES = {
    "a.obj": obj(),
    "a.off": off(),
    "a.stl": stl(),
    "ascii.stl": ascii_stl(),
    "a.ply": ply(),
    "little.ply": ply("binary_little_endian"),
    "big.ply": ply("binary_big_endian"),
    "a.glb": glb(),
    "a.gltf": gltf(),
}


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def refused(path: Path, message: str = ".", **limits: Any) -> str:
    with pytest.raises(MeshError, match=message) as error:
        load_mesh(path, **limits)
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert text.isprintable()
    assert "; " in text
    assert len(text) - len(str(path)) < 300
    return text


# Textures

TEXTURE = np.array(
    [[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]], np.uint8
)  # top row first


def texel_at(mesh: Mesh, corner: int) -> list[int]:
    """Return the texel at the uv of a face corner, by the convention of Mesh."""
    assert mesh.uv is not None
    assert mesh.texture is not None
    u, v = mesh.uv[mesh.faces.ravel()[corner]]
    height, width = mesh.texture.shape[:2]
    texel: list[int] = mesh.texture[int((1 - v) * height), int(u * width), :3].tolist()
    return texel


# uv with v up, and the texels there: bottom-left, bottom-right, top-left, top-right
UV_UP = np.array([(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)], np.float32)
TEXELS = [[0, 0, 255], [255, 255, 255], [255, 0, 0], [0, 255, 0]]


def check_texture(mesh: Mesh) -> None:
    assert mesh.texture is not None
    assert len(mesh.textures) == 1
    np.testing.assert_array_equal(mesh.texture[..., :3], TEXTURE)
    np.testing.assert_array_equal(mesh.texture_id, np.zeros(4))
    for corner, vertex in enumerate(TETRA_FACES.ravel()):
        assert texel_at(mesh, corner) == TEXELS[vertex]


def textured_obj(mtl: str = "a.mtl") -> bytes:
    text = f"mtllib {mtl}\nusemtl paint\n" + "".join(f"vt {u} {v}\n" for u, v in UV_UP)
    for line in obj().decode().splitlines():
        text += (
            " ".join(f"{w}/{w}" if w != "f" else w for w in line.split())
            if line[0] == "f"
            else line
        ) + "\n"
    return text.encode()


def textured_gltf(
    image: str | bytes,
    factor: Sequence[float] = (1, 1, 1, 1),
    uv: npt.NDArray[np.float32] | None = None,
    **arrays: npt.NDArray[Any],
) -> tuple[Tree, bytes]:
    uv = np.stack((UV_UP[:, 0], 1 - UV_UP[:, 1]), axis=1) if uv is None else uv
    tree, content = gltf_tree(
        {**TETRA, "TEXCOORD_0": uv, **arrays},
        {"material": 0},
        materials=[
            {"pbrMetallicRoughness": {"baseColorFactor": factor, "baseColorTexture": {"index": 0}}}
        ],
        textures=[{"source": 0}],
        images=[{"uri": image}]
        if isinstance(image, str)
        else [{"bufferView": 3, "mimeType": "image/png"}],
    )
    if not isinstance(image, str):
        tree["images"][0]["bufferView"] = len(tree["bufferViews"])
        tree["bufferViews"].append(
            {"buffer": 0, "byteOffset": len(content), "byteLength": len(image)}
        )
        content += image
        tree["buffers"][0]["byteLength"] = len(content)
    return tree, content


def load_or_refuse(path: Path, **options: Any) -> Mesh | None:
    """Return the Mesh; None if loading raises a one-line MeshError that names the file."""
    try:
        mesh = load_mesh(path, **options)
    except MeshError as error:
        message = str(error)
    else:
        assert isinstance(mesh, Mesh)
        return mesh
    assert message.isprintable()
    assert path.name in message
    # What a parser stumbles over is no help.
    assert not re.search(
        r"\b(Assertion|Attribute|Index|Key|Name|Type|UnboundLocal)Error\b", message
    )
    return None
