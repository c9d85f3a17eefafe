"""Skins of glTF files, against the sum over the joints worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from gltf_builder import Gltf, moved, points, turn
from mesh_files import refused
from shapes import box

import ddepth_gl as dd

CUBE = box((0, 0, 0), (1, 1, 1))
ATOL = 1e-6  # positions and matrices are stored as float32, of numbers up to 10


def skinned(g: Gltf, joints, weights, skin, *, mesh=CUBE, joints_dtype="u1", node=None, **more):
    """Add a node with a skinned mesh; `joints` and `weights` are (V, 4) for each set."""
    attributes = {}
    for k, (joint, weight) in enumerate(zip(joints, weights, strict=True)):
        attributes[f"JOINTS_{k}"] = g.array(joint, joints_dtype)
        attributes[f"WEIGHTS_{k}"] = weight if isinstance(weight, int) else g.array(weight)
    index = g.mesh(mesh.vertices, mesh.faces, **attributes, **more)
    g.node(mesh=index, skin=skin, **(node or {}))


def rigid(joint: int, count: int = 8):
    """Return joints and weights of vertices that all follow one joint."""
    rows = np.zeros((count, 4))
    rows[:, 0] = joint
    return rows, np.tile((1.0, 0, 0, 0), (count, 1))


def test_joints_move_and_the_node_does_not(tmp_path):
    g = Gltf()
    arm = g.node(children=[1], scale=[0.01] * 3, rotation=list(turn(0, -90)))
    joint = g.node(is_root=False, translation=[100.0, 0, 50], scale=[100.0] * 3)
    bind = moved((1, 2, 3))
    skin = g.add("skins", joints=[joint], inverseBindMatrices=g.array(bind[None]))
    joints, weights = rigid(0)
    skinned(g, [joints], [weights], skin, node={"scale": [9.0, 9, 9], "translation": [7.0, 7, 7]})
    g.tree["nodes"].append({"children": [2], "translation": [50.0, 0, 0]})
    g.tree["scenes"][0]["nodes"] = [arm, 3]
    mesh = g.load(tmp_path)
    world = moved((0, 0, 0), 0, -90, [0.01] * 3) @ moved((100, 0, 50), scale=[100] * 3) @ bind
    np.testing.assert_allclose(mesh.vertices, points(world, CUBE.vertices), atol=ATOL)
    np.testing.assert_array_equal(mesh.faces, CUBE.faces)
    assert mesh.report().left_out == ()


@pytest.mark.parametrize("joints_dtype", ["u1", "u2"])
def test_ten_influences_of_any_number_of_sets(tmp_path, joints_dtype):
    rng = np.random.default_rng(0)
    g = Gltf()
    places = rng.uniform(-3, 3, (10, 3)).astype(np.float32)
    angles = rng.uniform(0, 360, 10)
    skin = g.add("skins", joints=list(range(10)))
    for place, angle in zip(places, angles, strict=True):
        g.node(translation=place.tolist(), rotation=list(turn(1, angle)))
    joints = rng.integers(0, 10, (3, 8, 4))
    weights = rng.uniform(0.1, 1, (3, 8, 4))
    weights /= weights.sum((0, 2))[:, None]
    skinned(g, joints, weights, skin, joints_dtype=joints_dtype)
    mesh = g.load(tmp_path)
    matrices = [moved(p, 1, a) for p, a in zip(places, angles, strict=True)]
    wanted = np.zeros((8, 3))
    for v in range(8):
        for joint, weight in zip(joints[:, v].ravel(), weights[:, v].ravel(), strict=True):
            wanted[v] += weight * points(matrices[joint], CUBE.vertices[v])
    np.testing.assert_allclose(mesh.vertices, wanted, atol=ATOL)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("is_normalized", [True, False])
def test_integer_weights_are_fractions(tmp_path, dtype, is_normalized):
    g = Gltf()
    g.node()
    g.node(translation=[0, 0, 10.0])
    skin = g.add("skins", joints=[0, 1])
    top = np.iinfo(dtype).max
    weights = np.tile((top // 5, top - top // 5, 0, 0), (8, 1))
    more = {"normalized": True} if is_normalized else {}
    joints = np.tile((0, 1, 0, 0), (8, 1))
    skinned(g, [joints], [g.array(weights, dtype, **more)], skin)
    np.testing.assert_allclose(
        g.load(tmp_path).vertices, points(moved((0, 0, 8)), CUBE.vertices), atol=1e-12
    )


def test_weights_are_divided_by_their_sum(tmp_path):
    """A sum of 0.5, one with a negative weight, and vertices without weights: the first joint."""
    g = Gltf()
    g.node(translation=[4.0, 0, 0])
    g.node(translation=[0, 8.0, 0])
    skin = g.add("skins", joints=[0, 1])
    joints = np.tile((1, 0, 1, 77), (8, 1))  # of weight 0: exporters leave anything there
    weights = np.array([(0.125, 0.375, 0, 0), (1, 3, -1, 0)] + [(0, 0, 0, 0)] * 6)
    skinned(g, [joints], [weights], skin)
    offsets = np.array([(3.0, 2, 0)] * 2 + [(0, 8, 0)] * 6)
    np.testing.assert_allclose(g.load(tmp_path).vertices, CUBE.vertices + offsets, atol=1e-12)


def test_joints_outside_of_the_scene_move_with_their_parents(tmp_path):
    g = Gltf()
    skin = g.add("skins", joints=[2])
    g.node(is_root=False, translation=[5.0, 0, 0], children=[1])
    g.node(is_root=False, scale=[2.0, 2, 2], children=[2])
    g.node(is_root=False, translation=[0, 3.0, 0])
    joints, weights = rigid(0)
    skinned(g, [joints], [weights], skin)
    wanted = (points(moved((0, 3, 0)), CUBE.vertices)) * 2 + (5, 0, 0)
    np.testing.assert_array_equal(g.load(tmp_path).vertices, wanted)


def test_primitives_without_joints_and_nodes_without_skins_are_plain(tmp_path):
    """One mesh, shown by a skinned node, a plain node and a node of another skin."""
    g = Gltf()
    skins = [g.add("skins", joints=[k]) for k in range(2)]
    g.node(translation=[0, 10.0, 0])
    g.node(translation=[0, 20.0, 0])
    joints, weights = rigid(0)
    skinned(g, [joints], [weights], skins[0], node={"translation": [1.0, 0, 0], "name": "a"})
    primitive = g.tree["meshes"][0]["primitives"][0]
    plain = {"POSITION": primitive["attributes"]["POSITION"]}
    g.tree["meshes"][0]["primitives"].append({**primitive, "attributes": plain})
    g.node(mesh=0, translation=[2.0, 0, 0], name="b")
    g.node(mesh=0, skin=skins[1], translation=[3.0, 0, 0], name="c")
    mesh = g.load(tmp_path)
    assert mesh.object_names == ("a", "b", "c")
    np.testing.assert_array_equal(mesh.object_id, np.repeat([0, 1, 2], 24))
    offsets = [(0, 10, 0), (1, 0, 0), (2, 0, 0), (2, 0, 0), (0, 20, 0), (3, 0, 0)]
    np.testing.assert_array_equal(
        mesh.vertices.reshape(6, 8, 3), CUBE.vertices + np.array(offsets)[:, None]
    )


def test_unused_vertices_do_not_shift_the_others(tmp_path):
    """Most vertices are unused, so they are dropped, and their joints with them."""
    g = Gltf()
    skin = g.add("skins", joints=list(range(50)))
    for k in range(50):
        g.node(translation=[0, 0, float(k)])
    vertices = np.random.default_rng(1).uniform(0, 1, (50, 3)).astype(np.float32)
    mesh = dd.Mesh(vertices, [(7, 30, 49)])
    joints = np.zeros((50, 4))
    joints[:, 0] = np.arange(50)
    skinned(g, [joints], [rigid(0, 50)[1]], skin, mesh=mesh)
    loaded = g.load(tmp_path)
    wanted = vertices[[7, 30, 49]] + np.array([(0, 0, 7), (0, 0, 30), (0, 0, 49)])
    np.testing.assert_allclose(loaded.vertices[loaded.faces[0]], wanted, rtol=1e-15)


def test_many_vertices_are_blended_in_several_runs(tmp_path):
    count = 200_000
    rng = np.random.default_rng(2)
    vertices = rng.uniform(0, 1, (count, 3)).astype(np.float32)
    faces = np.arange(count // 3 * 3).reshape(-1, 3)
    g = Gltf()
    skin = g.add("skins", joints=[0, 1])
    g.node(translation=[1.0, 0, 0])
    g.node(scale=[-2.0, 1, 1])
    joints = np.tile((0, 1, 0, 0), (count, 1))
    share = rng.integers(0, 2, count)  # of the joint that mirrors
    weights = np.stack((1 - share, share, 0 * share, 0 * share), axis=1)
    attributes = {"JOINTS_0": g.array(joints, "u1"), "WEIGHTS_0": g.array(weights)}
    index = g.mesh(vertices, [(0, 1, 2)], **attributes)
    g.tree["meshes"][index]["primitives"][0]["indices"] = g.array(faces.ravel(), "u4")
    g.node(mesh=index, skin=skin)
    mesh = g.load(tmp_path)
    wanted = np.where(
        share[:, None] == 1, vertices * (-2.0, 1, 1), points(moved((1, 0, 0)), vertices)
    )
    turned = share[faces].sum(axis=1) >= 2
    np.testing.assert_allclose(
        mesh.vertices[mesh.faces[turned]], wanted[faces[turned][:, [0, 2, 1]]], rtol=1e-12
    )
    np.testing.assert_allclose(mesh.vertices[mesh.faces[~turned]], wanted[faces[~turned]])


# Winding


@pytest.mark.parametrize("is_bound_mirrored", [False, True])
def test_a_joint_that_mirrors_keeps_the_outside_outside(tmp_path, is_bound_mirrored):
    """Two cubes in one mesh; one joint mirrors its cube, unless its bind matrix does so as well.

    Scaled by -2 along z, a unit cube has the volume 2.
    """
    two = dd.Mesh(
        np.concatenate((CUBE.vertices, points(moved((3, 0, 0)), CUBE.vertices))),
        np.concatenate((CUBE.faces, CUBE.faces + 8)),
    )
    g = Gltf()
    mirror = np.diag((1.0, 1, -2, 1))
    inverse = np.linalg.inv(mirror) if is_bound_mirrored else np.eye(4)
    inverses = g.array(np.stack((np.eye(4), inverse)))
    skin = g.add("skins", joints=[0, 1], inverseBindMatrices=inverses)
    g.node()
    g.node(scale=[1.0, 1, -2])
    joints = np.concatenate((rigid(0)[0], rigid(1)[0]))
    skinned(g, [joints], [rigid(0, 16)[1]], skin, mesh=two)
    mesh = g.load(tmp_path)
    assert mesh.is_oriented
    assert mesh.volume == pytest.approx(2 if is_bound_mirrored else 3, abs=1e-6)


def test_a_node_that_mirrors_does_not_turn_a_skinned_mesh(tmp_path):
    g = Gltf()
    skin = g.add("skins", joints=[0])
    g.node()
    skinned(g, [rigid(0)[0]], [rigid(0)[1]], skin, node={"scale": [-1.0, 1, 1]})
    mesh = g.load(tmp_path)
    assert mesh.volume == pytest.approx(1)


def test_rotations_that_blend_into_a_mirror_do_not_turn_faces(tmp_path):
    """A third each of half turns about x, y and z is a mirror, but no joint is one."""
    g = Gltf()
    skin = g.add("skins", joints=[0, 1, 2])
    for axis in range(3):
        g.node(rotation=list(turn(axis, 180)))
    joints = np.tile((0, 1, 2, 0), (8, 1))
    weights = np.tile((1.0, 1, 1, 0), (8, 1))
    skinned(g, [joints], [weights], skin)
    mesh = g.load(tmp_path)
    np.testing.assert_allclose(mesh.vertices, -CUBE.vertices / 3, atol=1e-7)
    np.testing.assert_array_equal(mesh.faces, CUBE.faces)


# Damage


def skin_of_one_joint(joints=None, weights=None, **skin):
    g = Gltf()
    g.add("skins", **{"joints": [0]} | skin)
    g.node()
    given = rigid(0)
    skinned(
        g, [given[0] if joints is None else joints], [given[1] if weights is None else weights], 0
    )
    return g


def test_a_joint_that_the_skin_lacks(tmp_path):
    g = skin_of_one_joint(joints=rigid(1)[0])
    refused(g.write(tmp_path), r"part 'node 1' follows joint 1 of 1 joint; export it again$")
    g = skin_of_one_joint(joints=[])
    g.tree["skins"][0]["joints"] = []
    refused(g.write(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": [9]}, r"nodes\[9\] of 2"),
        ({"joints": "x"}, r"nodes\[x\] of 2"),
        ({"inverseBindMatrices": 0}, "inverse bind matrix accessor is 8 x VEC4"),
        ({"joints": [0, 0], "inverseBindMatrices": 4}, "1 inverse bind matrices for 2 joints"),
        ({"inverseBindMatrices": 5}, "matrices that are not finite"),
    ],
)
def test_damaged_skins(tmp_path, change, message):
    g = skin_of_one_joint()
    g.array(np.eye(4)[None])
    g.array(np.full((1, 4, 4), np.nan))
    g.tree["skins"][0] |= change
    refused(g.write(tmp_path), message)


@pytest.mark.parametrize(
    ("attribute", "array", "message"),
    [
        ("JOINTS_0", (rigid(0, 7)[0], "u1"), "7 JOINTS_0 for 8 vertices"),
        ("WEIGHTS_0", (rigid(0, 7)[1], "f4"), "7 WEIGHTS_0 for 8 vertices"),
        ("JOINTS_0", (np.zeros((8, 3)), "u1"), "JOINTS_0 accessor is 8 x VEC3"),
        ("JOINTS_0", (np.full((8, 4), 0.5), "f4"), "JOINTS_0 are not integers"),
        ("JOINTS_0", (np.full((8, 4), np.nan), "f4"), "JOINTS_0 are not integers"),
        ("JOINTS_0", (np.full((8, 4), -1), "i1"), "follows joint -1 of 1 joint"),
        ("WEIGHTS_0", (np.full((8, 4), np.nan), "f4"), "WEIGHTS_0 are not all finite"),
    ],
)
def test_damaged_influences(tmp_path, attribute, array, message):
    g = skin_of_one_joint()
    g.tree["meshes"][0]["primitives"][0]["attributes"][attribute] = g.array(*array)
    refused(g.write(tmp_path), message)


def test_joints_without_weights_and_missing_skins(tmp_path):
    g = skin_of_one_joint()
    del g.tree["meshes"][0]["primitives"][0]["attributes"]["WEIGHTS_0"]
    refused(g.write(tmp_path), "lacks 'WEIGHTS_0'")
    g = skin_of_one_joint()
    g.tree["nodes"][1]["skin"] = 4
    refused(g.write(tmp_path), r"skins\[4\] of 1")


def test_joints_stored_as_floats_are_indices_all_the_same(tmp_path):
    g = Gltf()
    g.add("skins", joints=[0, 1])
    g.node()
    g.node(translation=[0, 0, 3.0])
    skinned(g, [rigid(1)[0]], [rigid(1)[1]], 0, joints_dtype="f4")
    np.testing.assert_array_equal(
        g.load(tmp_path).vertices, points(moved((0, 0, 3)), CUBE.vertices)
    )


def test_joints_in_a_circle_outside_of_the_scene(tmp_path):
    g = skin_of_one_joint(joints=None)
    g.node(is_root=False, children=[3])
    g.node(is_root=False, children=[2])
    g.tree["skins"][0]["joints"] = [2]
    refused(g.write(tmp_path), "two parents or contains itself")


def test_a_face_that_reaches_outside_of_a_skinned_part(tmp_path):
    g = skin_of_one_joint()
    faces = g.array(np.array([0, 1, 8]), "u2")
    g.tree["meshes"][0]["primitives"][0]["indices"] = faces
    refused(g.write(tmp_path), r"face 0 of part 'node 1' is \(0, 1, 8\)")


def test_work_without_end_is_refused(tmp_path):
    """A short file asks for 9,000 pairs of attributes, all the same, for 3,000 vertices."""
    g = Gltf()
    g.add("skins", joints=[0])
    g.node()
    count = 3000
    mesh = dd.Mesh(
        np.random.default_rng(0).uniform(size=(count, 3)), np.arange(count).reshape(-1, 3)
    )
    skinned(g, [rigid(0, count)[0]], [rigid(0, count)[1]], 0, mesh=mesh)
    attributes = g.tree["meshes"][0]["primitives"][0]["attributes"]
    for k in range(1, 9000):
        attributes[f"JOINTS_{k}"] = attributes["JOINTS_0"]
        attributes[f"WEIGHTS_{k}"] = attributes["WEIGHTS_0"]
    refused(g.write(tmp_path), "takes more than 5.*steps; export fewer")
