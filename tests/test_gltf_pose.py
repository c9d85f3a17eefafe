"""Morph targets and animations of glTF files, against closed forms."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from gltf_builder import Gltf, moved, points, turn
from mesh_files import TEXTURE, glb, obj, png, put, refused, textured_gltf
from meshes import good
from shapes import box

import ddepth_gl as dd

CUBE = box((0, 0, 0), (1, 1, 1))
RNG = np.random.default_rng(0)
SHIFTS = RNG.uniform(-1, 1, (3, 8, 3)).astype(np.float32)


# Morph targets


def morphing(targets=SHIFTS, **mesh):
    g = Gltf()
    targets = [{"POSITION": each if isinstance(each, int) else g.array(each)} for each in targets]
    g.mesh(CUBE.vertices, CUBE.faces, targets=targets, **mesh)
    return g


@pytest.mark.parametrize(
    ("of_node", "of_mesh", "used"),
    [
        (None, None, (0, 0, 0)),
        (None, [0.25, 0, -2], (0.25, 0, -2)),
        ([1, 0.5, 0.125], [0.25, 0, -2], (1, 0.5, 0.125)),
        ([0, 0, 0], [0.25, 0, -2], (0, 0, 0)),
        ([0.5], None, (0.5, 0, 0)),  # missing weights are 0
        ([0.5, 1, 1, 7, 7], None, (0.5, 1, 1)),  # surplus ones are ignored
        ([], [1, 1, 1], (1, 1, 1)),
    ],
)
def test_weights_of_the_node_then_of_the_mesh_then_zero(tmp_path, of_node, of_mesh, used):
    g = morphing(**({} if of_mesh is None else {"weights": of_mesh}))
    g.node(mesh=0, translation=[5.0, 0, 0], **({} if of_node is None else {"weights": of_node}))
    mesh = g.load(tmp_path)
    wanted = CUBE.vertices + np.tensordot(used, SHIFTS.astype(float), 1)
    np.testing.assert_allclose(mesh.vertices, points(moved((5, 0, 0)), wanted), atol=1e-12)
    assert mesh.report().left_out == ()


def test_each_node_has_weights_of_its_own_and_primitives_have_fewer_targets(tmp_path):
    g = morphing(weights=[1, 1, 1])
    primitive = g.tree["meshes"][0]["primitives"][0]
    fewer = {**primitive, "targets": primitive["targets"][:1]}
    g.tree["meshes"][0]["primitives"].append(fewer)
    weights = ([0, 0, 0.5], [1, 0, 0], None)
    for each in weights:
        g.node(mesh=0, **({} if each is None else {"weights": each}))
    vertices = g.load(tmp_path).vertices.reshape(3, 2, 8, 3)
    for found, each in zip(vertices, weights, strict=True):
        used = [1, 1, 1] if each is None else each
        whole = CUBE.vertices + np.tensordot(used, SHIFTS.astype(float), 1)
        np.testing.assert_allclose(found[0], whole, atol=1e-12)
        np.testing.assert_allclose(found[1], CUBE.vertices + used[0] * SHIFTS[0], atol=1e-12)


def test_sparse_targets_with_and_without_a_view(tmp_path):
    g = Gltf()
    rows, values = [1, 6], [(0, 0, 1.0), (0, 2.0, 0)]
    targets = [
        {"POSITION": g.sparse(8, rows, values)},
        {"POSITION": g.sparse(8, rows, values, "u1", base=SHIFTS[0])},
        {"NORMAL": g.array(SHIFTS[1])},
    ]
    g.mesh(CUBE.vertices, CUBE.faces, targets=targets)
    g.node(mesh=0, weights=[3, 0.5, 9])
    wanted, over = CUBE.vertices.copy(), SHIFTS[0].astype(float)
    wanted[rows] += 3 * np.array(values)
    over[rows] = values
    np.testing.assert_allclose(g.load(tmp_path).vertices, wanted + 0.5 * over, atol=1e-12)


def test_integer_targets_are_scaled(tmp_path):
    g = Gltf()
    steps = RNG.integers(-127, 128, (8, 3))
    targets = [
        {"POSITION": g.array(np.pad(steps, ((0, 0), (0, 0))), "i1", normalized=True)},
        {"POSITION": g.array(steps, "i2")},
    ]
    g.mesh(CUBE.vertices, CUBE.faces, targets=targets)
    g.node(mesh=0, weights=[1, 1])
    wanted = CUBE.vertices + steps / 127 + steps
    np.testing.assert_allclose(g.load(tmp_path).vertices, wanted, atol=1e-12)


def test_morphing_comes_before_skinning(tmp_path):
    g = Gltf()
    g.node(rotation=list(turn(2, 90)), translation=[0, 0, 4.0])
    rows = np.tile((1.0, 0, 0, 0), (8, 1))
    attributes = {"JOINTS_0": g.array(rows * 0, "u1"), "WEIGHTS_0": g.array(rows)}
    target = {"POSITION": g.array(SHIFTS[0])}
    g.mesh(CUBE.vertices, CUBE.faces, targets=[target], weights=[0.5], **attributes)
    g.add("skins", joints=[0])
    g.node(mesh=0, skin=0, translation=[9.0, 9, 9])
    wanted = points(moved((0, 0, 4), 2, 90), CUBE.vertices + 0.5 * SHIFTS[0])
    np.testing.assert_allclose(g.load(tmp_path).vertices, wanted, atol=1e-12)


def test_texture_coordinates_and_colors_morph(tmp_path):
    g = Gltf()
    colors = np.full((8, 3), 0.25)
    target = {"COLOR_0": g.array(np.full((8, 3), (0.0, 0.25, 9.0)))}
    g.mesh(CUBE.vertices, CUBE.faces, COLOR_0=g.array(colors), targets=[target])
    g.node(mesh=0, weights=[1])
    mesh = g.load(tmp_path)
    assert mesh.colors is not None
    np.testing.assert_array_equal(mesh.colors, np.tile((137, 188, 255, 255), (8, 1)))

    shift = np.full((4, 2), (0.0, 0.125), np.float32)
    tree, content = textured_gltf(png(TEXTURE), MORE=shift)
    primitive = tree["meshes"][0]["primitives"][0]
    shift_accessor = primitive["attributes"].pop("MORE")
    flat = dd.load_mesh(put(tmp_path, "a.glb", glb(tree, content)))
    primitive["targets"] = [{"TEXCOORD_0": shift_accessor}]
    tree["nodes"][0]["weights"] = [2]
    mesh = dd.load_mesh(put(tmp_path, "a.glb", glb(tree, content)))
    assert mesh.uv is not None
    assert flat.uv is not None
    np.testing.assert_allclose(mesh.uv, flat.uv - (0, 0.25), atol=1e-7)  # v points down in glTF


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (lambda g: g.array(SHIFTS[0][:7]), "a morph target has 7 POSITION for 8 vertices"),
        (lambda g: g.sparse(9, [0], [(1, 1, 1)]), "a morph target has 9 POSITION for 8 vertices"),
        (lambda g: g.array(SHIFTS[0][:, :2]), "POSITION accessor is 8 x VEC2"),
        (lambda g: g.sparse(8, [0], [(1, 1)]), "POSITION accessor is 8 x VEC2"),
        (lambda g: 99, r"accessors\[99\]"),
    ],
)
def test_damaged_targets(tmp_path, target, message):
    g = Gltf()
    g.mesh(CUBE.vertices, CUBE.faces, targets=[{"POSITION": target(g)}], weights=[1])
    g.node(mesh=0)
    refused(g.write(tmp_path), message)
    del g.tree["meshes"][0]["weights"]  # targets of weight 0 are not read
    np.testing.assert_array_equal(g.load(tmp_path).vertices, CUBE.vertices)


def test_weights_of_a_wrong_type(tmp_path):
    for weights in ("x", [[1, 2, 3]], 5):
        g = morphing()
        g.node(mesh=0, weights=weights)
        refused(g.write(tmp_path), "wrong type or size")
    g = morphing()
    g.node(mesh=0, weights=[float("nan")])
    refused(g.write(tmp_path), "nan")


def test_very_many_targets_of_the_same_data_take_no_longer(tmp_path):
    g = Gltf()
    position = g.array(CUBE.vertices)
    targets = [{"POSITION": position}] * 200_000
    g.mesh(position, CUBE.faces, targets=targets, weights=[1e-5] * 200_000)
    g.node(mesh=0)
    wanted = CUBE.vertices * 3
    np.testing.assert_allclose(g.load(tmp_path).vertices, wanted, rtol=1e-9)


# Animations: each is one cube whose node moves


def animated(*channels, mesh=None, node=None, **more):
    g = Gltf()
    g.mesh(CUBE.vertices, CUBE.faces, **(mesh or {}))
    g.node(mesh=0, **(node or {}))
    g.animation(*({"node": 0} | channel for channel in channels), **more)
    return g


TIMES = [1.0, 2.0, 4.0]
PLACES = np.array([(0.0, 0, 0), (2, 0, 0), (2, 8, 0)])


@pytest.mark.parametrize("mode", ["STEP", "LINEAR"])
@pytest.mark.parametrize(
    ("seconds", "step", "linear"),
    [
        (-7, (0, 0, 0), (0, 0, 0)),
        (1, (0, 0, 0), (0, 0, 0)),
        (1.25, (0, 0, 0), (0.5, 0, 0)),
        (2, (2, 0, 0), (2, 0, 0)),
        (3.5, (2, 0, 0), (2, 6, 0)),
        (4, (2, 8, 0), (2, 8, 0)),
        (1e9, (2, 8, 0), (2, 8, 0)),
    ],
)
def test_steps_and_lines(tmp_path, mode, seconds, step, linear):
    g = animated({"path": "translation", "times": TIMES, "values": PLACES, "mode": mode})
    wanted = CUBE.vertices + np.array(step if mode == "STEP" else linear)
    np.testing.assert_allclose(g.load(tmp_path, pose=(0, seconds)).vertices, wanted, atol=1e-12)


def test_cubic_splines_scale_their_tangents_by_the_interval(tmp_path):
    """Values and tangents of a cubic polynomial in time: the spline is that polynomial."""
    path = np.polynomial.Polynomial([1.0, -2.0, 0.5, 0.25])
    slope = path.deriv()
    rows = [[(slope(t),) * 3, (path(t),) * 3, (slope(t),) * 3] for t in TIMES]
    values = np.reshape(rows, (-1, 3))
    values[0] = values[-1] = 1e3  # the outermost tangents count for nothing
    g = animated({"path": "translation", "times": TIMES, "values": values, "mode": "CUBICSPLINE"})
    for seconds in (0.5, 1, 1.75, 2, 2.5, 3.875, 4, 5):
        wanted = CUBE.vertices + path(np.clip(seconds, 1, 4))
        found = g.load(tmp_path, pose=(0, seconds)).vertices
        np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_rotations_turn_evenly_and_on_the_shorter_way(tmp_path, sign):
    """From 10 to 130 degrees; the same rotation with the opposite sign is no detour."""
    values = np.stack((turn(1, 10), sign * turn(1, 130)))
    g = animated({"path": "rotation", "times": [0, 3.0], "values": values})
    for seconds in (0, 0.5, 2.25, 3):
        wanted = points(moved((0, 0, 0), 1, 10 + 40 * seconds), CUBE.vertices)
        found = g.load(tmp_path, pose=(0, seconds)).vertices
        np.testing.assert_allclose(found, wanted, atol=3e-7)  # quaternions are float32


def test_rotations_that_hardly_or_not_at_all_differ(tmp_path):
    for degrees in (0.0, 1e-4):
        values = np.stack((turn(2, 0), turn(2, degrees)))
        g = animated({"path": "rotation", "times": [0, 1.0], "values": values})
        found = g.load(tmp_path, pose=(0, 0.5)).vertices
        wanted = points(moved((0, 0, 0), 2, degrees / 2), CUBE.vertices)
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_splines_of_rotations_are_normalized(tmp_path):
    """Without tangents, the middle of a spline is the middle of a line, too short by itself."""
    zero = np.zeros(4)
    values = np.stack((zero, turn(0, 0), zero, zero, turn(0, 120), zero))
    g = animated({"path": "rotation", "times": [0, 1.0], "values": values, "mode": "CUBICSPLINE"})
    found = g.load(tmp_path, pose=(0, 0.5)).vertices
    wanted = points(moved((0, 0, 0), 0, 60), CUBE.vertices)
    np.testing.assert_allclose(found, wanted, atol=3e-7)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2"])
def test_normalized_integers(tmp_path, dtype):
    top = np.iinfo(dtype).max
    g = Gltf()
    g.mesh(CUBE.vertices, CUBE.faces)
    g.node(mesh=0)
    values = g.array(np.rint(np.stack((turn(2, 0), turn(2, 90))) * top), dtype, normalized=True)
    g.animation({"node": 0, "path": "rotation", "times": [0, 1.0], "values": values})
    found = g.load(tmp_path, pose=(0, 1)).vertices
    wanted = points(moved((0, 0, 0), 2, 90), CUBE.vertices)
    np.testing.assert_allclose(found, wanted, atol=4 / top)


@pytest.mark.parametrize("mode", ["STEP", "LINEAR", "CUBICSPLINE"])
def test_weights_of_morph_targets(tmp_path, mode):
    keys = np.array([(0, 1, 0.5), (1, 0, 0.5)])
    if mode == "CUBICSPLINE":
        keys = np.stack((keys * 0, keys, keys * 0), axis=1)
    g = Gltf()
    targets = [{"POSITION": g.array(each)} for each in SHIFTS]
    g.mesh(CUBE.vertices, CUBE.faces, targets=targets, weights=[9, 9, 9])
    g.node(mesh=0, weights=[5, 5, 5])
    channel = {"node": 0, "path": "weights", "times": [0, 1.0], "values": keys.ravel()}
    g.animation({**channel, "mode": mode})
    used = (0, 1, 0.5) if mode == "STEP" else (0.5, 0.5, 0.5)
    wanted = CUBE.vertices + np.tensordot(used, SHIFTS.astype(float), 1)
    found = g.load(tmp_path, pose=(0, 0.5)).vertices
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_channels_replace_what_the_node_says_and_no_more(tmp_path):
    node = {"translation": [1.0, 2, 3], "rotation": list(turn(0, 90)), "scale": [2.0, 2, 2]}
    g = animated({"path": "scale", "times": [0.0], "values": [(1.0, 3, 1)]}, node=node)
    with pytest.warns(dd.LeftOutWarning, match=r": the mesh leaves out animations: 1$"):
        rest = g.load(tmp_path)
    posed = g.load(tmp_path, pose=(0, 0))
    for mesh, scale in ((rest, (2, 2, 2)), (posed, (1, 3, 1))):
        wanted = points(moved((1, 2, 3), 0, 90, scale), CUBE.vertices)
        np.testing.assert_allclose(mesh.vertices, wanted, atol=1e-6)


@pytest.mark.parametrize("scale", [(2, 3, 4), (-2, 3, 4), (2, 0, 4)])
def test_a_matrix_is_split_where_a_part_of_it_moves(tmp_path, scale):
    matrix = moved((1, 2, 3), 1, 30, scale)
    node = {"matrix": matrix.T.ravel().tolist()}
    g = animated({"path": "translation", "times": [0.0], "values": [(7.0, 8, 9)]}, node=node)
    wanted = points(moved((7, 8, 9), 1, 30, scale), CUBE.vertices)
    np.testing.assert_allclose(g.load(tmp_path, pose=(0, 0)).vertices, wanted, atol=1e-12)
    if 0 not in scale:
        g = animated({"path": "rotation", "times": [0.0], "values": [turn(1, 75)]}, node=node)
        wanted = points(moved((1, 2, 3), 1, 75, scale), CUBE.vertices)
        np.testing.assert_allclose(g.load(tmp_path, pose=(0, 0)).vertices, wanted, atol=1e-6)


def test_joints_move(tmp_path):
    g = Gltf()
    rows = np.tile((1.0, 0, 0, 0), (8, 1))
    g.mesh(CUBE.vertices, CUBE.faces, JOINTS_0=g.array(rows * 0, "u1"), WEIGHTS_0=g.array(rows))
    g.add("skins", joints=[1])
    g.node(mesh=0, skin=0)
    g.node(is_root=False)
    g.node(is_root=False, children=[1])
    channel = {"path": "translation", "times": [0.0], "values": [(0.0, 0, 5)]}
    g.animation({"node": 1, **channel}, {"node": 2, **channel})
    found = g.load(tmp_path, pose=(0, 0)).vertices
    np.testing.assert_array_equal(found, points(moved((0, 0, 10)), CUBE.vertices))


def keys_of_the_truck(path):
    """Return the key times and the angles about z of the first wheels, read by hand."""
    data = path.read_bytes()
    length = struct.unpack("<I", data[12:16])[0]
    tree = json.loads(data[20 : 20 + length])
    sampler = tree["animations"][0]["samplers"][0]

    def floats(index):
        accessor = tree["accessors"][index]
        view = tree["bufferViews"][accessor["bufferView"]]
        width = {"SCALAR": 1, "VEC4": 4}[accessor["type"]]
        start = 28 + length + view["byteOffset"] + accessor["byteOffset"]
        return np.frombuffer(data, "<f4", accessor["count"] * width, start).reshape(-1, width)

    quaternions = floats(sampler["output"]).astype(float)
    assert not quaternions[:, :2].any()
    return floats(sampler["input"])[:, 0].astype(float), np.unwrap(
        2 * np.arctan2(quaternions[:, 2], quaternions[:, 3])
    )


def test_the_wheels_of_a_truck_turn():
    path = good("CesiumMilkTruck.glb")
    times, angles = keys_of_the_truck(path)
    first = dd.load_mesh(path, pose=(0, times[0]))
    assert first.report().left_out == ()
    still = first.faces[first.object_id == 0]
    for k, share in ((0, 0.5), (7, 0.0), (11, 0.25), (len(times) - 2, 1.0)):
        seconds = times[k] + share * (times[k + 1] - times[k])
        posed = dd.load_mesh(path, pose=(0, seconds))
        np.testing.assert_array_equal(first.faces, posed.faces)
        np.testing.assert_array_equal(first.vertices[still], posed.vertices[still])
        degrees = np.degrees(angles[k] + share * (angles[k + 1] - angles[k]) - angles[0])
        assert abs(degrees) > 5
        for wheels, x in ((1, 1.432669997215271), (2, -1.352329969406128)):
            corners = first.faces[first.object_id == wheels].ravel()
            center = np.array((x, 0.4277220070362091, -2.98022992950564e-08))
            wanted = points(moved(center, 2, degrees), first.vertices[corners] - center)
            np.testing.assert_allclose(posed.vertices[corners], wanted, atol=1e-6)


# Which animation, and what is told


def test_animations_by_index_and_by_name(tmp_path):
    g = animated({"path": "translation", "times": [0.0], "values": [(1.0, 0, 0)]}, name="walk")
    channel = {"node": 0, "path": "translation", "times": [0.0]}
    g.animation({**channel, "values": [(2.0, 0, 0)]}, name="run")
    g.animation({**channel, "values": [(3.0, 0, 0)]}, name="run")
    g.animation({**channel, "values": [(4.0, 0, 0)]})
    path = g.write(tmp_path)
    for animation, x in ((0, 1), (1, 2), (3, 4), ("walk", 1), (np.int64(2), 3)):
        mesh = dd.load_mesh(path, pose=(animation, 0.0))
        assert mesh.bounds[0, 0] == x
        assert mesh.report().left_out == ()
    with pytest.warns(dd.LeftOutWarning, match=r"leaves out animations: 4$"):
        dd.load_mesh(path)
    listed = r"pass pose one of these, by index or name: 0 \('walk'\), 1 \('run'\), 2 \('run'\), "
    listed += r"3 \(no name\)$"
    refused(path, rf"it has no animation 4; {listed}", pose=(4, 0))
    refused(path, rf"it has no animation -1; {listed}", pose=(-1, 0))
    refused(path, rf"it has no animation 'jump'; {listed}", pose=("jump", 0))
    refused(path, r"animations 1, 2 are all named 'run'; pass pose an index", pose=("run", 0))


def test_files_without_animations(tmp_path):
    message = "it holds no animation; leave pose out$"
    refused(put(tmp_path, "a.glb", glb()), message, pose=(0, 0))
    refused(put(tmp_path, "a.glb", glb()), message, pose=("walk", 0))
    message = "only animations of glTF, GLB and USD files are read; leave pose out$"
    refused(put(tmp_path, "a.obj", obj()), message, pose=(0, 0))


@pytest.mark.parametrize(
    "pose", [(), 5, "ab", (0,), (0, 1, 2), (0, "x"), (0, float("nan")), (1.5, 0), (None, 0)]
)
def test_poses_that_are_none(tmp_path, pose):
    with pytest.raises(dd.RequestError, match="pose"):
        dd.load_mesh(put(tmp_path, "a.glb", glb()), pose=pose)


def test_channels_without_a_node_and_of_other_kinds(tmp_path):
    g = animated({"path": "translation", "times": [0.0], "values": [(1.0, 0, 0)]})
    pointer = {"sampler": 0, "target": {"path": "pointer", "extensions": {}}}
    nobody = {"sampler": 0, "target": {"path": "scale"}}
    g.tree["animations"][0]["channels"] += [nobody]
    assert g.load(tmp_path, pose=(0, 0)).bounds[0, 0] == 1
    g.tree["animations"][0]["channels"] += [pointer, pointer]
    g.tree["extensionsRequired"] = ["KHR_animation_pointer"]
    told = "animation channels other than translation, rotation, scale and weights: 2"
    with pytest.warns(dd.LeftOutWarning, match=told):
        assert g.load(tmp_path, pose=(0, 0)).report().left_out == (told,)


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        ({"times": [0, 2.0, 1.0]}, "key times that decrease"),
        ({"times": [0, np.nan, 1.0]}, "key times that decrease"),
        ({"times": [0, 1.0]}, "3 values of translation for 2 key times"),
        ({"times": [0, 1, 2, 3.0]}, "3 values of translation for 4 key times"),
        ({"mode": "CUBICSPLINE"}, "3 values of translation for 3 key times"),
        ({"mode": "SMOOTH"}, "interpolation 'SMOOTH'"),
        ({"path": "rotation"}, "rotation accessor is 3 x VEC3"),
        ({"values": PLACES * np.nan}, "transform that is not finite"),
        ({"values": 99}, r"accessors\[99\]"),
        ({"node": 99}, r"nodes\[99\]"),
    ],
)
def test_damaged_animations(tmp_path, channel, message):
    good_one = {"path": "translation", "times": TIMES, "values": PLACES}
    g = animated(good_one | channel)
    refused(g.write(tmp_path), message, pose=(0, 1.5))


def test_animations_of_a_wrong_type(tmp_path):
    for change in ({"samplers": []}, {"samplers": 5}, {"channels": 5}, {"channels": [5]}):
        g = animated({"path": "translation", "times": TIMES, "values": PLACES})
        g.tree["animations"][0] |= change
        refused(g.write(tmp_path), pose=(0, 0))
    for animations in (5, "x", [5], {"0": 1}):
        g.tree["animations"] = animations
        refused(g.write(tmp_path), pose=(0, 0))
