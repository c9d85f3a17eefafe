"""glTF files: scenes, attributes, materials, and damage of every kind."""

import base64

import numpy as np
import pytest
from mesh_files import (
    TETRA,
    TEXTURE,
    UV_UP,
    check_texture,
    glb,
    gltf,
    gltf_tree,
    png,
    put,
    refused,
    textured_gltf,
)

from ddepth_gl.errors import LeftOutWarning, MeshError
from ddepth_gl.io.meshes.read import load_mesh


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nodes": 5}, "has a value of a wrong type or size"),
        ({"nodes": [5]}, "has a value of a wrong type or size"),
        ({"nodes": [{"mesh": 0, "matrix": [1, 2]}]}, "has a value of a wrong type or size"),
        ({"nodes": [{"mesh": 0, "rotation": "x"}]}, "has a value of a wrong type or size"),
        ({"meshes": [{}]}, "lacks 'primitives'"),
        ({"accessors": [{"count": 3}]}, "lacks 'type'"),
    ],
)
def test_entries_of_a_wrong_type(tmp_path, change, message):
    tree, content = gltf_tree(TETRA)
    path = put(tmp_path, "a.glb", glb(tree | change, content))
    refused(path, f"an entry of its glTF {message}; export it again$")


def test_points_and_lines_beside_triangles_are_left_out(tmp_path):
    tree, content = gltf_tree(TETRA)
    first = tree["meshes"][0]["primitives"][0]
    tree["meshes"][0]["primitives"] = [first | {"mode": m} for m in (0, 1, 3, 4)]
    with pytest.warns(
        LeftOutWarning, match=r": the mesh leaves out primitives of points or lines: 3$"
    ):
        mesh = load_mesh(put(tmp_path, "a.glb", glb(tree, content)))
    assert len(mesh.faces) == 4


def test_an_index_never_reaches_into_the_next_part(tmp_path):
    arrays = {**TETRA, "indices": np.array([0, 1, 5], np.uint16)}
    tree, content = gltf_tree(
        arrays, nodes=[{"children": [1, 2]}, {"mesh": 0, "name": "x"}, {"mesh": 0}]
    )
    refused(
        put(tmp_path, "a.glb", glb(tree, content)),
        r"face 0 of part 'x' is \(0, 1, 5\) .* 4 vertices",
    )


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


def test_gltf_1_is_told_without_its_version(tmp_path):
    """Some files have no asset; glTF 1.0 has objects by name where glTF 2.0 has lists."""
    text = b'{"nodes": {"n": {"meshes": ["m"]}}, "meshes": {"m": {"primitives": []}}, "scenes": {}}'
    refused(put(tmp_path, "a.gltf", text), "it is glTF version 1.0, only version 2 is supported")


def test_faces_of_a_mesh_without_a_name(tmp_path):
    tree, content = gltf_tree({**TETRA, "POSITION": np.full((4, 3), np.nan, np.float32)})
    message = refused(put(tmp_path, "a.glb", glb(tree, content)), "face 0 of part 'thing' uses")
    assert "part ''" not in message


def test_many_instances_stop_at_the_limit(tmp_path):
    tree, content = gltf_tree(
        TETRA, nodes=[{"mesh": 0}] * 2000, scenes=[{"nodes": list(range(2000))}]
    )
    refused(put(tmp_path, "a.glb", glb(tree, content)), "max_faces", max_faces=5000)


def test_deeply_nested_text(tmp_path):
    refused(put(tmp_path, "a.gltf", b"[" * 200_000))


@pytest.mark.parametrize(
    "name",
    [
        "KHR_materials_unlit",
        "KHR_materials_of_the_future",
        "KHR_texture_transform",
        "EXT_texture_avif",
        "MSFT_texture_dds",
        "KHR_lights_punctual",
        "KHR_xmp_json_ld",
        "KHR_meshopt_compression",
    ],
)
def test_extensions_of_appearance_refuse_no_file(tmp_path, name):
    mesh = load_mesh(put(tmp_path, "a.glb", glb(*gltf_tree(TETRA, extensionsRequired=[name]))))
    assert (len(mesh.faces), mesh.source.left_out) == (4, ())


@pytest.mark.parametrize("name", ["NV_materials_mdl", "KHR_techniques_webgl", "EXT_mesh_features"])
def test_what_extensions_add_is_told(tmp_path, name):
    path = put(tmp_path, "a.glb", glb(*gltf_tree(TETRA, extensionsRequired=[name, name])))
    with pytest.warns(LeftOutWarning, match=f"leaves out what its extension {name} adds$"):
        mesh = load_mesh(path)
    assert len(mesh.faces) == 4


@pytest.mark.parametrize("name", ["VENDOR_secret", "EXT_mesh_primitive_restart", 7])
def test_an_unsupported_required_extension_is_refused(tmp_path, name):
    path = put(tmp_path, "part.glb", glb(*gltf_tree(TETRA, extensionsRequired=[name])))
    with pytest.raises(MeshError, match=rf"part\.glb: it needs the extension {name}"):
        load_mesh(path)


def test_buffers_that_nothing_needs_may_lack_data(tmp_path):
    tree, content = gltf_tree(TETRA)
    tree["buffers"].append({"byteLength": 100})
    assert len(load_mesh(put(tmp_path, "a.glb", glb(tree, content))).faces) == 4
    tree["bufferViews"][0]["buffer"] = 1
    refused(put(tmp_path, "a.glb", glb(tree, content)), "its buffer 1 has no data")
