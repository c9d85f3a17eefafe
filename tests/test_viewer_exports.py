"""What the viewer hands out: lines of Python, files and clouds."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from shapes import box, sphere

import ddepth_gl as dd
from ddepth_gl.io.results.ply import write_mesh
from ddepth_gl.viewer.clouds import BACK_COLOR, FRONT_COLOR, clouds_of
from ddepth_gl.viewer.code_lines import code_of, mesh_line_of
from ddepth_gl.viewer.coloring import color_table
from ddepth_gl.viewer.exports import EXPORTS, export, export_bytes
from ddepth_gl.viewer.modes import MODES
from ddepth_gl.viewer.session import Session
from ddepth_gl.viewer.state import ViewerState

SIZE = (48, 36)
FILE_CAMERA = dd.Camera.from_intrinsics(
    [[50, 1, 20], [0, 52, 20], [0, 0, 1]],
    dd.Camera.look_at((3, 2, 1), (0, 0, 0)).camera_from_world,
    *SIZE,
)


def two_objects() -> dd.Mesh:
    parts = box(), sphere(0.5, 8, 12, (1.2, 0.3, 0.2))
    return dd.Mesh(
        np.concatenate([each.vertices for each in parts]),
        np.concatenate([parts[0].faces, parts[1].faces + len(parts[0].vertices)]),
        object_id=np.repeat([0, 5], [len(each.faces) for each in parts]),
        name="parts",
    )


@pytest.fixture(scope="module")
def renderer():
    with dd.DepthRenderer() as renderer:
        yield renderer


@pytest.fixture
def session(renderer):
    session = Session(renderer, two_objects())
    yield session
    session.release()


@pytest.fixture
def state(session):
    return ViewerState.framing(session.mesh)


# Lines of Python


def run(lines: str) -> np.ndarray:
    names: dict = {}
    exec(lines, names)
    return names["image"]


@pytest.mark.parametrize("mode", MODES)
def test_the_lines_make_the_view(renderer, tmp_path, mode):
    write_mesh(tmp_path / "it's.ply", two_objects())
    mesh = dd.load_mesh(tmp_path / "it's.ply")
    session = Session(renderer, mesh)
    plain = ViewerState.framing(mesh, mode=mode, layer=1)
    orbit = plain.orbit.turned(12.3, -4.5).panned(0.01, 0.02)
    parallel = dataclasses.replace(orbit, is_orthographic=True)
    top = orbit.seen_from("top")
    states = [
        plain,
        dataclasses.replace(plain, orbit=orbit, surfaces="any", samples=2),
        dataclasses.replace(plain, orbit=parallel, engine="raster"),
        dataclasses.replace(plain, orbit=top),
        dataclasses.replace(plain, camera=FILE_CAMERA, surfaces="oriented"),
    ]
    for state in states:
        lines = code_of(mesh, state, *SIZE)
        assert max(map(len, lines.splitlines()[:2])) < 100
        with dd.DepthRenderer(state.engine) as other:
            expected = Session(other, mesh).values(state, *SIZE)
            found = run(lines)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    # The camera of the file at another size.
    lines = code_of(mesh, states[-1], 70, 20)
    np.testing.assert_array_equal(run(lines), session.values(states[-1], 70, 20))
    session.release()


def test_the_line_of_a_mesh(tmp_path):
    write_mesh(tmp_path / "a.ply", box())
    mesh = dd.load_mesh(tmp_path / "a.ply")
    path = str(tmp_path / "a.ply")
    assert mesh_line_of(mesh) == f"mesh = dd.load_mesh({path!r})"
    options = {"alpha": "ignore", "texture_roots": (tmp_path,), "max_texture_size": 64}
    line = mesh_line_of(mesh, options)
    assert line == (
        f"mesh = dd.load_mesh({path!r}, alpha='ignore', texture_roots=({str(tmp_path)!r},), "
        "max_texture_size=64)"
    )
    names = {"dd": dd}
    exec(line, names)
    assert isinstance(names["mesh"], dd.Mesh)
    assert mesh_line_of(mesh, {"pose": ("walk", 1.5)}).endswith("pose=('walk', 1.5,))")
    assert mesh_line_of(box()).startswith("mesh = ...")
    state = ViewerState.framing(mesh)
    assert "mesh = dd.demo_mesh()\n" in code_of(mesh, state, *SIZE, "mesh = dd.demo_mesh()")


# Files


@pytest.mark.parametrize("mode", MODES)
def test_an_image_is_what_is_shown(session, state, tmp_path, mode):
    state.mode, state.layer = mode, 1
    (path,) = export("image", session, state, *SIZE, tmp_path)
    assert path.name == f"parts_{mode}{2 if mode == 'layer' else ''}.png"
    np.testing.assert_array_equal(np.array(Image.open(path)), session.image(state, *SIZE))


def test_arrays_points_and_cameras_are_read_back(session, state, tmp_path):
    (path,) = export("npz", session, state, *SIZE, tmp_path)
    maps = dd.load_npz(path)
    expected = session.maps(state, *SIZE)
    assert path.name == "parts_maps.npz"
    np.testing.assert_array_equal(maps.entry, expected.entry)
    assert maps.camera == state.camera_for(*SIZE)
    front, back = export("ply", session, state, *SIZE, tmp_path)
    assert (front.name, back.name) == ("parts_front.ply", "parts_back.ply")
    assert f"element vertex {expected.mask.sum()}\n".encode() in front.read_bytes()
    (path,) = export("camera", session, state, *SIZE, tmp_path)
    assert path.name == "parts_camera.json"
    assert dd.load_cameras(path) == [state.camera_for(*SIZE)]
    state.mode = "layer"
    (path,) = export("npz", session, state, *SIZE, tmp_path)
    assert path.name == "parts_layers.npz"
    layers = session.layers(state, *SIZE)
    np.testing.assert_array_equal(dd.load_npz(path).depth, layers.depth)
    clouds = export("ply", session, state, *SIZE, tmp_path)
    assert [each.name for each in clouds] == [
        f"parts_layer{number:02d}.ply" for number in range(1, layers.count.max() + 1)
    ]
    state.mode, state.place, state.mould_layers = "photo", "mould", True
    assert export("npz", session, state, *SIZE, tmp_path)[0].name == "parts_2_layers.npz"


def test_no_file_is_replaced(session, state, tmp_path):
    names = [export("image", session, state, *SIZE, tmp_path)[0].name for _ in range(3)]
    assert names == ["parts_photo.png", "parts_2_photo.png", "parts_3_photo.png"]
    (tmp_path / "parts_back.ply").write_bytes(b"")
    front, _ = export("ply", session, state, *SIZE, tmp_path)
    assert front.name == "parts_2_front.ply"
    assert (tmp_path / "parts_back.ply").read_bytes() == b""


def test_names_of_any_mesh_are_names_of_files(session, state, tmp_path):
    for name, expected in (
        ("../../etc/passwd", "etc_passwd_photo.png"),
        ("a b\nc", "a_b_c_photo.png"),
        ("\udcff", "view_photo.png"),
        ("", "view_photo.png"),
        ("ü" * 300, "ü" * 60 + "_photo.png"),
        (".hidden", "hidden_photo.png"),
    ):
        session.name = name
        (path,) = export("image", session, state, *SIZE, tmp_path)
        assert path == tmp_path / expected
        path.unlink()


def test_what_cannot_be_saved_is_one_line(session, state, tmp_path):
    cases = [
        ("x", tmp_path, "the file must be 'image' or"),
        ("image", tmp_path / "no", "no folder"),
    ]
    cases[1] = ("image", tmp_path / "no", "is not a folder; give an existing one")
    for kind, folder, message in cases:
        with pytest.raises(dd.DDepthError, match=message):
            export(kind, session, state, *SIZE, folder)
    state.orbit = dataclasses.replace(state.orbit, is_orthographic=True)
    with pytest.raises(dd.OutputError, match="no parallel rays; save one in perspective, or copy"):
        export("camera", session, state, *SIZE, tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_downloads_are_the_files(session, state, tmp_path):
    for kind in EXPORTS:
        name, content = export_bytes(kind, session, state, *SIZE)
        files = export(kind, session, state, *SIZE, tmp_path)
        if kind == "ply":
            assert name == "parts_points.zip"
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                assert archive.namelist() == [each.name for each in files]
                for each in files:
                    assert archive.read(each.name) == each.read_bytes()
        else:
            assert name == files[0].name
            assert len(content) == files[0].stat().st_size
    assert json.loads(export_bytes("camera", session, state, *SIZE)[1])["frames"]


# Clouds


def test_the_clouds_are_those_of_the_sheets(session, state):
    front, back = session.maps(state, *SIZE).points(dtype=np.float64)
    entry, exit_ = clouds_of(session, state, *SIZE)
    assert (entry.name, exit_.name) == ("entry", "exit")
    np.testing.assert_array_equal(entry.points, front)
    np.testing.assert_array_equal(exit_.points, back)
    assert (entry.colors == FRONT_COLOR).all()
    assert (exit_.colors == BACK_COLOR).all()


def test_the_clouds_of_layers(session, state):
    state.mould_layers = True
    layers = session.layers(state, *SIZE, ("object_id",))
    expected = layers.points(dtype=np.float64)
    clouds = clouds_of(session, state, *SIZE, "object")
    assert [each.name for each in clouds] == [f"layer {k + 1}" for k in range(len(expected))]
    for number, cloud in enumerate(clouds):
        np.testing.assert_array_equal(cloud.points, expected[number])
        ids = layers.object_id[layers.layer == number]
        np.testing.assert_array_equal(cloud.colors, color_table("labels")[ids])
    assert {*layers.object_id.tolist()} == {0, 5}
    sides = clouds_of(session, state, *SIZE)
    is_front = layers.front_facing[layers.layer == 1]
    np.testing.assert_array_equal((sides[1].colors == FRONT_COLOR).all(axis=1), is_front)


def test_depth_colors_share_a_range(session, state):
    maps = session.maps(state, *SIZE)
    entry, exit_ = clouds_of(session, state, *SIZE, "depth")
    low, high = maps.entry[maps.mask].min(), maps.exit[maps.mask].max()
    table = color_table("viridis_r")
    np.testing.assert_array_equal(entry.colors[maps.entry[maps.mask] == low], table[[0]])
    np.testing.assert_array_equal(exit_.colors[maps.exit[maps.mask] == high], table[[255]])
    state.mode, state.limits, state.color_map = "entry", (0.0, 1e9), "gray"
    assert (clouds_of(session, state, *SIZE, "depth")[0].colors == 0).all()
    with pytest.raises(dd.RequestError, match="by must be 'side' or"):
        clouds_of(session, state, *SIZE, "x")


def test_a_view_of_nothing(session, state, tmp_path):
    state.camera = dd.Camera.look_at((9, 9, 9), (20, 20, 20))
    for by in ("side", "depth", "object"):
        assert [len(each.points) for each in clouds_of(session, state, *SIZE, by)] == [0, 0]
    state.mould_layers = True
    assert clouds_of(session, state, *SIZE) == []
    for mode in MODES:
        state.mode = mode
        assert session.image(state, *SIZE).shape == (36, 48, 4)
    for kind in EXPORTS:
        assert export(kind, session, state, *SIZE, tmp_path)


def test_points_in_the_light_of_the_camera(session, state):
    """Colors by hand: 0.35 to 1 of the plain ones, by the cosine of ray and normal."""
    camera = state.camera_for(*SIZE)
    maps = session.maps(state, *SIZE, ("normal",))
    plain = clouds_of(session, state, *SIZE)
    lit = clouds_of(session, state, *SIZE, is_shaded=True)
    directions = camera.rays()[1][maps.mask]
    for cloud, dark, name in zip(plain, lit, ("entry", "exit"), strict=True):
        normals = getattr(maps, f"{name}_normal")[maps.mask]
        light = 0.35 + 0.65 * np.abs((directions * normals).sum(axis=1))
        assert np.abs(dark.colors - light[:, None] * cloud.colors).max() < 0.51
        assert len(np.unique(dark.colors, axis=0)) > 3
        np.testing.assert_array_equal(dark.points, cloud.points)
    layers = dataclasses.replace(state, mould_layers=True)
    layers.orbit = dataclasses.replace(layers.orbit, is_orthographic=True)
    assert len(clouds_of(session, layers, *SIZE, by="object", is_shaded=True)) > 2
    # Those of a scale stay what they are.
    for first, second in zip(
        clouds_of(session, state, *SIZE, by="depth"),
        clouds_of(session, state, *SIZE, by="depth", is_shaded=True),
        strict=True,
    ):
        np.testing.assert_array_equal(first.colors, second.colors)


def test_saved_images_say_what_their_colors_mean(session, state, tmp_path):
    state.mode = "thickness"
    (path,) = export("image", session, state, *SIZE, tmp_path)
    values = session.values(state, *SIZE)
    with Image.open(path) as image:
        texts = image.text
    assert (texts["mode"], texts["unit"], texts["color_map"]) == (
        "thickness", "mesh units", "plasma",
    )  # fmt: skip
    assert float(texts["range_low"]) == 0.0
    assert np.float32(texts["range_high"]) == np.nanmax(values)
    assert texts["version"].startswith("ddepth_gl")
    state.mode = "photo"
    (path,) = export("image", session, state, *SIZE, tmp_path)
    with Image.open(path) as image:
        assert image.text["mode"] == "photo"
        assert "range_low" not in image.text
