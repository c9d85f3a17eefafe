"""`Mesh.up`: which direction is up, who says so, and the cameras that follow it."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from mesh_files import TETRA, glb, gltf, gltf_tree, obj, off, ply, put, stl
from shapes import box

import ddepth_gl as dd

QUARTER_TURN = [[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]  # about x: y to z


def with_up(up):
    return dd.Mesh(box().vertices, box().faces, up=up)


def rows_of_ends(camera, mesh, up):
    """Return the image rows of two points, the first above the other by `up`."""
    center = mesh.bounds.mean(axis=0)
    return camera.project([center + 1e-3 * np.array(up), center])[0][:, 1]


@pytest.mark.parametrize(
    ("name", "data", "up", "is_known"),
    [
        ("a.glb", glb(), (0, 1, 0), True),
        ("a.gltf", gltf(), (0, 1, 0), True),
        ("a.GLB", glb(), (0, 1, 0), True),
        ("a.obj", obj(), (0, 0, 1), False),
        ("a.ply", ply(), (0, 0, 1), False),
        ("a.stl", stl(), (0, 0, 1), False),
        ("a.off", off(), (0, 0, 1), False),
    ],
)
def test_the_format_says_which_way_is_up(tmp_path, name, data, up, is_known):
    mesh = dd.load_mesh(put(tmp_path, name, data))
    assert (mesh.up, mesh.is_up_known) == (up, is_known)
    report = mesh.report()
    assert (report.up, report.is_up_known) == (up, is_known)
    assert f"  up          {'y' if is_known else 'z by default'}" in str(report).splitlines()


def test_nodes_turn_vertices_but_not_up(tmp_path):
    """The scene graph ends in glTF's world, where y is up, however the nodes are turned."""
    tree, content = gltf_tree(TETRA)
    tree["nodes"][0]["rotation"] = [np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]
    mesh = dd.load_mesh(put(tmp_path, "a.glb", glb(tree, content)))
    plain = dd.load_mesh(put(tmp_path, "b.glb", glb()))
    np.testing.assert_allclose(
        mesh.vertices, plain.vertices @ np.array(QUARTER_TURN)[:3, :3].T, atol=1e-12
    )
    assert mesh.up == (0, 1, 0)


@pytest.mark.parametrize(
    ("given", "unit"),
    [
        ((0, 1, 0), (0, 1, 0)),
        ([0, -2, 0], (0, -1, 0)),
        (np.array([3, 0, 4]), (0.6, 0, 0.8)),
        ((1e-320, 0, 0), (1, 0, 0)),
        ((1e300, 0, 1e300), (np.sqrt(0.5), 0, np.sqrt(0.5))),
    ],
)
def test_up_is_a_unit_vector(given, unit):
    up = with_up(given).up
    assert up == pytest.approx(unit, abs=1e-15)
    assert isinstance(up, tuple)
    assert {type(x) for x in up} == {float}
    assert "-0.0" not in str(up)


@pytest.mark.parametrize(
    "up", [(0, 0, 0), (1, 2), (np.nan, 0, 1), (np.inf, 0, 1), "y", ("0", "1", "0"), 5, [[0, 0, 1]]]
)
def test_up_must_be_a_direction(up):
    with pytest.raises(dd.MeshError, match=r"^up ") as error:
        with_up(up)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda mesh: pickle.loads(pickle.dumps(mesh))]
)
def test_copies_keep_up(clone):
    assert (clone(with_up((0, -1, 0))).up, clone(box()).up) == ((0, -1, 0), (0, 0, 1))
    assert (clone(with_up((0, 0, 1))).is_up_known, clone(box()).is_up_known) == (True, False)


def test_a_known_up_is_transformed():
    turned = with_up((0, 1, 0)).transformed(QUARTER_TURN)
    assert turned.up == (0, 0, 1)
    assert turned.is_up_known
    upside_down = with_up((0, 0, 1)).transformed(np.diag((1, 1, -3, 1)))
    assert upside_down.up == (0, 0, -1)
    # Nobody said that z was up before.
    unknown = box().transformed(QUARTER_TURN)
    assert (unknown.up, unknown.is_up_known) == ((0, 0, 1), False)


@pytest.mark.parametrize("up", [(0, 1, 0), (0, 0, 1), (-1, 2, 0.5)])
def test_orbit_follows_the_mesh(up):
    mesh = with_up(up)
    cameras = dd.Camera.orbit(mesh, 9, 32, 24)
    for camera, explicit in zip(cameras, dd.Camera.orbit(box(), 9, 32, 24, up=up), strict=True):
        np.testing.assert_allclose(camera.camera_from_world, explicit.camera_from_world, atol=1e-12)
        above, center = rows_of_ends(camera, mesh, mesh.up)
        assert above < center
    # An argument takes precedence, and what has only bounds stands on z.
    assert dd.Camera.orbit(mesh, 3, up=(1, 0, 0)) == dd.Camera.orbit(box(), 3, up=(1, 0, 0))

    class Bounds:
        bounds = box().bounds

    class WithBadUp(Bounds):
        up = (0, 0, 0)

    assert dd.Camera.orbit(Bounds(), 3) == dd.Camera.orbit(Bounds(), 3, up=(0, 0, 1))
    with pytest.raises(dd.CameraError, match=r"^mesh\.up \[0\.0, 0\.0, 0\.0\] has no direction"):
        dd.Camera.orbit(WithBadUp(), 3)


def test_double_depth_without_a_camera_follows_the_mesh():
    mesh = with_up((0, 1, 0))
    camera = dd.double_depth(mesh).camera
    assert camera == dd.Camera.orbit(box(), 1, up=(0, 1, 0))[0]
    assert camera != dd.Camera.orbit(box(), 1)[0]


# The option --up


@pytest.fixture
def render(tmp_path, monkeypatch, ddepth):
    """Run `ddepth render` in a folder with a GLB and a PLY file; return status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "y.glb", glb())
    put(tmp_path, "z.ply", ply())

    def run(*arguments):
        line = ("render", "y.glb", "z.ply", "-o", "out", "--size", "8x6", *arguments)
        status, out, err = ddepth(*line)
        return status, out.splitlines(), err

    return run


def views(name):
    return [dd.load_npz(path).camera for path in sorted(Path("out").glob(f"{name}_*.npz"))]


@pytest.mark.parametrize(
    ("given", "of_glb", "of_ply"),
    [
        ([], "y up by its file", "z up by default"),
        (["--up", "auto"], "y up by its file", "z up by default"),
        (["--up", "y"], *["y up by --up"] * 2),
        (["--up", "-Y"], *["-y up by --up"] * 2),
        (["--up", "+x"], *["x up by --up"] * 2),
        (["--up", "0,0,2"], *["z up by --up"] * 2),
        (["--up", "0,3,4"], *["(0, 0.6, 0.8) up by --up"] * 2),
    ],
)
@pytest.mark.parametrize("with_eye", [False, True])
@pytest.mark.slow
def test_the_option_up(render, given, of_glb, of_ply, with_eye):
    views_or_eye = ["--eye", "3,2,1", "--target", "0,0,0"] if with_eye else ["--views", "3"]
    code, out, err = render("--surfaces", "any", *views_or_eye, *given)
    assert (code, err) == (0, [])
    directions = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1), "-y": (0, -1, 0)}
    for name, path, text in (("y", "y.glb", of_glb), ("z", "z.ply", of_ply)):
        (line,) = (line for line in out if line.startswith(f"{name}: "))
        assert f" faces, {text}, " in line
        up = directions.get(text.split(" up")[0], (0, 0.6, 0.8))
        expected = (
            [dd.Camera.look_at((3, 2, 1), (0, 0, 0), up, width=8, height=6)]
            if with_eye
            else dd.Camera.orbit(dd.load_mesh(path), 3, 8, 6, up=up)
        )
        assert views(name) == expected


def test_a_view_along_up_fails_for_its_mesh_only(render):
    """From above in glTF, from the side in PLY."""
    options = ("--eye", "0,5,0", "--target", "0,0,0", "--surfaces", "any")
    code, _, err = render(*options)
    assert code == 1
    (line,) = err
    assert line.startswith("ddepth: error: y: --up auto: up [0.0, 1.0, 0.0] is zero or parallel")
    assert len(views("z")) == 1
    assert render(*options, "--up", "x")[0] == 0


def test_cameras_of_a_file_bring_their_own_up(render):
    dd.save_cameras("cameras.json", dd.Camera.orbit(box(), 2, 8, 6))
    code, out, _ = render("--cameras", "cameras.json", "--surfaces", "any")
    assert code == 0
    assert not any(" up by " in line for line in out)


def test_a_transform_may_say_which_way_is_up():
    turned = with_up((0, 1, 0)).transformed(QUARTER_TURN, up=(0, 0, -2))
    assert turned.up == (0, 0, -1)
    known = box().transformed(np.eye(4), up=(1, 0, 0))
    assert known.is_up_known
    assert known.up == (1, 0, 0)
