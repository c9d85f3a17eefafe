import base64
import io
import json
import logging
import os
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meshes import bad_files, good

from ddepth_gl.errors import MeshError
from ddepth_gl.io.meshes.read import load_mesh
from ddepth_gl.mesh.mesh import Mesh

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


def obj(vertices=TETRA_VERTICES, polygons=TETRA_FACES):
    lines = [f"v {x} {y} {z}" for x, y, z in vertices]
    lines += ["f " + " ".join(str(i + 1) for i in p) for p in polygons]
    return ("\n".join(lines) + "\n").encode()


def off(vertices=TETRA_VERTICES, polygons=TETRA_FACES):
    lines = ["OFF", f"{len(vertices)} {len(polygons)} 0", *(f"{x} {y} {z}" for x, y, z in vertices)]
    lines += [" ".join(map(str, (len(p), *p))) for p in polygons]
    return ("\n".join(lines) + "\n").encode()


def stl(vertices=TETRA_VERTICES, faces=TETRA_FACES):
    rows = np.zeros(
        len(faces), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("extra", "<u2")]
    )
    rows["corners"] = vertices[np.asarray(faces)]
    return bytes(80) + struct.pack("<I", len(faces)) + rows.tobytes()


def ascii_stl(names=("part",), vertices=TETRA_VERTICES, faces=TETRA_FACES):
    text = ""
    for i, name in enumerate(names):
        text += f"solid {name}\n"
        for face in faces:
            text += "facet normal 0 0 0\nouter loop\n"
            text += "".join(f"vertex {x + 5 * i} {y} {z}\n" for x, y, z in vertices[face])
            text += "endloop\nendfacet\n"
        text += f"endsolid {name}\n"
    return text.encode()


def ply(layout="ascii", vertices=TETRA_VERTICES, polygons=TETRA_FACES, colors=None, extra=False):
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


def gltf_tree(arrays, primitive=None, **tree):
    """Return a glTF tree with one mesh, and its buffer.

    Args:
        arrays: Arrays by attribute name, or "indices".
    """
    components = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
    types = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
    views, accessors, attributes, content = [], [], {}, b""
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
    result = {
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


TETRA = {"POSITION": TETRA_VERTICES, "indices": TETRA_FACES.astype(np.uint16).ravel()}


def glb(tree=None, content=None):
    if tree is None:
        tree, content = gltf_tree(TETRA)
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if content is not None:
        content += bytes(-len(content) % 4)
        chunks += struct.pack("<I4s", len(content), b"BIN\0") + content
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def gltf(tree=None, content=None):
    if tree is None:
        tree, content = gltf_tree(TETRA)
    uri = "data:application/octet-stream;base64," + base64.b64encode(content).decode()
    return json.dumps(tree | {"buffers": [{"byteLength": len(content), "uri": uri}]}).encode()


def png(image):
    return iio.imwrite("<bytes>", image, extension=".png")


def png_bomb(width=60_000, height=60_000):
    def chunk(kind, data):
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


SMALL = {
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


def put(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


def refused(path, message=".", **limits):
    with pytest.raises(MeshError, match=message) as error:
        load_mesh(path, **limits)
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert text.isprintable()
    assert "; " in text
    assert len(text) - len(str(path)) < 300
    return text


# Formats


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("upper", [False, True])
def test_reads_every_format(tmp_path, name, upper):
    stem, suffix = name.split(".")
    mesh = load_mesh(put(tmp_path, f"{stem}.{suffix.upper()}" if upper else name, SMALL[name]))
    assert isinstance(mesh, Mesh)
    assert mesh.name == stem
    assert len(mesh.faces) == 4
    assert mesh.is_oriented
    assert mesh.volume == pytest.approx(1 / 6)
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], TETRA_VERTICES[TETRA_FACES])
    assert mesh.colors is None
    assert mesh.uv is None
    assert len(mesh.object_names) == 1


def test_accepts_a_string(tmp_path):
    assert len(load_mesh(str(put(tmp_path, "a.obj", obj()))).faces) == 4


@pytest.mark.parametrize(
    ("vertices", "polygons", "count", "volume"),
    [
        (PYRAMID_VERTICES, PYRAMID_POLYGONS, 6, 4 / 3),
        (PRISM_VERTICES, PRISM_POLYGONS, 16, PRISM_VOLUME),
        (PRISM_VERTICES, PRISM_POLYGONS[::-1], 16, PRISM_VOLUME),
    ],
)
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.obj", obj),
        ("a.off", off),
        ("a.ply", lambda v, p: ply("ascii", v, p)),
        ("a.ply", lambda v, p: ply("binary_little_endian", v, p)),
        ("a.ply", lambda v, p: ply("binary_big_endian", v, p, extra=True)),
    ],
)
def test_polygons_become_triangles(tmp_path, name, write, vertices, polygons, count, volume):
    mesh = load_mesh(put(tmp_path, name, write(vertices, polygons)))
    assert len(mesh.faces) == count
    assert mesh.is_oriented
    assert mesh.volume == pytest.approx(volume, rel=1e-6)


@pytest.mark.parametrize(
    "write",
    [obj, off, *(lambda v, p, w=w: ply(w, v, p) for w in ("ascii", "binary_little_endian"))],
)
@pytest.mark.parametrize("corners", [4, 5])
def test_polygons_of_one_size(tmp_path, write, corners):
    vertices = PRISM_VERTICES[:corners] - (0, 0, 1)
    vertices = np.concatenate((vertices, vertices[:1] + np.float32((0, 0, 2))))
    polygons = [tuple(range(corners)), tuple(reversed(range(corners)))]
    name = {obj: "a.obj", off: "a.off"}.get(write, "a.ply")
    mesh = load_mesh(put(tmp_path, name, write(vertices, polygons)))
    assert len(mesh.faces) == 2 * (corners - 2)
    assert mesh.is_closed


def test_binary_ply_whose_sizes_average_out(tmp_path):
    # 4 + 3 + 5 indices take the space of three quads. Read as quads they would be nonsense.
    polygons = [(0, 1, 2, 3), (0, 1, 2), (0, 1, 2, 3, 4)]
    mesh = load_mesh(put(tmp_path, "a.ply", ply("binary_little_endian", PRISM_VERTICES, polygons)))
    wanted = [(0, 1, 2), (0, 2, 3), (0, 1, 2), (0, 1, 2), (0, 2, 3), (0, 3, 4)]
    np.testing.assert_array_equal(mesh.faces, wanted)


def test_relative_indices_count_from_their_own_line(tmp_path):
    block = obj().decode()
    relative = "\n".join(
        "f " + " ".join(f"-{5 - int(i)}" for i in line.split()[1:]) if line[0] == "f" else line
        for line in block.splitlines()
    )
    moved = relative.replace("v 0.0", "v 5.0").replace("v 1.0", "v 6.0")
    mesh = load_mesh(put(tmp_path, "a.obj", f"{relative}\n{moved}\n".encode()))
    assert len(mesh.faces) == 8
    assert mesh.is_oriented
    assert mesh.volume == pytest.approx(2 / 6)


@pytest.mark.parametrize(
    "edit",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "\r"),
        lambda t: t.replace(" ", "\t"),
        lambda t: "  " + t.replace("\n", "\n   "),
        lambda t: "# Größe\n" + t,
        lambda t: t.replace("f 1 3 2", "f 1 3 \\\n2"),
        lambda t: "\ufeff" + t,
        lambda t: t.rstrip("\n"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_obj_dialects(tmp_path, edit, encoding):
    text = edit(obj().decode()).encode(encoding, "ignore")
    mesh = load_mesh(put(tmp_path, "a.obj", text))
    assert len(mesh.faces) == 4
    assert mesh.is_oriented


def test_objects_of_an_obj(tmp_path):
    text = (
        "o left\n"
        + obj().decode()
        + "o right\n"
        + obj(TETRA_VERTICES + 3, TETRA_FACES + 4).decode()
    )
    mesh = load_mesh(put(tmp_path, "a.obj", text.encode()))
    assert sorted(mesh.object_names) == ["left", "right"]
    left = mesh.faces[mesh.object_id == mesh.object_names.index("left")]
    assert mesh.vertices[left].max() == 1


def test_solids_of_an_stl(tmp_path):
    mesh = load_mesh(put(tmp_path, "a.stl", ascii_stl(("one", "two"))))
    assert sorted(mesh.object_names) == ["one", "two"]
    assert mesh.volume == pytest.approx(2 / 6)


# Colors and textures

TEXTURE = np.array(
    [[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]], np.uint8
)  # top row first


def texel_at(mesh, corner):
    """Return the texel at the uv of a face corner, by the convention of Mesh."""
    u, v = mesh.uv[mesh.faces.ravel()[corner]]
    height, width = mesh.texture.shape[:2]
    return mesh.texture[int((1 - v) * height), int(u * width), :3].tolist()


# uv with v up, and the texels there: bottom-left, bottom-right, top-left, top-right
UV_UP = np.array([(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)], np.float32)
TEXELS = [[0, 0, 255], [255, 255, 255], [255, 0, 0], [0, 255, 0]]


def check_texture(mesh):
    assert len(mesh.textures) == 1
    np.testing.assert_array_equal(mesh.texture[..., :3], TEXTURE)
    np.testing.assert_array_equal(mesh.texture_id, np.zeros(4))
    for corner, vertex in enumerate(TETRA_FACES.ravel()):
        assert texel_at(mesh, corner) == TEXELS[vertex]


def textured_obj(mtl="a.mtl"):
    text = f"mtllib {mtl}\nusemtl paint\n" + "".join(f"vt {u} {v}\n" for u, v in UV_UP)
    for line in obj().decode().splitlines():
        text += (
            " ".join(f"{w}/{w}" if w != "f" else w for w in line.split())
            if line[0] == "f"
            else line
        ) + "\n"
    return text.encode()


def test_texture_of_an_obj(tmp_path):
    put(tmp_path, "a.mtl", b"newmtl paint\nKd 0.5 0.5 0.5\nmap_Kd p.png\n")
    put(tmp_path, "p.png", png(TEXTURE))
    mesh = load_mesh(put(tmp_path, "a.obj", textured_obj()))
    check_texture(mesh)
    assert mesh.colors is None


def textured_gltf(image, factor=(1, 1, 1, 1), uv=None, **arrays):
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


def test_texture_inside_a_glb(tmp_path):
    check_texture(load_mesh(put(tmp_path, "a.glb", glb(*textured_gltf(png(TEXTURE))))))


@pytest.mark.parametrize("kind", ["file", "data"])
def test_texture_beside_a_gltf(tmp_path, kind):
    put(tmp_path, "my p.png", png(TEXTURE))
    data = "data:image/png;base64," + base64.b64encode(png(TEXTURE)).decode()
    tree, content = textured_gltf("my%20p.png" if kind == "file" else data)
    check_texture(load_mesh(put(tmp_path, "a.gltf", gltf(tree, content))))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integer_texture_coordinates(tmp_path, dtype):
    uv = np.stack((UV_UP[:, 0], 1 - UV_UP[:, 1]), axis=1) * np.iinfo(dtype).max
    mesh = load_mesh(
        put(tmp_path, "a.glb", glb(*textured_gltf(png(TEXTURE), uv=np.rint(uv).astype(dtype))))
    )
    check_texture(mesh)


def test_a_missing_or_foreign_texture_is_left_out(tmp_path):
    put(tmp_path, "a.mtl", b"newmtl paint\nmap_Kd gone.png\n")
    assert load_mesh(put(tmp_path, "a.obj", textured_obj())).textures == ()
    put(tmp_path, "gone.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    assert load_mesh(tmp_path / "a.obj").textures == ()
    tree, content = textured_gltf("missing.png")
    mesh = load_mesh(put(tmp_path, "a.gltf", gltf(tree, content)))
    assert mesh.textures == ()
    assert mesh.uv is not None


def test_equal_textures_are_stored_once(tmp_path):
    put(tmp_path, "a.mtl", b"newmtl x\nmap_Kd x.png\nnewmtl y\nmap_Kd y.png\nnewmtl z\nKd 1 0 0\n")
    put(tmp_path, "x.png", png(TEXTURE))
    put(tmp_path, "y.png", png(TEXTURE))
    faces = "usemtl x\nf 1/1 3/3 2/2\nusemtl y\nf 1/1 2/2 4/4\nusemtl z\nf 2 3 4\nf 1 4 3\n"
    text = textured_obj().decode().split("f ")[0] + faces
    mesh = load_mesh(put(tmp_path, "a.obj", text.encode()))
    assert len(mesh.textures) == 1
    assert sorted(mesh.texture_id.tolist()) == [-1, -1, 0, 0]
    used = {tuple(mesh.colors[v]) for v in mesh.faces[mesh.texture_id == -1].ravel()}
    assert used == {(255, 0, 0, 255)}
    assert {tuple(mesh.colors[v]) for v in mesh.faces[mesh.texture_id == 0].ravel()} == {(255,) * 4}


def test_colors_of_a_ply(tmp_path):
    colors = np.array([(1, 2, 3), (4, 5, 6), (7, 8, 9), (10, 11, 12)])
    for layout in ("ascii", "binary_little_endian"):
        mesh = load_mesh(put(tmp_path, "a.ply", ply(layout, colors=colors)))
        np.testing.assert_array_equal(mesh.colors[:, :3], colors)


def srgb(linear):
    return round(
        255 * (12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.uint16])
def test_gltf_colors_are_linear(tmp_path, dtype):
    tint = np.array([(0, 0.2, 1), (1, 0.4, 0), (0.6, 0.6, 0.6), (1, 1, 1)])
    stored = (
        tint.astype(dtype)
        if dtype == np.float32
        else np.rint(tint * np.iinfo(dtype).max).astype(dtype)
    )
    stored = np.concatenate((stored, stored[:, -1:]), axis=1)
    tree, content = gltf_tree({**TETRA, "COLOR_0": stored}, {"material": 0})
    tree["materials"] = [{"pbrMetallicRoughness": {"baseColorFactor": [0.5, 0.25, 0.01, 1.0]}}]
    mesh = load_mesh(put(tmp_path, "a.glb", glb(tree, content)))
    wanted = [[srgb(a * b) for a, b in zip(row, (0.5, 0.25, 0.01), strict=True)] for row in tint]
    np.testing.assert_array_equal(mesh.colors[:, :3], wanted)


# The scene of a glTF


def test_instances_and_mirrors(tmp_path):
    nodes = [
        {"name": "root", "children": [1, 2], "translation": [0, 0, 10]},
        {
            "name": "left",
            "mesh": 0,
            "scale": [2, 2, 2],
            "rotation": [0, 0, np.sqrt(0.5), np.sqrt(0.5)],
        },
        {"mesh": 0, "matrix": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 0, 0, 1], "children": [3]},
        {"name": "empty"},
        {"name": "not in the scene", "mesh": 0},
    ]
    tree, content = gltf_tree(TETRA, nodes=nodes)
    tree["meshes"][0]["name"] = "tetra"
    mesh = load_mesh(put(tmp_path, "a.glb", glb(tree, content)))
    assert mesh.object_names == ("left", "tetra")
    np.testing.assert_array_equal(mesh.object_id, [0] * 4 + [1] * 4)
    assert mesh.is_oriented
    assert mesh.volume == pytest.approx(9 / 6)
    np.testing.assert_allclose(mesh.vertices[:4].max(axis=0), (0, 2, 12), atol=1e-12)
    np.testing.assert_allclose(mesh.vertices[:4].min(axis=0), (-2, 0, 10), atol=1e-12)
    np.testing.assert_allclose(mesh.vertices[4:].min(axis=0), (4, 0, 10))


def test_transforms_are_composed_in_double_precision(tmp_path):
    nodes = [
        {"children": [1], "translation": [1e7, 0, 0]},
        {"mesh": 0, "translation": [-1e7 + 0.125, 0, 0]},
    ]
    mesh = load_mesh(put(tmp_path, "a.glb", glb(*gltf_tree(TETRA, nodes=nodes))))
    np.testing.assert_array_equal(mesh.bounds[:, 0], (0.125, 1.125))


@pytest.mark.parametrize(
    ("mode", "indices", "wanted"),
    [
        (5, [0, 1, 2, 3], [(0, 1, 2), (1, 3, 2)]),
        (6, [0, 1, 2, 3], [(1, 2, 0), (2, 3, 0)]),
        (5, [0, 1, 2, 2, 1, 1, 2, 3], [(0, 1, 2), (1, 3, 2)]),
    ],
)
def test_strips_and_fans(tmp_path, mode, indices, wanted):
    tree, content = gltf_tree({**TETRA, "indices": np.array(indices, np.uint8)}, {"mode": mode})
    faces = load_mesh(put(tmp_path, "a.glb", glb(tree, content))).faces

    def turned(rows):  # each triangle rotated to start at its lowest index
        return [tuple(np.roll(row, -int(np.argmin(row)))) for row in rows]

    assert turned(faces) == turned(wanted)


def test_points_and_lines_beside_triangles_are_left_out(tmp_path):
    tree, content = gltf_tree(TETRA)
    first = tree["meshes"][0]["primitives"][0]
    tree["meshes"][0]["primitives"] = [first | {"mode": m} for m in (0, 1, 3, 4)]
    assert len(load_mesh(put(tmp_path, "a.glb", glb(tree, content))).faces) == 4


# Names that are not UTF-8

NOT_UTF8 = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("name", SMALL)
def test_file_names_that_are_not_utf8(tmp_path, name):
    mesh = load_mesh(put(tmp_path, NOT_UTF8 + Path(name).suffix, SMALL[name]))
    assert mesh.is_oriented
    assert mesh.name == NOT_UTF8
    assert len(mesh.object_names) == 1


def test_an_object_with_the_name_of_the_file_keeps_it(tmp_path):
    mesh = load_mesh(put(tmp_path, "a.obj", b"o a.obj\n" + obj()))
    assert mesh.object_names == ("a.obj",)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_side_files_of_an_obj_with_names_beyond_ascii(tmp_path, encoding):
    """Exporters write names in the encoding of their machine, and archives keep them."""
    put(
        tmp_path,
        os.fsdecode("café.mtl".encode(encoding)),
        "newmtl paint\nmap_Kd é.png\n".encode(encoding),
    )
    put(tmp_path, os.fsdecode("é.png".encode(encoding)), png(TEXTURE))
    text = textured_obj("café.mtl").decode().encode(encoding)
    check_texture(load_mesh(put(tmp_path, "a.obj", text)))


@pytest.mark.parametrize("uri", ["%C3%A9.bin", "é.bin"])
def test_side_files_of_a_gltf_with_names_beyond_ascii(tmp_path, uri):
    _, content = gltf_tree(TETRA)
    put(tmp_path, "é.bin", content)
    tree, _ = gltf_tree(TETRA, buffers=[{"uri": uri, "byteLength": len(content)}])
    assert load_mesh(put(tmp_path, "a.gltf", json.dumps(tree).encode())).is_oriented
    (tmp_path / "é.bin").rename(tmp_path / os.fsdecode(b"\xe9.bin"))
    tree, _ = gltf_tree(TETRA, buffers=[{"uri": "%E9.bin", "byteLength": len(content)}])
    assert load_mesh(put(tmp_path, "a.gltf", json.dumps(tree).encode())).is_oriented


@pytest.mark.parametrize("uri", ["\ud800.bin", "%00.bin", "%"])
def test_names_that_no_file_can_have(tmp_path, uri):
    tree, _ = gltf_tree(TETRA, buffers=[{"uri": uri, "byteLength": 100}])
    refused(put(tmp_path, "a.gltf", json.dumps(tree).encode()), "which is not in its folder")


# Side files


def test_nothing_outside_the_folder_is_read(tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "elsewhere").mkdir()
    put(tmp_path, "secret.mtl", b"newmtl paint\nKd 1 0 0\n")
    (folder / "link.mtl").symlink_to(tmp_path / "secret.mtl")
    (folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(folder / "pipe.mtl")
    names = [
        "../secret.mtl",
        "link.mtl",
        "linked/secret.mtl",
        str(tmp_path / "secret.mtl"),
        "pipe.mtl",
    ]
    for name in [
        *names,
        "~/secret.mtl",
        "..\\secret.mtl",
        "file:///etc/passwd",
        "http://127.0.0.1:9/a.mtl",
        ".",
    ]:
        mesh = load_mesh(put(folder, "a.obj", textured_obj(name)))
        assert mesh.colors is None, name
    put(folder, "real.mtl", b"newmtl paint\nKd 1 0 0\n")
    assert load_mesh(put(folder, "a.obj", textured_obj("real.mtl"))).colors is not None
    assert load_mesh(put(folder, "a.obj", textured_obj("C:\\work\\real.mtl"))).colors is not None

    _, content = gltf_tree(TETRA)
    put(tmp_path, "secret.bin", content)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    for uri in (
        "../secret.bin",
        "link.bin",
        str(tmp_path / "secret.bin"),
        "%2e%2e/secret.bin",
        "a\0b",
        "",
    ):
        tree, _ = gltf_tree(TETRA, buffers=[{"uri": uri, "byteLength": len(content)}])
        refused(put(folder, "a.gltf", json.dumps(tree).encode()), "which is not in its folder")
    put(folder, "real.bin", content)
    tree, _ = gltf_tree(TETRA, buffers=[{"uri": "real.bin", "byteLength": len(content)}])
    assert len(load_mesh(put(folder, "a.gltf", json.dumps(tree).encode())).faces) == 4


def test_side_files_have_the_same_limit(tmp_path):
    put(tmp_path, "a.mtl", b"newmtl paint\nmap_Kd p.png\n")
    put(tmp_path, "p.png", bytes(10_000))
    refused(put(tmp_path, "a.obj", textured_obj()), "max_file_bytes", max_file_bytes=5000)
    tree, _ = gltf_tree(TETRA, buffers=[{"uri": "p.png", "byteLength": 100}])
    refused(
        put(tmp_path, "a.gltf", json.dumps(tree).encode()), "max_file_bytes", max_file_bytes=5000
    )


@pytest.mark.parametrize("size", [(60_000, 60_000), (11_000, 13_000)])
def test_textures_of_too_many_pixels(tmp_path, size):
    bomb = png_bomb(*size)
    put(tmp_path, "a.mtl", b"newmtl paint\nmap_Kd p.png\n")
    put(tmp_path, "p.png", bomb)
    refused(put(tmp_path, "a.obj", textured_obj()), "pixels.*shrink it")
    refused(put(tmp_path, "a.glb", glb(*textured_gltf(bomb))), "pixels.*shrink it")


def test_a_damaged_texture(tmp_path):
    image = png(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    refused(put(tmp_path, "a.glb", glb(*textured_gltf(image[:3000]))), "texture is damaged")


# Refusals


def test_paths_that_are_not_mesh_files(tmp_path):
    refused(tmp_path / "gone.obj", "no such file")
    folder = tmp_path / "folder.obj"
    folder.mkdir()
    refused(folder, "is a directory")
    os.mkfifo(tmp_path / "pipe.obj")
    refused(tmp_path / "pipe.obj", "not a regular file")
    refused(put(tmp_path, "a.fbx", b"Kaydara"), r"\.fbx.*\.obj, \.stl, \.ply, \.off, \.glb, \.gltf")
    refused(put(tmp_path, "none", obj()), r"no extension; add that of its format, \.obj, ")
    (tmp_path / "dangling.obj").symlink_to(tmp_path / "gone.obj")
    refused(tmp_path / "dangling.obj", "no such file")
    with pytest.raises(MeshError):
        load_mesh("a\0b.obj")
    with pytest.raises(MeshError, match=r"a b\.obj: there is no such file"):
        load_mesh("a\nb.obj")


@pytest.mark.parametrize("suffix", ["obj", "stl", "ply", "off", "glb", "gltf"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a",
        b"\0",
        b"\n",
        b"v",
        b"just some text\n" * 30,
        b"OFF",
        b"ply\n",
        b"glTF",
        b"solid\n",
        b"{}",
        b"[1]",
    ],
)
def test_tiny_files_and_files_of_another_kind(tmp_path, suffix, data):
    refused(put(tmp_path, f"a.{suffix}", data), "it is empty" if not data else ".")


@pytest.mark.parametrize("name", SMALL)
def test_files_cut_anywhere(tmp_path, name):
    data = SMALL[name]
    for size in sorted({len(data) // 2, *range(0, len(data) - 2, 7)}):
        path = put(tmp_path, name, data[:size])
        if name.endswith(".obj") and b"\nf" in data[:size]:
            load_or_refuse(path)  # OBJ declares no length: the rest may be a valid mesh
        else:
            refused(path)


def load_or_refuse(path):
    """Check that loading returns a Mesh or raises a one-line MeshError that names the file."""
    try:
        mesh = load_mesh(path)
    except MeshError as error:
        message = str(error)
    else:
        assert isinstance(mesh, Mesh)
        return
    assert message.isprintable()
    assert path.name in message


@pytest.mark.parametrize(
    "last", ["f 1 2", "f 1", "f", "v 0.1", "v", "f 1 2 x", "f 1/1/1 2", "v 1 2 3e", "usemtl", "o"]
)
def test_obj_with_a_cut_last_line(tmp_path, last):
    load_or_refuse(put(tmp_path, "a.obj", obj() + last.encode()))


@pytest.mark.parametrize("name", SMALL)
def test_limits(tmp_path, name):
    path = put(tmp_path, name, SMALL[name])
    size = len(SMALL[name])
    refused(
        path, f"{size} bytes, the limit is {size - 1}; .*max_file_bytes", max_file_bytes=size - 1
    )
    refused(path, "3.* the limit.*max_faces|limit is 3.*max_faces", max_faces=3)
    assert len(load_mesh(path, max_file_bytes=size, max_faces=4).faces) == 4


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf", "1e39", "1e400"])
@pytest.mark.parametrize("name", ["a.obj", "a.off", "a.ply", "ascii.stl"])
def test_vertices_that_are_not_finite(tmp_path, name, bad):
    refused(
        put(tmp_path, name, bad.encode().join(SMALL[name].rsplit(b"1.0", 1))),
        "not finite|cannot be read",
    )


@pytest.mark.parametrize("name", ["a.stl", "little.ply", "a.glb"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_binary_vertices_that_are_not_finite(tmp_path, name, bad):
    data = SMALL[name].replace(struct.pack("<f", 1.0), struct.pack("<f", bad), 1)
    assert data != SMALL[name]
    refused(put(tmp_path, name, data), "not finite in float32")


@pytest.mark.parametrize("name", ["a.obj", "a.off", "a.ply", "little.ply", "a.glb", "a.gltf"])
@pytest.mark.parametrize("index", [4, 100, -1])
def test_indices_that_point_nowhere(tmp_path, name, index):
    faces = TETRA_FACES.copy()
    faces[2, 1] = index
    if name.startswith("a.gl"):
        arrays = {**TETRA, "indices": faces.astype(np.int64).astype(np.uint16).ravel()}
        data = (glb if name == "a.glb" else gltf)(*gltf_tree(arrays))
    else:
        write = {"a.obj": obj, "a.off": off, "a.ply": ply}.get(
            name, lambda **k: ply("binary_little_endian", **k)
        )
        data = write(polygons=faces)
    refused(put(tmp_path, name, data))


def test_an_index_never_reaches_into_the_next_part(tmp_path):
    arrays = {**TETRA, "indices": np.array([0, 1, 5], np.uint16)}
    tree, content = gltf_tree(
        arrays, nodes=[{"children": [1, 2]}, {"mesh": 0, "name": "x"}, {"mesh": 0}]
    )
    refused(
        put(tmp_path, "a.glb", glb(tree, content)),
        r"face 0 of part 'x' is \(0, 1, 5\) .* 4 vertices",
    )


@pytest.mark.parametrize("count", [10**9, 10**12, 10**30, -1])
@pytest.mark.parametrize("element", ["vertex", "face"])
@pytest.mark.parametrize("layout", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_ply_counts(tmp_path, layout, element, count):
    data = ply(layout).replace(
        f"element {element} 4".encode(), f"element {element} {count}".encode()
    )
    refused(put(tmp_path, "a.ply", data), "declares|makes no sense")


@pytest.mark.parametrize("size", [0, 1, 2, 200, 2**31, 2**32 - 1])
def test_ply_lists_of_odd_sizes(tmp_path, size):
    data = ply("binary_little_endian").replace(b"list uchar", b"list uint")
    start = data.index(b"end_header\n") + 11 + 48
    load_or_refuse(put(tmp_path, "a.ply", data[:start] + struct.pack("<I3i", size, 0, 1, 2) * 4))


def test_ply_of_points_or_strips(tmp_path):
    points = ply().split(b"element face")[0] + b"end_header\n" + ply().split(b"end_header\n")[1]
    refused(put(tmp_path, "a.ply", points), "no faces")
    strips = ply().replace(b"element face", b"element tristrips")
    refused(put(tmp_path, "a.ply", strips), "triangle strips")


@pytest.mark.parametrize(
    "counts", ["1000000000000 4 0", "4 1000000000 0", "-4 4 0", "4 -4", "4", "x y z", "4 5 0"]
)
def test_off_counts(tmp_path, counts):
    refused(put(tmp_path, "a.off", off().replace(b"4 4 0", counts.encode())))


def test_off_dialects(tmp_path):
    for data in (
        off().replace(b"OFF\n", b"OFF "),
        b"# a comment\n\n" + off().replace(b"\n", b"  # x\n\n"),
    ):
        assert load_mesh(put(tmp_path, "a.off", data)).is_oriented


@pytest.mark.parametrize("count", [0, 3, 5, 10**9, 2**32 - 1])
def test_stl_counts(tmp_path, count):
    data = SMALL["a.stl"]
    refused(
        put(tmp_path, "a.stl", data[:80] + struct.pack("<I", count) + data[84:]), "triangles take"
    )


def test_obj_of_lines_or_vertex_zero(tmp_path):
    refused(put(tmp_path, "a.obj", obj(polygons=[]) + b"l 1 2 3\n"), "no faces")
    refused(put(tmp_path, "a.obj", obj() + b"f 0 1 2\n"), "vertex 0")
    refused(put(tmp_path, "a.obj", obj() + b"f -1 -2 -9\n"), "9 lines back")


def set_in(*keys_and_value):
    *keys, last, value = keys_and_value

    def edit(tree):
        for key in keys:
            tree = tree[key]
        tree[last] = value

    return edit


GLTF_DAMAGE = {
    "huge count": set_in("accessors", 0, "count", 10**9),
    "huger count": set_in("accessors", 1, "count", 10**30),
    "negative count": set_in("accessors", 0, "count", -1),
    "fractional count": set_in("accessors", 0, "count", 1.5),
    "accessor offset": set_in("accessors", 0, "byteOffset", 10**6),
    "negative accessor offset": set_in("accessors", 0, "byteOffset", -8),
    "component": set_in("accessors", 0, "componentType", 1),
    "type": set_in("accessors", 0, "type", "MAT4"),
    "indices as vectors": set_in("accessors", 1, "type", "VEC3"),
    "no view": set_in("accessors", 0, {"componentType": 5126, "count": 10**9, "type": "VEC3"}),
    "sparse": set_in("accessors", 0, "sparse", {"count": 1}),
    "view": set_in("accessors", 0, "bufferView", 9),
    "negative view": set_in("accessors", 0, "bufferView", -1),
    "view length": set_in("bufferViews", 0, "byteLength", 10**9),
    "negative view length": set_in("bufferViews", 0, "byteLength", -4),
    "view offset": set_in("bufferViews", 0, "byteOffset", 10**9),
    "stride": set_in("bufferViews", 0, "byteStride", 10**9),
    "small stride": set_in("bufferViews", 0, "byteStride", 1),
    "buffer": set_in("bufferViews", 0, "buffer", 3),
    "buffer length": set_in("buffers", 0, "byteLength", 10**9),
    "scene": set_in("scene", 7),
    "root": set_in("scenes", 0, "nodes", [5]),
    "own child": set_in("nodes", 0, "children", [0]),
    "twice": set_in("scenes", 0, "nodes", [0, 0]),
    "mesh": set_in("nodes", 0, "mesh", 2),
    "mesh by name": set_in("nodes", 0, "mesh", "cube"),
    "matrix": set_in("nodes", 0, "matrix", [1, 2, 3]),
    "nan matrix": set_in("nodes", 0, "translation", [float("nan"), 0, 0]),
    "rotation": set_in("nodes", 0, "rotation", "x"),
    "flat": set_in("nodes", 0, "scale", [0, 0, 0]),
    "instancing": set_in("nodes", 0, "extensions", {"EXT_mesh_gpu_instancing": {}}),
    "meshopt": set_in("bufferViews", 0, "extensions", {"EXT_meshopt_compression": {}}),
    "no position": set_in("meshes", 0, "primitives", 0, "attributes", {}),
    "material": set_in("meshes", 0, "primitives", 0, "material", 0),
    "nodes": set_in("nodes", "none"),
    "version": set_in("asset", "version", "1.0"),
    "no meshes": set_in("nodes", [{}]),
    "list": set_in("accessors", {"0": 1}),
}


@pytest.mark.parametrize("damage", GLTF_DAMAGE)
def test_damaged_gltf(tmp_path, damage):
    tree, content = gltf_tree(TETRA)
    GLTF_DAMAGE[damage](tree)
    refused(put(tmp_path, "a.glb", glb(tree, content)))


def test_the_draco_error_says_what_to_do(tmp_path):
    tree, content = gltf_tree(
        TETRA, {"extensions": {"KHR_draco_mesh_compression": {"bufferView": 0}}}
    )
    del tree["accessors"][0]["bufferView"]
    refused(put(tmp_path, "a.glb", glb(tree, content)), "Draco compression.*export it without")


def test_many_instances_stop_at_the_limit(tmp_path):
    tree, content = gltf_tree(
        TETRA, nodes=[{"mesh": 0}] * 2000, scenes=[{"nodes": list(range(2000))}]
    )
    refused(put(tmp_path, "a.glb", glb(tree, content)), "max_faces", max_faces=5000)


def test_deeply_nested_text(tmp_path):
    refused(put(tmp_path, "a.gltf", b"[" * 200_000))


def test_a_keyboard_interrupt_is_not_caught(tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("ddepth_gl.io.meshes.read.merge_parts", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_mesh(put(tmp_path, "a.obj", obj()))


def test_no_memory(tmp_path, monkeypatch):
    def full(*args):
        raise MemoryError

    monkeypatch.setattr("ddepth_gl.io.meshes.read.merge_parts", full)
    refused(put(tmp_path, "a.obj", obj()), "not enough memory")


def test_long_messages_are_cut_to_one_line(tmp_path, monkeypatch):
    def fail(*args):
        raise RuntimeError("first line\nsecond line " * 100)

    monkeypatch.setattr("ddepth_gl.io.meshes.read.merge_parts", fail)
    refused(put(tmp_path, "a.obj", obj()), r"RuntimeError: first line second line .*\.\.\.")


def test_nothing_is_printed(tmp_path, capfd):
    assert logging.getLogger("trimesh").handlers
    put(tmp_path, "a.mtl", b"newmtl paint\nmap_Kd gone.png\n")
    load_mesh(put(tmp_path, "a.obj", textured_obj()))
    with_texture = ply().replace(b"element vertex", b"comment TextureFile gone.png\nelement vertex")
    load_mesh(put(tmp_path, "a.ply", with_texture))
    assert capfd.readouterr() == ("", "")


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    name=st.sampled_from(sorted(SMALL)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    keep=st.floats(0.2, 1) | st.just(1.0),
)
def test_random_damage_loads_or_is_refused(tmp_path, name, flips, keep):
    data = bytearray(SMALL[name])
    for where, value in flips:
        data[int(where * len(data))] = value
    load_or_refuse(put(tmp_path, name, bytes(data[: round(len(data) * keep)])))


# Meshes outside the repository


@pytest.mark.parametrize("path", bad_files())
def test_bad_files(path):
    load_or_refuse(path)


@pytest.mark.parametrize(
    ("name", "faces", "closed"),
    [
        ("spot/spot.obj", 5856, True),
        ("rocker-arm.obj", 20088, True),
        ("homer.obj", 12000, True),
        ("not_convex.obj", 96, True),
        ("multibody.stl", 32, True),
        ("stanford-bunny.obj", 69451, False),
        ("ogre.obj", 124008, False),
        ("suzanne.obj", 968, False),
    ],
)
def test_good_files(name, faces, closed):
    mesh = load_mesh(good(name))
    assert len(mesh.faces) == faces
    assert mesh.is_closed is closed


def test_duck():
    mesh = load_mesh(good("Duck.glb"))
    assert mesh.texture.shape == (512, 512, 4)
    assert (mesh.texture_id == 0).all()
    # The duck is yellow at most of its corners.
    u, v = np.mod(mesh.uv[mesh.faces.ravel()], 1).T
    colors = mesh.texture[((1 - v) * 511).astype(int), (u * 511).astype(int)]
    red, green, blue, _ = np.median(colors, axis=0)
    assert red > green > 150 > 50 > blue


def test_milk_truck():
    mesh = load_mesh(good("CesiumMilkTruck.glb"))
    assert mesh.object_names == ("Cesium_Milk_Truck", "Wheels", "Wheels")
    assert mesh.texture.shape == (2048, 2048, 4)
    bounds = [mesh.vertices[mesh.faces[mesh.object_id == i]].reshape(-1, 3) for i in range(3)]
    body, rear, front = ((b.min(axis=0), b.max(axis=0)) for b in bounds)
    wheels = sorted((rear, front), key=lambda b: b[0][0])
    np.testing.assert_allclose(wheels[0][1] - wheels[0][0], wheels[1][1] - wheels[1][0], atol=1e-5)
    assert wheels[0][1][0] < wheels[1][0][0]  # one axle behind the other
    for low, high in wheels:
        assert body[0][0] < low[0] < high[0] < body[1][0]  # both under the body
        assert low[1] == pytest.approx(0.0, abs=0.01)  # and on the ground
        assert high[1] < body[1][1] / 2


def test_spot_has_its_texture():
    mesh = load_mesh(good("spot/spot.obj"))
    assert mesh.texture.shape == (1024, 1024, 4)
    assert mesh.uv.shape == (len(mesh.vertices), 2)
    expected = iio.imread(io.BytesIO(good("spot/spot_texture.png").read_bytes()))
    np.testing.assert_array_equal(mesh.texture[..., :3], expected[..., :3])


def test_an_unsupported_required_extension_is_refused(tmp_path):
    path = tmp_path / "part.glb"
    path.write_bytes(glb(*gltf_tree(TETRA, extensionsRequired=["KHR_materials_unlit"])))
    assert len(load_mesh(path).faces) == 4
    path.write_bytes(glb(*gltf_tree(TETRA, extensionsRequired=["VENDOR_secret"])))
    with pytest.raises(MeshError, match=r"part\.glb: it needs the extension VENDOR_secret"):
        load_mesh(path)


def test_an_interrupt_while_trimesh_is_imported_is_not_lost():
    """trimesh wraps its own imports in `except BaseException`; an interrupt takes effect after them."""
    code = """
import os, signal
from ddepth_gl.io.meshes.trimesh_parts import interrupts_delayed
try:
    with interrupts_delayed():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except BaseException:
            print("swallowed")
        print("imported")
    print("not reached")
except KeyboardInterrupt:
    print("interrupted")
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert done.stdout.split() == ["imported", "interrupted"], done.stderr
