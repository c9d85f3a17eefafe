"""The viewer's images on the device: the values of the public API, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import gl_census, no_gl_objects_left
from shapes import box, inside_out, merged, sphere
from view_images import array_of, expected_values, meshes, reads

import ddepth_gl as dd
from ddepth_gl.engines.compute import sorting
from ddepth_gl.viewer.clouds import clouds_of
from ddepth_gl.viewer.device_images import DeviceImages
from ddepth_gl.viewer.modes import MODES
from ddepth_gl.viewer.session import Session
from ddepth_gl.viewer.state import ViewerState
from ddepth_gl.viewer.values import limits_of

WIDTH, HEIGHT = 61, 47
MESHES = meshes()
CHANNELS = {"photo": 4, "direction": 3}


@pytest.fixture
def images(renderer):
    found = DeviceImages(renderer)
    yield found
    found.release()


def check(renderer, images, scene, state, width=WIDTH, height=HEIGHT):
    """Assert that the image of a state, and its limits, are those of the public API."""
    image = images.update(scene, state, width, height)
    mode = MODES[state.mode]
    limits = image.limits if mode.has_scale else None
    found = array_of(renderer, image.texture, CHANNELS.get(mode.kind, 0))
    expected = expected_values(renderer, scene, state, width, height)
    np.testing.assert_array_equal(found, expected, err_msg=state.mode)
    if limits is not None:
        # The shader has float32.
        assert np.float32(limits).tolist() == np.float32(limits_of(expected, state.mode)).tolist()
    return image


@pytest.mark.parametrize("name", MESHES)
def test_the_values_of_every_mode(renderer, images, name):
    scene = renderer.upload(MESHES[name])
    state = ViewerState.framing(MESHES[name], aspect=WIDTH / HEIGHT)
    for orthographic in (False, True):
        state.orbit = replace(state.orbit, is_orthographic=orthographic)
        for state.mode in MODES:
            check(renderer, images, scene, state)
    scene.release()


@pytest.mark.parametrize("is_orthographic", [False, True])
def test_every_mode_of_a_mesh_with_alpha_masks(renderer, images, is_orthographic):
    """A closed mesh with holes that only a texture has, around another one."""
    mesh = masked()
    scene = renderer.upload(mesh)
    state = ViewerState.framing(mesh, aspect=WIDTH / HEIGHT, highlight_odd=True)
    state.orbit = replace(state.orbit, is_orthographic=is_orthographic)
    for state.mode in MODES:
        image = check(renderer, images, scene, state)
        counts = renderer.peel(scene, image.camera).count
        np.testing.assert_array_equal(array_of(renderer, image.counts), counts)
        if state.mode == "layer":
            state.layer = 3
            check(renderer, images, scene, state)
    assert (counts % 2).any()  # in at one hole
    check_points(renderer, images, mesh)
    scene.release()


def masked():
    """Return a box in a larger one, whose texture has square holes."""
    mesh = merged(box(), box((-0.4,) * 3, (0.4,) * 3))
    alpha = np.indices((8, 8)).sum(0) % 2 * 255
    texture = np.dstack([np.full((8, 8, 3), 200), alpha]).astype(np.uint8)
    cutoff = np.repeat([0.5, 0.0], len(mesh.faces) // 2)
    return dd.Mesh(
        mesh.vertices,
        mesh.faces,
        uv=mesh.vertices[:, :2] + mesh.vertices[:, 2:],
        texture=texture,
        alpha_cutoff=cutoff,
    )


@pytest.mark.parametrize("surfaces", ["oriented", "any"])
@pytest.mark.parametrize("name", ["torn", "mixed", "inside out"])
def test_how_faces_count(renderer, images, name, surfaces):
    scene = renderer.upload(MESHES[name])
    state = ViewerState.framing(MESHES[name], surfaces=surfaces)
    for state.mode in ("photo", "entry", "exit", "thickness", "normals"):
        check(renderer, images, scene, state)
    scene.release()


def test_every_layer_and_none(renderer, images):
    mesh = MESHES["demo"]
    scene = renderer.upload(mesh)
    state = ViewerState.framing(mesh, mode="layer")
    image = check(renderer, images, scene, state)
    most = image.max_count
    assert most > 8
    for state.layer in (1, 2, most - 1, most, most + 1000):
        check(renderer, images, scene, state)
    image = images.update(scene, state, WIDTH, HEIGHT)
    assert image.limits == (0.0, 1.0)
    scene.release()


def test_coincident_faces_are_all_layers(renderer, images):
    """Three boxes at the same place: front and back faces at equal depths, by face index."""
    mesh = merged(box(), inside_out(box()), box())
    scene = renderer.upload(mesh)
    state = ViewerState.framing(mesh, mode="layer_count")
    assert check(renderer, images, scene, state).max_count >= 6
    layers = renderer.peel(scene, state.camera_for(WIDTH, HEIGHT))
    with images._context, images._crossings(scene, layers.camera) as crossings:
        for number, keys in enumerate(crossings.layers()):
            found = np.frombuffer(keys.read(), np.uint32).reshape(-1, 2)
            pixels = np.flatnonzero(layers.count.reshape(-1) > number)
            own = layers.offsets[pixels] + number
            np.testing.assert_array_equal(found[pixels, 0] >> 1, layers.face[own])
            np.testing.assert_array_equal(found[pixels, 0] & 1, ~layers.front_facing[own])
    scene.release()


def test_a_camera_inside_and_beside_a_face(renderer, images):
    mesh = MESHES["boxes"]
    scene = renderer.upload(mesh)
    state = ViewerState.framing(mesh)
    inside = dd.Camera.look_at((0.2, 0.1, 0.3), (0.9, 2.0, 0.5), width=WIDTH, height=HEIGHT)
    beside = dd.Camera.look_at((2.0 + 1e-9, 0.5, 1.0), (0, 0, 0), width=WIDTH, height=HEIGHT)
    for state.camera in (inside, beside):
        for state.mode in MODES:
            check(renderer, images, scene, state)
    assert images.update(scene, state, WIDTH, HEIGHT).max_count is None
    scene.release()


def test_bodies_that_are_inside_out_in_places(renderer, images):
    """A body that overlaps itself: entries and exits are exchanged, with their faces."""
    ball = sphere(1.0, 16, 24)
    twisted = ball.vertices.copy()
    behind = twisted[:, 0] > 0.2
    twisted[behind, 0] = 0.4 - twisted[behind, 0]  # folded through itself
    mesh = dd.Mesh(twisted, ball.faces)
    scene = renderer.upload(mesh)
    state = ViewerState.framing(mesh)
    maps = renderer.entry_exit(scene, state.camera_for(WIDTH, HEIGHT), attributes=("face",))
    for state.mode in MODES:
        check(renderer, images, scene, state)
    assert maps.mask.any()
    scene.release()


def test_photos_with_samples(renderer, images):
    mesh = MESHES["demo"]
    scene = renderer.upload(mesh)
    state = ViewerState.framing(mesh, samples=4)
    check(renderer, images, scene, state, 230, 170)
    check(renderer, images, scene, state, 400, 301)  # in several bands
    scene.release()


def test_more_crossings_than_the_device_sorts(renderer, images, monkeypatch):
    monkeypatch.setattr(sorting, "_SORT_LIMIT", 3)
    monkeypatch.setattr(sorting, "_INSERTION_LIMIT", 2)
    scene = renderer.upload(MESHES["demo"])
    state = ViewerState.framing(MESHES["demo"], mode="layer", layer=4)
    check(renderer, images, scene, state)
    scene.release()


def test_odd_pixels(renderer, images):
    scene = renderer.upload(MESHES["torn"])
    state = ViewerState.framing(MESHES["torn"], mode="entry", highlight_odd=True)
    image = check(renderer, images, scene, state)
    layers = renderer.peel(scene, image.camera)
    assert layers.odd.any()
    np.testing.assert_array_equal(array_of(renderer, image.counts) % 2 == 1, layers.odd)
    assert image.max_count == layers.count.max()
    state.highlight_odd = False
    assert images.update(scene, state, WIDTH, HEIGHT).counts is None
    scene.release()


@pytest.mark.parametrize("name", ["torn", "boxes"])
def test_points_of_the_mould_view(renderer, images, name):
    check_points(renderer, images, MESHES[name])


def check_points(renderer, images, mesh):
    """Assert that the points of both sheets, and of all layers, are as `clouds_of` returns them."""
    session = Session(renderer, mesh)
    state = ViewerState.framing(mesh, place="mould")
    for state.mould_layers in (False, True):
        points = images.points(session.scene, state, WIDTH, HEIGHT)
        clouds = clouds_of(session, state, WIDTH, HEIGHT)
        assert len(points.depths) == len(clouds)
        assert points.left_out == 0
        centers = points.camera.pixel_centers()
        for texture, cloud in zip(points.depths, clouds, strict=True):
            depth = array_of(renderer, texture)
            is_there = ~np.isnan(depth)
            world = points.camera.unproject(centers[is_there], np.abs(depth[is_there]))
            np.testing.assert_array_equal(world, cloud.points)
            if state.mould_layers:
                is_front = cloud.colors[:, 2] > cloud.colors[:, 0]
                np.testing.assert_array_equal(depth[is_there] > 0, is_front)
    session.release()


def test_layers_that_the_mould_view_has_no_room_for(renderer, images, monkeypatch):
    monkeypatch.setattr("ddepth_gl.viewer.device_images.MAX_POINT_LAYERS", 3)
    scene = renderer.upload(MESHES["demo"])
    state = ViewerState.framing(MESHES["demo"], mould_layers=True)
    points = images.points(scene, state, WIDTH, HEIGHT)
    most = renderer.peel(scene, points.camera).count.max()
    assert len(points.depths) == 3
    assert points.left_out == most - 3
    scene.release()


def test_nothing_is_rendered_twice(renderer, images):
    scene = renderer.upload(box())
    state = ViewerState.framing(box(), mode="entry")
    first = images.update(scene, state, WIDTH, HEIGHT)
    state.color_map, state.limits, state.layer, state.samples = "gray", (0.0, 2.0), 3, 2
    state.place, state.pin, state.mould_orbit = "mould", (3, 4), state.orbit.turned(5, 5)
    assert images.update(scene, state, WIDTH, HEIGHT) is first
    assert images.rendered_count == 1
    for change in (
        {"mode": "exit"},
        {"orbit": state.orbit.turned(1, 0)},
        {"surfaces": "any"},
        {"highlight_odd": True},
    ):
        before = images.rendered_count
        images.update(scene, replace(state, **change), WIDTH, HEIGHT)
        images.update(scene, replace(state, **change), WIDTH, HEIGHT)
        assert images.rendered_count == before + 1, change
    images.update(scene, state, WIDTH + 1, HEIGHT)
    other = renderer.upload(sphere(1.0, 5, 6))
    before = images.rendered_count
    images.update(other, state, WIDTH + 1, HEIGHT)
    assert images.rendered_count == before + 1
    scene.release()
    other.release()


@pytest.mark.parametrize("mode", MODES)
def test_no_image_comes_to_the_cpu(renderer, images, mode, monkeypatch):
    """The photo decides on an image of its own, of 256 pixels at most, which it reads."""
    scene = renderer.upload(MESHES["demo"])
    state = ViewerState.framing(MESHES["demo"], mode=mode, layer=1)
    if mode == "photo":
        monkeypatch.setattr(
            "ddepth_gl.engines.base.Engine._is_inside_out", lambda *_: False, raising=True
        )
    images.update(scene, state, 200, 150)  # reads the mesh once
    state.orbit = state.orbit.turned(5.0, 5.0)
    with reads(monkeypatch) as found:
        image = images.update(scene, state, 200, 150)
        assert image.limits or mode in ("photo", "normals", "object_ids")
        images.points(scene, state, 200, 150)
    assert sum(found) <= 64, found
    assert found or mode in ("photo", "normals", "object_ids")
    scene.release()


@pytest.mark.slow
def test_no_object_of_opengl_is_left(renderer):
    """200 images of all modes and sizes, twice: nothing lives on that did not after the first."""
    mesh = MESHES["boxes"]
    with renderer._context:
        show_many(renderer, mesh, 30)  # compiles programs of the engines
    with no_gl_objects_left(renderer):
        seen = show_many(renderer, mesh, 210)
    assert seen[-1] - seen[0] <= 2  # a program for faces in doubt, see no_gl_objects_left


def show_many(renderer, mesh, count):
    """Show images of all modes and sizes; return the numbers of objects now and then."""
    scene, images = renderer.upload(mesh), DeviceImages(renderer)
    state = ViewerState.framing(mesh)
    sizes = ((40, 30), (20, 15), (41, 29))
    seen = []
    for number in range(count):
        state.orbit = state.orbit.turned(3.0, 1.0)
        state.mode = list(MODES)[number % len(MODES)]
        state.highlight_odd = number % 4 == 0
        state.layer = number % 5
        state.mould_layers = number % 2 == 0
        width, height = sizes[number // 9 % 3]
        image = images.update(scene, state, width, height)
        if MODES[state.mode].has_scale:
            assert len(image.limits) == 2
        images.points(scene, state, width, height)
        if number % 54 == 53:
            with renderer._context:
                seen.append(sum(gl_census().values()))
    images.release()
    images.release()
    scene.release()
    return seen


def test_errors_leave_everything_usable(renderer, images, monkeypatch):
    scene = renderer.upload(box())
    state = ViewerState.framing(box(), mode="layer")
    if renderer.info.engine == "compute":
        with monkeypatch.context() as patch:
            patch.setattr(renderer._context, "max_texels", 10)
            with pytest.raises(dd.DeviceMemoryError, match="crossings do not fit into one buffer"):
                images.update(scene, state, WIDTH, HEIGHT)
    limit = renderer.info.max_image_size
    with pytest.raises(dd.CameraError, match="larger than the"):
        images.update(scene, state, limit + 1, 2)
    check(renderer, images, scene, state)
    scene.release()
    with pytest.raises(dd.ContextClosedError, match="released"):
        images.update(scene, replace(state, mode="entry"), WIDTH, HEIGHT)


def test_release_after_the_renderer():
    renderer = dd.DepthRenderer()
    images = DeviceImages(renderer)
    images.update(renderer.upload(box()), ViewerState.framing(box()), WIDTH, HEIGHT)
    renderer.close()
    images.release()


def test_larger_than_a_band(renderer, images, monkeypatch):
    if renderer.info.engine != "compute":
        pytest.skip("only the engine compute has bands")
    scene = renderer.upload(box())
    state = ViewerState.framing(box(), mode="entry")
    monkeypatch.setattr(renderer._context, "max_storage_block", 8 * WIDTH * 3)
    with pytest.raises(dd.DeviceMemoryError, match="both sheets of 63x47 pixels are larger"):
        images.update(scene, state, 63, HEIGHT)
    scene.release()
