"""The state of the viewer, its orbit, modes, values and colors; without a window."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import box

import ddepth_gl as dd
from ddepth_gl.viewer.coloring import (
    BACKGROUND,
    COLOR_MAPS,
    ODD_COLOR,
    color_table,
    colored,
)
from ddepth_gl.viewer.keys import KEYS, MOUSE, keys_text
from ddepth_gl.viewer.modes import MODES
from ddepth_gl.viewer.orbit import STANDARD_VIEWS, Orbit
from ddepth_gl.viewer.state import ViewerState
from ddepth_gl.viewer.values import limits_of, needed_parts, values_of

MESH = box((1.0, 2.0, 3.0), (2.0, 4.0, 6.0))
CENTER = np.array([1.5, 3.0, 4.5])
UPS = [(0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0, -1), (0.3, -0.5, 0.8)]


def image_of(camera: dd.Camera, point) -> np.ndarray:
    return camera.project(np.asarray(point, float))[0]


# Orbit


@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("is_orthographic", [False, True])
@pytest.mark.parametrize("elevation_deg", [-90.0, -89.95, -30.0, 0.0, 89.95, 90.0])
def test_the_target_is_in_the_center_and_up_is_up(up, is_orthographic, elevation_deg):
    orbit = Orbit.framing(MESH, up)
    orbit = dataclasses.replace(
        orbit, elevation_deg=elevation_deg, is_orthographic=is_orthographic, target=(1.0, 2.0, 3.5)
    )
    camera = orbit.camera(300, 200)
    assert image_of(camera, orbit.target) == pytest.approx([150.0, 100.0], abs=1e-6)
    above = image_of(camera, np.array(orbit.target) + 0.01 * np.array(orbit.up))
    assert above[0] == pytest.approx(150.0, abs=1e-3)
    assert above[1] <= 100.0 + 1e-6


def test_sides_are_those_of_a_right_handed_frame():
    """From the front x is right; from the right the front is to the left; from the top y is up."""
    orbit = Orbit.framing(MESH)
    expected = {
        "front": ((1, 0, 0), (0, 0, 1)), "back": ((-1, 0, 0), (0, 0, 1)),
        "right": ((0, 1, 0), (0, 0, 1)), "left": ((0, -1, 0), (0, 0, 1)),
        "top": ((1, 0, 0), (0, 1, 0)), "bottom": ((1, 0, 0), (0, -1, 0)),
    }  # fmt: skip
    for name, (right, up) in expected.items():
        rotation = orbit.seen_from(name).camera(10, 10).camera_from_world[:3, :3]
        assert rotation[0] == pytest.approx(right, abs=1e-12), name
        assert -rotation[1] == pytest.approx(up, abs=1e-12), name
    assert {*expected, "iso"} == {*STANDARD_VIEWS}
    ahead = orbit.seen_from("iso").camera(10, 10).camera_from_world[2, :3]
    assert ahead == pytest.approx(np.array([-1, 1, -1]) / math.sqrt(3))
    # glTF: y is up, the front is seen from +z
    rotation = Orbit.framing(MESH, (0, 1, 0)).seen_from("front").camera(9, 9).camera_from_world
    assert rotation[:3, :3] == pytest.approx(np.diag([1.0, -1.0, -1.0]), abs=1e-12)
    with pytest.raises(dd.RequestError, match="the side must be 'front' or "):
        orbit.seen_from("above")


@pytest.mark.parametrize("is_orthographic", [False, True])
@pytest.mark.parametrize("size", [(200, 200), (300, 100), (100, 300)])
@pytest.mark.parametrize("fov_deg", [5.0, 40.0, 120.0])
def test_the_whole_mesh_is_in_view_and_fills_it(is_orthographic, size, fov_deg):
    aspect = size[0] / size[1]
    home = Orbit.framing(MESH, aspect=aspect, fov_deg=fov_deg)
    assert home.target == pytest.approx(CENTER)
    for azimuth_deg, elevation_deg in ((35, 25), (0, 0), (77, 90), (200, -40)):
        orbit = dataclasses.replace(
            home,
            is_orthographic=is_orthographic,
            azimuth_deg=azimuth_deg,
            elevation_deg=elevation_deg,
        ).fitted(MESH, aspect)
        image, depth = orbit.camera(*size).project(MESH.vertices)
        assert (depth > 0).all()
        assert ((image > 0) & (image < size)).all()
        # One side of it comes near an edge.
        gap = np.minimum(image, np.subtract(size, image)) / size
        assert 0.03 < gap.min() < 0.2


def test_lines_and_points_in_view():
    line = dd.Mesh([[0, 0, 0], [0, 9, 0], [0, 4, 1e-6]], [[0, 1, 2]])
    for side in STANDARD_VIEWS:
        camera = Orbit.framing(line).seen_from(side).fitted(line).camera(64, 64)
        image, depth = camera.project(line.vertices)
        assert (depth > 0).all(), side
        assert ((image > 0) & (image < 64)).all(), side


def test_bounds_frame_like_a_mesh():
    assert Orbit.framing(MESH.bounds).target == Orbit.framing(MESH).target
    assert Orbit.framing(MESH.bounds).distance == pytest.approx(Orbit.framing(MESH).distance)
    with pytest.raises(dd.CameraError, match="single point"):
        Orbit.framing([[1, 1, 1], [1, 1, 1]])
    with pytest.raises(dd.CameraError, match="bounds must have shape"):
        Orbit.framing([1, 2, 3])
    with pytest.raises(dd.CameraError, match=r"up .* has no direction"):
        Orbit.framing(MESH, (0, 0, 0))


def test_a_drag_to_the_right_moves_what_is_near_to_the_right():
    orbit = Orbit.framing(MESH).seen_from("front")
    near = np.add(orbit.target, (0.0, -1.0, 0.0))
    turned = orbit.turned(10.0, 0.0)
    assert image_of(turned.camera(100, 100), near)[0] > 51.0
    turned = orbit.turned(0.0, 10.0)
    assert image_of(turned.camera(100, 100), near)[1] > 51.0
    assert orbit.turned(0.0, 500.0).elevation_deg == 90.0
    assert orbit.turned(350.0, 0.0).azimuth_deg == pytest.approx(10.0)


@pytest.mark.parametrize("is_orthographic", [False, True])
def test_panning_moves_the_image_by_what_was_dragged(is_orthographic):
    orbit = dataclasses.replace(Orbit.framing(MESH), is_orthographic=is_orthographic)
    moved = orbit.panned(0.25, -0.125)
    place = image_of(moved.camera(300, 200), orbit.target)
    assert place == pytest.approx([150.0 + 50.0, 100.0 - 25.0])
    assert moved.panned(-0.25, 0.125).target == pytest.approx(orbit.target)


@pytest.mark.parametrize("is_orthographic", [False, True])
def test_zoom(is_orthographic):
    orbit = dataclasses.replace(Orbit.framing(MESH), is_orthographic=is_orthographic)
    _, up, _ = orbit._frame()
    mark = np.array(orbit.target) + 0.1 * up

    def size(each: Orbit) -> float:
        return 100.0 - image_of(each.camera(200, 200), mark)[1]

    assert size(orbit.zoomed(1)) == pytest.approx(size(orbit) / 0.9)
    assert size(orbit.zoomed(3).zoomed(-3)) == pytest.approx(size(orbit))
    assert 0 < orbit.zoomed(1e4).distance < 1e-3
    assert orbit.zoomed(-1e4).distance > 1e4
    # Parallel rays start in front of the mesh however near the eye is.
    if is_orthographic:
        assert (orbit.zoomed(60).camera(9, 9).project(MESH.vertices)[1] > 0).all()


@pytest.mark.parametrize("up", UPS)
def test_projections_and_fields_of_view_keep_the_size_at_the_target(up):
    orbit = Orbit.framing(MESH, up)
    right, to_top, _ = orbit._frame()
    mark = np.array(orbit.target) + 0.2 * right - 0.1 * to_top
    place = image_of(orbit.camera(320, 240), mark)
    for other in (dataclasses.replace(orbit, is_orthographic=True), orbit.with_fov(15.0)):
        assert image_of(other.camera(320, 240), mark) == pytest.approx(place)
    for wrong in (0.0, 180.0, math.nan, "x"):
        with pytest.raises(dd.CameraError):
            orbit.with_fov(wrong)


@pytest.mark.parametrize("is_orthographic", [False, True])
@pytest.mark.parametrize("elevation_deg", [-90.0, -40.0, 0.0, 60.0, 90.0])
@pytest.mark.parametrize("up", UPS)
def test_an_orbit_continues_from_a_camera(is_orthographic, elevation_deg, up):
    mesh = dd.Mesh(MESH.vertices, MESH.faces, up=up)
    orbit = dataclasses.replace(
        Orbit.framing(mesh), elevation_deg=elevation_deg, is_orthographic=is_orthographic
    )
    camera = orbit.camera(320, 240)
    found = Orbit.from_camera(camera, mesh)
    assert found.up == pytest.approx(orbit.up)
    again = found.camera(320, 240)
    points = CENTER + np.random.default_rng(5).normal(size=(20, 3))
    assert image_of(again, points) == pytest.approx(image_of(camera, points), abs=1e-4)


@pytest.mark.parametrize("focal", [1e-300, 1e-20, 1e-3, 1e8, 1e20, 1e300])
def test_an_orbit_continues_from_a_camera_beyond_its_angles(focal):
    pose = dd.Camera.look_at((5, 4, 3), (0, 0, 0), width=8, height=8).camera_from_world
    camera = dd.Camera([[focal, 0, 4], [0, focal, 4], [0, 0, 1]], pose, 8, 8)
    orbit = Orbit.from_camera(camera, box()).turned(10.0, 5.0)
    assert np.linalg.norm(orbit.camera(8, 8).center) == pytest.approx(np.linalg.norm((5, 4, 3)))
    if 1e-3 <= focal <= 1e8:
        assert orbit.camera(8, 8).K[1, 1] == pytest.approx(focal)


def test_an_orbit_continues_from_a_camera_that_rolls():
    eye = np.array([4.0, -9.0, 7.0])
    for up in ([0, 1, 0], [0.3, 0, 1], [1, 0, -1], [0, 0, -1]):
        camera = dd.Camera.look_at(eye, CENTER, up, 30.0, 320, 240)
        orbit = Orbit.from_camera(camera, MESH)
        again = orbit.camera(320, 240)
        assert again.camera_from_world == pytest.approx(camera.camera_from_world, abs=1e-6)
        np.testing.assert_allclose(again.K, camera.K)
    # A mesh behind the camera, and a camera in its center, have a target in front of it.
    for camera in (
        dd.Camera.look_at((9, 9, 9), (10, 10, 10)),
        dd.Camera.look_at(CENTER, np.add(CENTER, (1, 0, 0))),
    ):
        orbit = Orbit.from_camera(camera, MESH)
        assert orbit.camera(512, 512).center == pytest.approx(camera.center)
        assert camera.project(orbit.target)[1] > 0


def test_orbits_are_checked():
    orbit = Orbit.framing(MESH)
    assert Orbit.from_dict(json.loads(json.dumps(orbit.as_dict()))) == orbit
    for values, message in (
        ({"distance": 0.0}, "distance and radius must be positive"),
        ({"distance": math.inf}, "distance must be a finite number"),
        ({"azimuth_deg": "x"}, "azimuth_deg must be a number"),
        ({"target": (1, 2)}, "target must have shape"),
        ({"up": (0, 0, 0)}, "up .* has no direction"),
        ({"fov_deg": 180}, "fov"),
        ({"is_orthographic": 1}, "is_orthographic must be True or False"),
    ):
        with pytest.raises(dd.DDepthError, match=message):
            dataclasses.replace(orbit, **values)
        with pytest.raises(dd.RequestError):
            Orbit.from_dict({**orbit.as_dict(), **values})
    for wrong in ([], {}, {**orbit.as_dict(), "x": 1}, None):
        with pytest.raises(dd.RequestError, match="an orbit must have target, distance"):
            Orbit.from_dict(wrong)


MOVES = st.one_of(
    st.tuples(st.just("turned"), st.floats(-720, 720), st.floats(-200, 200)),
    st.tuples(st.just("panned"), st.floats(-3, 3), st.floats(-3, 3)),
    st.tuples(st.just("zoomed"), st.floats(-300, 300)),
    st.tuples(st.just("with_fov"), st.floats(1, 170)),
    st.tuples(st.just("seen_from"), st.sampled_from([*STANDARD_VIEWS])),
    st.tuples(st.just("beside")),
    st.tuples(st.just("switched")),
)


@settings(max_examples=60, deadline=None)
@given(
    moves=st.lists(MOVES, max_size=8),
    size=st.floats(1e-3, 1e3),
    offset=st.sampled_from([0.0, 10.0, 1e6]),
)
def test_no_movement_leads_to_a_camera_that_cannot_be_used(moves, size, offset):
    mesh = dd.Mesh(size * MESH.vertices + offset, MESH.faces)
    orbit = Orbit.framing(mesh)
    for name, *arguments in moves:
        if name == "switched":
            orbit = dataclasses.replace(orbit, is_orthographic=not orbit.is_orthographic)
        else:
            orbit = getattr(orbit, name)(*arguments)
    camera = orbit.camera(320, 200)
    assert image_of(camera, orbit.target) == pytest.approx([160.0, 100.0], abs=0.5)
    again = orbit.fitted(mesh, 1.6).camera(320, 200)
    image, depth = again.project(mesh.vertices)
    assert (depth > 0).all()
    assert ((image > 0) & (image < (320, 200))).all()


# State


def test_states_survive_json():
    state = ViewerState.framing(
        MESH, mode="layer", layer=3, color_map="gray", limits=(1, 2), surfaces="any",
        engine="raster", camera=dd.Camera.look_at((9, 9, 9), (0, 0, 0)), place="mould",
        mould_layers=True, pin=(3, 4), section=((1, 2), (3.5, 4)), highlight_odd=True, samples=2,
    )  # fmt: skip
    assert ViewerState.from_dict(json.loads(json.dumps(state.as_dict()))) == state
    plain = ViewerState.framing(MESH)
    assert ViewerState.from_dict(json.loads(json.dumps(plain.as_dict()))) == plain
    assert plain.orbit == Orbit.framing(MESH)
    assert plain.mould_orbit == plain.orbit.turned(40.0, 0.0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("mode", "x", "mode must be 'photo' or "),
        ("layer", -1, "layer must be an integer, at least 0, not -1"),
        ("layer", 1.0, "layer must be an integer"),
        ("color_map", "no such", "color_map must be a color map of matplotlib, such as"),
        ("color_map", 3, "color_map must be"),
        ("limits", (2, 1), "limits must be a smaller and a larger number, not 2 and 1"),
        ("limits", (1, math.nan), "limits must be a smaller"),
        ("limits", 3, "limits must be two numbers, not 3"),
        ("limits", ("a", 1), "limits must be a number"),
        ("surfaces", "x", "surfaces must be"),
        ("engine", "x", "engine must be"),
        ("camera", {}, "camera must be a Camera or None"),
        ("place", "x", "place must be"),
        ("mould_layers", 1, "mould_layers must be True or False"),
        ("pin", (1.5, 2), "pin must be a column and a row, integers"),
        ("pin", (-1, 2), "pin must be"),
        ("section", ((0, 0),), "section must be two ends"),
        ("section", ((0, 0), (1, 2, 3)), r"section must be two points \(x, y\)"),
        ("section", ((0, 0), (1, math.inf)), "section must be in pixels"),
        ("highlight_odd", None, "highlight_odd must be True or False"),
        ("samples", 0, "samples must be an integer"),
        ("samples", 129, "samples must be an integer"),
        ("orbit", None, "orbit must be an Orbit"),
    ],
)
def test_states_are_checked(name, value, message):
    with pytest.raises(dd.RequestError, match=message):
        ViewerState.framing(MESH, **{name: value})


def test_states_of_bad_files():
    entries = ViewerState.framing(MESH).as_dict()
    for wrong in (None, {}, {**entries, "x": 1}, {"mode": "photo"}):
        with pytest.raises(dd.RequestError, match="a state has orbit, mould_orbit, mode"):
            ViewerState.from_dict(wrong)
    with pytest.raises(dd.RequestError, match="an orbit must have"):
        ViewerState.from_dict({**entries, "orbit": {"target": 3}})
    with pytest.raises(dd.CameraError):
        ViewerState.from_dict({**entries, "camera": {"K": 3}})


def test_a_camera_of_a_file_is_shown_as_it_is():
    camera = dd.Camera.from_intrinsics(
        [[300, 4, 170], [0, 310, 100], [0, 0, 1]], np.eye(4), 320, 240
    )
    state = ViewerState.framing(MESH, camera=camera)
    assert state.camera_for(320, 240) == camera
    points = np.random.default_rng(0).uniform((-1, -1, 2), (1, 1, 4), (20, 3))
    image = image_of(camera, points)
    assert image_of(state.camera_for(640, 480), points) == pytest.approx(2.0 * image)
    # Wider: the same scale, with the old image in the middle.
    assert image_of(state.camera_for(400, 240), points) == pytest.approx(np.add(image, (40.0, 0.0)))
    assert image_of(state.camera_for(320, 300), points) == pytest.approx(np.add(image, (0.0, 30.0)))
    state.camera = None
    assert state.camera_for(320, 240) == state.orbit.camera(320, 240)


# Values and colors


@pytest.fixture(scope="module")
def frame():
    outer, inner = box((-1, -1, -1), (1, 1, 1)), box((0.2, 0.2, 0.2), (0.8, 0.8, 0.8))
    mesh = dd.Mesh(
        np.concatenate([outer.vertices, inner.vertices]),
        np.concatenate([outer.faces, inner.faces[:-2] + len(outer.vertices)]),
        object_id=np.repeat([0, 7], [len(outer.faces), len(inner.faces) - 2]),
    )
    camera = dd.Camera.look_at((3, 4, 5), (0, 0, 0), width=40, height=30)
    with dd.DepthRenderer() as renderer:
        return renderer.render(
            renderer.upload(mesh), camera, layers=True, attributes=("normal", "object_id")
        )


def test_values_are_those_of_the_api(frame):
    layers, maps = frame.layers, frame.maps
    expected = {
        "photo": frame.image, "entry": maps.entry, "exit": maps.exit, "thickness": maps.thickness,
        "layer_count": layers.count, "normals": maps.entry_normal,
        "object_ids": maps.entry_object_id,
    }  # fmt: skip
    for mode, values in expected.items():
        np.testing.assert_array_equal(values_of(mode, frame), values, mode)
    dense = layers.dense("depth")
    assert len(dense) >= 3
    for layer in range(len(dense)):
        np.testing.assert_array_equal(values_of("layer", frame, layer), dense[layer])
    assert np.isnan(values_of("layer", frame, len(dense))).all()
    length = values_of("solid_length", frame)
    np.testing.assert_array_equal(np.isnan(length), layers.count == 0)
    assert length[layers.count > 0] == pytest.approx(layers.solid_length[layers.count > 0])
    assert {*expected, "layer", "solid_length"} == {*MODES}


def test_modes_need_what_values_take(frame):
    for mode in MODES:
        parts = needed_parts(mode)
        part = dd.Frame(
            frame.camera,
            frame.image if parts["image"] else None,
            frame.maps if parts["maps"] else None,
            frame.layers if parts["layers"] else None,
        )
        assert values_of(mode, part).shape[:2] == (30, 40)
        assert parts["layers"] == MODES[mode].needs_layers
        with pytest.raises(dd.RequestError, match=f"the mode {mode} needs (image|maps|layers)"):
            values_of(mode, dd.Frame(frame.camera))
    with pytest.raises(dd.RequestError, match="mode must be"):
        values_of("x", frame)


def test_limits():
    values = np.array([[np.nan, 2.0, np.inf, -1.0]], np.float32)
    assert limits_of(values) == (-1.0, 2.0)
    assert limits_of(values, "thickness") == (0.0, 2.0)
    assert limits_of(np.array([[0, 3]], np.int32), "layer_count") == (0.0, 3.0)
    assert limits_of(np.zeros((1, 2), np.int32), "layer_count") == (0.0, 1.0)
    assert limits_of(np.full((1, 2), np.nan, np.float32)) == (0.0, 1.0)


def test_color_tables_are_those_of_matplotlib():
    from matplotlib import colormaps

    for name in (*COLOR_MAPS, "tab10"):
        table = color_table(name)
        assert table.shape == (256, 3)
        assert table.dtype == np.uint8
        assert not table.flags.writeable
    expected = np.round(np.array(colormaps["viridis"].colors) * 255)
    assert np.abs(color_table("viridis") - expected).max() <= 1
    labels = color_table("labels")
    assert len(np.unique(labels, axis=0)) > 250
    gaps = np.abs(np.diff(labels[:16].astype(int), axis=0)).sum(axis=1)
    assert gaps.min() > 100
    for color in (BACKGROUND, ODD_COLOR):
        for name in ("viridis", "magma", "labels"):
            assert np.abs(color_table(name).astype(int) - color).sum(axis=1).min() > 12, name


def lab_of(colors):
    """Return CIELAB of sRGB colors, (..., 3) uint8, white D65."""
    srgb = np.asarray(colors) / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    scaled = linear @ np.transpose(to_xyz) / (0.9505, 1.0, 1.089)
    x, y, z = np.moveaxis(
        np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116), -1, 0
    )
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


@pytest.mark.parametrize("mode", [mode for mode in MODES.values() if mode.has_scale])
def test_no_value_looks_like_the_background(mode):
    """Of 2.3 units of CIELAB, people see a difference; thin walls are to stand out."""
    away = np.linalg.norm(lab_of(color_table(mode.color_map)) - lab_of(BACKGROUND), axis=1)
    assert away.min() > 30.0


def test_numbers_are_colored_by_the_rule():
    table = color_table("viridis_r")
    values = np.array([[0.0, 0.5, 1.0, np.nan, 2.0, -1.0, np.inf, 0.999]], np.float32)
    image = colored(values, "entry", limits=(0.0, 1.0))
    assert (image[..., 3] == 255).all()
    expected = table[[0, 128, 255, 0, 255, 0, 255, 255]]
    expected[3] = BACKGROUND
    np.testing.assert_array_equal(image[0, :, :3], expected)
    np.testing.assert_array_equal(
        colored(values, "entry", "gray", (0.0, 1.0))[0, 1, :3], color_table("gray")[128]
    )
    # The limits of the image; equal ones.
    np.testing.assert_array_equal(
        colored(np.array([[3.0, 4.0, 5.0]], np.float32), "exit")[0, :, :3], table[[0, 128, 255]]
    )
    one = colored(np.array([[3.0, np.nan]], np.float32), "exit")[0, :, :3]
    np.testing.assert_array_equal(one, [table[128], BACKGROUND])
    assert (colored(np.full((1, 1), np.nan, np.float32), "exit")[0, 0, :3] == BACKGROUND).all()


def test_other_kinds_are_colored_by_their_rules():
    counts = colored(np.array([[0, 2, 4]], np.int32), "layer_count")[0, :, :3]
    np.testing.assert_array_equal(counts, [BACKGROUND, *color_table("viridis")[[128, 255]]])
    labels = colored(np.array([[-1, 0, 300]], np.int32), "object_ids")[0, :, :3]
    np.testing.assert_array_equal(labels, [BACKGROUND, *color_table("labels")[[0, 44]]])
    normals = np.array([[[1, 0, -1], [np.nan] * 3]], np.float32)
    np.testing.assert_array_equal(
        colored(normals, "normals")[0, :, :3], [[255, 128, 0], BACKGROUND]
    )
    photo = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [100, 100, 100, 51]]], np.uint8)
    mixed = [round(0.2 * 100 + 0.8 * each) for each in BACKGROUND]
    np.testing.assert_array_equal(
        colored(photo, "photo")[0, :, :3], [[10, 20, 30], BACKGROUND, mixed]
    )


def test_odd_pixels_are_highlighted():
    values = np.array([[1.0, 2.0, np.nan]], np.float32)
    image = colored(values, "entry", odd=np.array([[True, False, True]]))[0, :, :3]
    np.testing.assert_array_equal(image[[0, 2]], [ODD_COLOR] * 2)
    assert (image[1] != ODD_COLOR).any()


# Keys


def test_every_mode_has_a_key_and_no_key_has_two_actions():
    keys = [each.key for each in KEYS]
    assert len(keys) == len({*keys})
    assert {f"mode:{name}" for name in MODES} <= {each.action for each in KEYS}
    assert "photo" in keys_text().lower()
    assert max(map(len, keys_text().splitlines())) <= 120


def test_the_guide_has_all_modes_and_keys():
    guide = (Path(__file__).parents[1] / "docs" / "viewer.md").read_text(encoding="utf-8")
    for number, mode in enumerate(MODES.values(), start=1):
        assert f"| {number} | `{mode.name}` | {mode.description} |" in guide
        assert KEYS[number - 1].action == f"mode:{mode.name}"
    for each in KEYS[len(MODES) :]:
        assert f"| `{each.key}` | {each.text} |" in guide or each.key.startswith("Shift+")
    for action, text in MOUSE:
        assert f"| {action} | {text} |" in guide
