"""Sparse accessors, instances and hidden nodes of glTF files, against arrays built by hand."""

from __future__ import annotations

import numpy as np
import pytest
from gltf_builder import Gltf, moved, points, turn
from mesh_files import refused
from shapes import box

import ddepth_gl as dd

CUBE = box((0, 0, 0), (1, 1, 1))
NAME = "EXT_mesh_gpu_instancing"


# Sparse accessors


@pytest.mark.parametrize("rows_dtype", ["u1", "u2", "u4"])
@pytest.mark.parametrize("has_view", [False, True])
def test_sparse_positions(tmp_path, rows_dtype, has_view):
    rows = np.flatnonzero(CUBE.vertices.any(axis=1))
    base = np.where(CUBE.vertices.any(axis=1, keepdims=True), 7.0, 0.0) * np.ones(3)
    g = Gltf()
    position = g.sparse(8, rows, CUBE.vertices[rows], rows_dtype, base if has_view else None)
    g.mesh(position, CUBE.faces)
    g.node(mesh=0)
    mesh = g.load(tmp_path)
    np.testing.assert_array_equal(mesh.vertices, CUBE.vertices)
    assert mesh.is_oriented


def test_sparse_indices_and_colors(tmp_path):
    g = Gltf()
    g.mesh(CUBE.vertices, CUBE.faces)
    primitive = g.tree["meshes"][0]["primitives"][0]
    indices = g.tree["accessors"][primitive["indices"]]
    indices["sparse"] = {
        "count": 3,
        "indices": {"bufferView": g.view(np.array([0, 1, 2], "<u1")), "componentType": 5121},
        "values": {"bufferView": g.view(np.array([5, 6, 7], "<u2"))},
    }
    primitive["attributes"]["COLOR_0"] = g.sparse(8, [2], [(1.0, 0, 1)])
    g.node(mesh=0)
    mesh = g.load(tmp_path)
    np.testing.assert_array_equal(mesh.faces, [(5, 6, 7), *CUBE.faces[1:]])
    wanted = np.tile((0, 0, 0, 255), (8, 1))
    wanted[2] = (255, 0, 255, 255)
    np.testing.assert_array_equal(mesh.colors, wanted)


def test_sparse_values_behind_offsets_and_normalized(tmp_path):
    g = Gltf()
    colors = g.array(np.zeros((8, 4)), "u1", normalized=True)
    g.tree["accessors"][colors]["sparse"] = {
        "count": 2,
        "indices": {
            "bufferView": g.view(np.array([99, 99, 0, 5], "<u2")),
            "byteOffset": 4,
            "componentType": 5123,
        },
        "values": {
            "bufferView": g.view(np.array([9] * 4 + [255, 0, 0, 255] + [0, 0, 255, 0], "<u1")),
            "byteOffset": 4,
        },
    }
    g.mesh(CUBE.vertices, CUBE.faces, COLOR_0=colors)
    g.node(mesh=0)
    wanted = np.zeros((8, 4))
    wanted[0], wanted[5] = (255, 0, 0, 255), (0, 0, 255, 255)
    wanted[:, 3] = 255  # opaque without a material that says otherwise
    np.testing.assert_array_equal(g.load(tmp_path).colors, wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "replaces 0 of 8 elements"),
        ({"count": 9}, "replaces 9 of 8 elements"),
        ({"count": 1.5}, "replaces 1.5 of 8 elements"),
        ({"count": 4}, "claims 4 elements, more than there are"),
        ({"indices": {"bufferView": 1, "componentType": 5120}}, "no unsigned integers"),
        ({"indices": {"bufferView": 1, "componentType": 5126}}, "no unsigned integers"),
        ({"indices": {"bufferView": 1, "componentType": 5125}}, "claims 3 elements"),
        ({"indices": {"bufferView": 9, "componentType": 5123}}, r"bufferViews\[9\]"),
        ({"indices": {"componentType": 5123}}, "lacks 'bufferView'"),
        ({"values": {"bufferView": 1}}, "claims 3 elements"),
        ({"values": {"bufferView": 2, "byteOffset": -4}}, "claims 3 elements"),
        ({"values": {"bufferView": 2, "byteOffset": 4}}, "claims 3 elements"),
        ({"values": {}}, "lacks 'bufferView'"),
    ],
)
def test_damaged_sparse_accessors(tmp_path, change, message):
    g = Gltf()
    position = g.sparse(8, [1, 4, 7], CUBE.vertices[[1, 4, 7]], base=CUBE.vertices)
    sparse = g.tree["accessors"][0]["sparse"]
    assert [sparse[name]["bufferView"] for name in ("indices", "values")] == [1, 2]
    g.mesh(position, CUBE.faces)
    g.node(mesh=0)
    assert g.load(tmp_path).volume == pytest.approx(1)
    sparse |= change
    refused(g.write(tmp_path), message)


def test_a_sparse_index_outside(tmp_path):
    g = Gltf()
    g.mesh(g.sparse(8, [1, 8], [(1.0, 1, 1)] * 2), CUBE.faces)
    g.node(mesh=0)
    refused(g.write(tmp_path), "POSITION accessor replaces element 8 of 8; export it again$")


def test_zeros_without_a_view_are_limited(tmp_path):
    """Nothing in the file is as large as what they would take."""
    g = Gltf()
    g.mesh(g.sparse(10**9, [1], [(1.0, 1, 1)]), CUBE.faces)
    g.node(mesh=0)
    refused(g.write(tmp_path), "claims 1000000000 elements, more than there are")


def test_an_accessor_is_checked_for_each_of_its_uses(tmp_path):
    g = Gltf()
    g.mesh(CUBE.vertices, CUBE.faces)
    primitive = g.tree["meshes"][0]["primitives"][0]
    primitive["attributes"]["COLOR_0"] = primitive["indices"]
    g.node(mesh=0)
    refused(g.write(tmp_path), "COLOR_0 accessor is 36 x SCALAR")


# Instances


def instanced(attributes, node=None):
    g = Gltf()
    g.mesh(CUBE.vertices, CUBE.faces)
    extension = {NAME: {"attributes": {name: g.array(*a) for name, a in attributes.items()}}}
    g.node(mesh=0, name="tree", extensions=extension, **(node or {}))
    return g


def test_instances_are_transformed_below_their_node(tmp_path):
    places = np.array([(1.0, 0, 0), (0, 4, 0), (0, 0, -2)])
    turns = np.stack([turn(0, 10), turn(1, 20), turn(2, 30)])
    scales = np.array([(1.0, 2, 3), (-1, 1, 1), (2, 2, 2)])
    g = instanced(
        {"TRANSLATION": (places,), "ROTATION": (turns,), "SCALE": (scales,), "_ID": ([1, 2, 3],)},
        node={"translation": [10.0, 0, 0], "rotation": list(turn(2, 90))},
    )
    g.tree["extensionsRequired"] = [NAME]
    g.node(mesh=0, name="single")
    mesh = g.load(tmp_path)
    assert mesh.object_names == ("tree #0", "tree #1", "tree #2", "single")
    np.testing.assert_array_equal(mesh.object_id, np.repeat([0, 1, 2, 3], 12))
    world = moved((10, 0, 0), 2, 90)
    for k in range(3):
        whole = world @ moved(places[k], k, 10 * (k + 1), scales[k])
        found = mesh.vertices[8 * k : 8 * k + 8]
        np.testing.assert_allclose(found, points(whole, CUBE.vertices), atol=2e-6)
    assert mesh.is_oriented  # the one that mirrors as well
    assert mesh.volume == pytest.approx(6 + 1 + 8 + 1, rel=1e-6)


@pytest.mark.parametrize("dtype", ["i1", "i2"])
def test_only_rotations_and_they_are_integers(tmp_path, dtype):
    rows = np.rint(np.stack((turn(2, 0), turn(2, 90))) * np.iinfo(dtype).max)
    g = instanced({"ROTATION": (rows, dtype)})
    rotation = g.tree["nodes"][0]["extensions"][NAME]["attributes"]["ROTATION"]
    g.tree["accessors"][rotation]["normalized"] = True
    found = g.load(tmp_path).vertices
    wanted = [CUBE.vertices, points(moved((0, 0, 0), 2, 90), CUBE.vertices)]
    np.testing.assert_allclose(found, np.concatenate(wanted), atol=1e-6)


def test_very_many_instances_are_one_object(tmp_path):
    """As one part, with the same faces and vertices as one by one, colors and winding included."""
    count = 20_001
    rng = np.random.default_rng(0)
    places = rng.uniform(-9, 9, (count, 3)).astype(np.float32)
    scales = rng.choice([-1.0, 1.0, 2.0], (count, 3))
    colors = rng.uniform(0, 1, (8, 3)).astype(np.float32)
    triangle = dd.Mesh(CUBE.vertices[:3], [(0, 1, 2)])
    g = Gltf()
    g.mesh(triangle.vertices, triangle.faces, COLOR_0=g.array(colors[:3]))
    attributes = {"TRANSLATION": g.array(places), "SCALE": g.array(scales)}
    g.node(mesh=0, extensions={NAME: {"attributes": attributes}}, name="grass")
    many = g.load(tmp_path)
    assert many.object_names == ("grass",)
    assert len(many.faces) == count
    for name in attributes:
        g.tree["accessors"][attributes[name]]["count"] = 500
    few = g.load(tmp_path)
    assert len(few.object_names) == 500
    np.testing.assert_array_equal(many.vertices[: 3 * 500], few.vertices)
    np.testing.assert_array_equal(many.faces[:500], few.faces)
    assert many.colors is not None
    np.testing.assert_array_equal(many.colors[: 3 * 500], few.colors)
    corners = many.vertices[many.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((normals[:, 0] * np.sign(normals[0, 0]) > 0) == (scales[:, 0] * scales[0, 0] > 0)).all()


def test_instances_of_morphing_meshes(tmp_path):
    g = Gltf()
    g.mesh(CUBE.vertices, CUBE.faces, targets=[{"POSITION": g.array(CUBE.vertices)}], weights=[1.0])
    attributes = {"TRANSLATION": g.array(np.array([(5.0, 0, 0), (0, 5, 0)]))}
    g.node(mesh=0, extensions={NAME: {"attributes": attributes}})
    mesh = g.load(tmp_path)
    np.testing.assert_array_equal(
        mesh.vertices.reshape(2, 8, 3), 2 * CUBE.vertices + np.array([[(5, 0, 0)], [(0, 5, 0)]])
    )


def test_instances_stop_at_the_limit_before_they_are_built(tmp_path):
    g = instanced({"TRANSLATION": (np.zeros((1000, 3)),)})
    refused(g.write(tmp_path), "more than 11,999 faces", max_faces=11_999)
    assert len(g.load(tmp_path, max_faces=12_000).faces) == 12_000
    g = Gltf()
    g.mesh(CUBE.vertices, CUBE.faces)
    attributes = {"TRANSLATION": g.sparse(10**6, [1], [(1.0, 1, 1)])}
    g.node(mesh=0, extensions={NAME: {"attributes": attributes}})
    refused(g.write(tmp_path), "more than 10,000,000 faces", max_faces=10**7)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "has no transforms"),
        ({"_ID": ([1.0],)}, "has no transforms"),
        (
            {"TRANSLATION": (np.zeros((3, 3)),), "SCALE": (np.ones((2, 3)),)},
            "has 2 and 3 transforms for the instances of a node",
        ),
        ({"TRANSLATION": (np.zeros((3, 4)),)}, "TRANSLATION accessor is 3 x VEC4"),
        ({"ROTATION": (np.zeros((3, 3)),)}, "ROTATION accessor is 3 x VEC3"),
        ({"SCALE": (np.full((3, 3), np.inf),)}, "numbers that are not finite"),
    ],
)
def test_damaged_instances(tmp_path, attributes, message):
    refused(instanced(attributes).write(tmp_path), message)


def test_instances_of_a_skinned_node(tmp_path):
    g = instanced({"TRANSLATION": (np.zeros((3, 3)),)}, node={"skin": 0})
    refused(g.write(tmp_path), f"a skin and {NAME}, which glTF does not define")


# Nodes that are hidden


def test_hidden_nodes_and_what_is_below_them(tmp_path):
    hidden = {"KHR_node_visibility": {"visible": False}}
    g = Gltf()
    g.mesh(CUBE.vertices, CUBE.faces)
    g.node(mesh=0, name="a", extensions={"KHR_node_visibility": {"visible": True}})
    g.node(mesh=0, name="b", extensions=hidden, children=[2])
    g.node(is_root=False, mesh=0, name="c")
    g.tree["extensionsRequired"] = ["KHR_node_visibility"]
    assert g.load(tmp_path).object_names == ("a",)
