"""What the viewer renders of a state: results, the probe of a pixel and sections."""

from __future__ import annotations

import dataclasses
import math
import weakref

import numpy as np
import oracle
import pytest
from layer_checks import RELATIVE
from shapes import box, grid_step, sphere, view_of

import ddepth_gl as dd
from ddepth_gl.results.sections import section_of
from ddepth_gl.viewer.coloring import ODD_COLOR, colored
from ddepth_gl.viewer.modes import MODES
from ddepth_gl.viewer.orbit import Orbit
from ddepth_gl.viewer.probe import pixel_camera
from ddepth_gl.viewer.section import section_along, section_line
from ddepth_gl.viewer.session import Session
from ddepth_gl.viewer.state import ViewerState
from ddepth_gl.viewer.values import limits_of

SIZE = WIDTH, HEIGHT = 64, 48


def two_spheres() -> dd.Mesh:
    """Two spheres that overlap; few faces, so that few pixels lie at their borders."""
    parts = sphere(rings=10, sides=20), sphere(0.7, 8, 16, (0.8, 0.2, 0.1))
    return dd.Mesh(
        np.concatenate([each.vertices for each in parts]),
        np.concatenate([parts[0].faces, parts[1].faces + len(parts[0].vertices)]),
    )


def two_boxes() -> dd.Mesh:
    """A box with an open one inside it."""
    outer, inner = box(), box((0.2, 0.2, 0.2), (0.8, 0.8, 0.8))
    return dd.Mesh(
        np.concatenate([outer.vertices, inner.vertices]),
        np.concatenate([outer.faces, inner.faces[:-2] + len(outer.vertices)]),
        object_id=np.repeat([0, 1], [len(outer.faces), len(inner.faces) - 2]),
        object_names=("outer", "in\nner"),
        name="boxes",
    )


@pytest.fixture(scope="module")
def demo():
    return two_spheres()


@pytest.fixture
def session(renderer, demo):
    session = Session(renderer, demo)
    yield session
    session.release()


class Truth:
    """The oracle's crossings of an image, face by face, with the errors that depths may have."""

    def __init__(self, mesh, camera):
        self.crossings = oracle.all_crossings(mesh.vertices, mesh.faces, view_of(camera))
        found = oracle.find_candidates(mesh.vertices, mesh.faces, view_of(camera))
        pairs = zip(found.pixel.tolist(), found.face.tolist(), strict=True)
        self.slopes = dict(zip(pairs, found.slope.tolist(), strict=True))
        self.camera, self.grid = camera, grid_step(mesh)

    def check(self, pixel, faces, depths):
        """Compare the crossings of a pixel; return whether there are any, None at borders."""
        if not self.crossings.stable.ravel()[pixel]:
            return None
        own = slice(*self.crossings.offsets[pixel : pixel + 2])
        expected = dict(zip(self.crossings.face[own], self.crossings.depth[own], strict=True))
        assert sorted(faces) == sorted(expected)
        for face, depth in zip(faces, depths, strict=True):
            exact = expected[face]
            # As in test_peel_oracle: float32, and the corners' rounding, larger on steep faces.
            footprint = self.camera.pixel_footprint(np.array(exact))
            allowed = RELATIVE * exact + self.grid * (1 + 3 * self.slopes[pixel, face] / footprint)
            assert abs(depth - exact) <= allowed
        return bool(expected)


class Counting:
    """A renderer that counts what is rendered with it."""

    def __init__(self, renderer):
        self.renderer, self.calls = renderer, []

    def __getattr__(self, name):
        return getattr(self.renderer, name)

    def render(self, scene, camera, **options):
        self.calls.append({part for part in ("image", "maps", "layers") if options.get(part, True)})
        return self.renderer.render(scene, camera, **options)

    def peel(self, *arguments, **options):
        self.calls.append({"peel"})
        return self.renderer.peel(*arguments, **options)


# Results


def test_frames_are_those_of_the_renderer(session, renderer, demo):
    state = ViewerState.framing(demo)
    camera = state.camera_for(*SIZE)
    expected = renderer.render(
        session.scene, camera, layers=True, attributes=("normal", "object_id")
    )
    for mode in MODES:
        state.mode = mode
        frame = session.frame(state, *SIZE)
        assert (frame.image is None) == (mode != "photo")
        assert (frame.layers is None) == (not MODES[mode].needs_layers)
        if frame.image is not None:
            np.testing.assert_array_equal(frame.image, expected.image)
        if frame.maps is not None:
            np.testing.assert_array_equal(frame.maps.entry, expected.maps.entry)
        if frame.layers is not None:
            np.testing.assert_array_equal(frame.layers.depth, expected.layers.depth)
        values = session.values(state, *SIZE)
        np.testing.assert_array_equal(session.image(state, *SIZE), colored(values, mode))
    frame = session.frame(dataclasses.replace(state, mode="photo"), *SIZE, layers=True)
    np.testing.assert_array_equal(frame.layers.offsets, expected.layers.offsets)


def test_only_what_changed_is_rendered(renderer, demo):
    counting = Counting(renderer)
    session = Session(counting, demo)
    state = ViewerState.framing(demo, mode="entry")

    def rendered(**changes):
        for name, value in changes.items():
            setattr(state, name, value)
        counting.calls.clear()
        session.image(state, *SIZE)
        return counting.calls

    assert rendered() == [{"maps"}]
    assert rendered(mode="thickness", color_map="gray", limits=(0.0, 1.0)) == []
    assert rendered(mode="normals") == [{"maps"}]
    assert rendered(mode="exit") == []
    assert rendered(mode="photo") == [{"image"}]
    assert rendered(mode="layer") == [{"layers"}]
    assert rendered(layer=2) == []
    assert rendered(mode="layer_count", highlight_odd=True) == []
    assert rendered(mode="solid_length", surfaces="any") == []
    assert rendered(mode="exit") == [{"maps"}]
    assert rendered(mode="photo", samples=2) == [{"image"}]
    assert rendered(orbit=state.orbit.turned(5.0, 0.0), highlight_odd=False) == [{"image"}]
    assert rendered() == []
    session.maps(state, *SIZE)
    session.layers(state, *SIZE, ("object_id",))
    assert counting.calls == [{"maps"}, {"layers"}]
    session.layers(state, *SIZE)
    assert len(counting.calls) == 2
    # Another camera frees what was rendered of this one.
    layers = weakref.ref(session.layers(state, *SIZE))
    assert layers() is not None
    rendered(orbit=state.orbit.zoomed(1.0))
    assert layers() is None
    session.release()


def test_another_mesh(renderer, demo, session):
    state = ViewerState.framing(demo, mode="entry")
    session.values(state, *SIZE)
    old = session.scene
    session.replace_mesh(box(), "box.ply", "mesh = load()")
    assert (session.name, session.mesh_line) == ("box.ply", "mesh = load()")
    with pytest.raises(dd.ContextClosedError):
        renderer.entry_exit(old, state.camera_for(*SIZE))
    scene = renderer.upload(box())
    expected = renderer.entry_exit(scene, state.camera_for(*SIZE))
    np.testing.assert_array_equal(session.values(state, *SIZE), expected.entry)
    # What cannot be uploaded leaves the old mesh.
    with pytest.raises(dd.MeshError):
        session.replace_mesh("no mesh")
    assert session.name == "box.ply"
    np.testing.assert_array_equal(session.values(state, *SIZE), expected.entry)
    session.release()
    session.release()


def test_odd_pixels_are_marked(renderer):
    session = Session(renderer, two_boxes())
    state = ViewerState.framing(session.mesh, mode="entry", highlight_odd=True)
    odd = session.layers(state, *SIZE).odd
    assert odd.any()
    image = session.image(state, *SIZE)
    np.testing.assert_array_equal((image[..., :3] == ODD_COLOR).all(axis=2), odd)
    session.release()


# Probe


@pytest.mark.parametrize("is_orthographic", [False, True])
@pytest.mark.parametrize("surfaces", ["auto", "oriented", "any"])
def test_a_probe_is_the_ray_of_the_layers(session, demo, is_orthographic, surfaces):
    state = ViewerState.framing(demo, surfaces=surfaces)
    state.orbit = dataclasses.replace(state.orbit, is_orthographic=is_orthographic)
    camera = state.camera_for(*SIZE)
    layers = session.layers(state, *SIZE, ("object_id",))
    maps = session.maps(state, *SIZE)
    nesting, _ = layers.nesting
    origins, directions = camera.rays()
    # Elsewhere, the engine "raster" may find other crossings in an image of one pixel.
    stable = np.flatnonzero(Truth(demo, camera).crossings.stable.ravel())
    seen = 0
    for pixel in np.random.default_rng(3).permutation(stable)[:150].tolist():
        row, column = divmod(pixel, WIDTH)
        probe = session.probe(state, *SIZE, column, row)
        own = slice(*layers.offsets[pixel : pixel + 2])
        for name, values in (
            ("depth", layers.depth), ("is_front", layers.front_facing), ("face", layers.face),
            ("object_id", layers.object_id), ("nesting", nesting),
        ):  # fmt: skip
            assert [getattr(each, name) for each in probe.crossings] == values[own].tolist(), name
        points = np.reshape([each.point for each in probe.crossings], (-1, 3))
        center = camera.pixel_centers()[row, column]
        assert points == pytest.approx(camera.unproject(center, layers.depth[own]), abs=1e-9)
        distances = [each.distance for each in probe.crossings]
        assert distances == pytest.approx(layers.distance[own], rel=1e-6)
        assert np.reshape([*map(probe.at, distances)], (-1, 3)) == pytest.approx(points, abs=1e-5)
        for name in ("entry", "exit", "thickness"):
            expected = getattr(maps, name)[row, column]
            assert getattr(probe, name) == pytest.approx(expected, nan_ok=True, rel=1e-6)
        assert probe.solid_length == pytest.approx(layers.solid_length[row, column], rel=1e-6)
        assert probe.origin == pytest.approx(origins[row, column])
        assert probe.direction == pytest.approx(directions[row, column])
        per_depth = camera.distance_per_depth()[row, column]
        inside = np.reshape(layers.intervals(row, column), (-1, 2)) * per_depth
        assert np.reshape(probe.inside, (-1, 2)) == pytest.approx(inside, rel=1e-6)
        seen += len(probe.crossings) > 2
    assert seen > 8


def test_a_probe_meets_what_the_oracle_meets(session, demo):
    state = ViewerState.framing(demo)
    truth = Truth(demo, state.camera_for(*SIZE))
    compared = 0
    for pixel in range(0, WIDTH * HEIGHT, 11):
        found = session.probe(state, *SIZE, pixel % WIDTH, pixel // WIDTH).crossings
        compared += bool(
            truth.check(pixel, [each.face for each in found], [each.depth for each in found])
        )
    assert compared > 50


def test_the_text_of_a_probe(renderer):
    session = Session(renderer, two_boxes())
    state = ViewerState.framing(session.mesh)
    state.orbit = state.orbit.seen_from("front")
    text = str(session.probe(state, 101, 101, 66, 34))
    lines = text.splitlines()
    assert lines[0] == "pixel (66, 34)"
    assert lines[1].startswith("entry ")
    assert "solid length " in text
    assert any("back" in line and "object 1 'in ner'" in line for line in lines)
    assert any("front" in line and "object 0 'outer'" in line for line in lines)
    assert any(line.startswith("inside at distances ") for line in lines)
    assert str(session.probe(state, 101, 101, 0, 0)) == "pixel (0, 0): the ray meets nothing"
    for x, y in ((-1, 0), (101, 0), (0, 101), (0.5, 0), (None, 0)):
        with pytest.raises(dd.RequestError, match=r"there is no pixel .* of 101x101 pixels"):
            session.probe(state, 101, 101, x, y)
    session.release()


def test_a_probe_from_inside(renderer):
    session = Session(renderer, box())
    state = ViewerState.framing(session.mesh, camera=dd.Camera.look_at((0, 0, 0), (0, 1, 0)))
    probe = session.probe(state, 101, 101, 50, 50)
    assert [each.is_front for each in probe.crossings] == [False]
    assert math.isnan(probe.entry)
    assert "entry none" in str(probe)
    assert probe.inside == ((0.0, pytest.approx(1.0)),)
    session.release()


# Sections


@pytest.mark.parametrize("is_orthographic", [False, True])
def test_a_horizontal_section_is_that_of_plot_section(session, demo, is_orthographic):
    state = ViewerState.framing(demo)
    state.orbit = dataclasses.replace(state.orbit, is_orthographic=is_orthographic)
    layers = session.layers(state, *SIZE)
    for line, chosen in (
        (((0, 20.5), (WIDTH, 20.5)), {"row": 20}),
        (((WIDTH, 30.1), (0, 30.7)), {"row": 30}),
        (((31.2, 0), (31.9, HEIGHT)), {"column": 31}),
        (((-50, HEIGHT - 0.5), (500, HEIGHT)), {"row": HEIGHT - 1}),
    ):
        state.section = line
        section = session.section(state, *SIZE)
        expected = section_of(layers, **chosen)
        assert len(section) == expected.length
        np.testing.assert_array_equal(section.ray, expected.pixel)
        np.testing.assert_array_equal(section.depth, expected.depth)
        np.testing.assert_array_equal(section.is_front, expected.entering)
        np.testing.assert_array_equal(section.solid_ray, expected.solid_pixel)
        np.testing.assert_array_equal(section.solid, expected.solid)
        np.testing.assert_array_equal(section.unknown, expected.unknown)
        assert section.depth_range == expected.depth_range()
        number = chosen.get("row", chosen.get("column"))
        assert (section.points[:, int("row" in chosen)] == number + 0.5).all()
        np.testing.assert_array_equal(
            section.points[:, int("column" in chosen)], np.arange(len(section)) + 0.5
        )
    assert len(section.depth) == 0


@pytest.mark.parametrize("skew", [0.0, 3.0])
@pytest.mark.parametrize("line", [((3, 40), (60, 5.5)), ((10.2, 3), (40, 47)), ((9, 4), (8, 45))])
def test_the_rays_of_a_section_are_those_of_its_points(line, skew):
    """The camera of the line, against rays through image coordinates of the whole image."""
    look = dd.Camera.look_at((3, -4, 2), (0.2, 0.1, 0))
    for is_orthographic in (False, True):
        K = np.array([[50.0, skew, 30.0], [0, 64.0, 25.5], [0, 0, 1]])
        camera = dd.Camera(K, look.camera_from_world, *SIZE, is_orthographic)
        found = section_line(camera, line)
        assert found.camera.height == 1
        assert len(found.points) == found.camera.width == math.ceil(np.hypot(*np.subtract(*line)))
        for depth in (0.5, 3.0):
            np.testing.assert_allclose(
                found.camera.unproject(found.camera.pixel_centers()[0], np.array(depth)),
                camera.unproject(found.points, np.array(depth)),
                atol=1e-12,
            )
        direction = np.subtract(*sorted(line)[::-1])
        offset = (found.points - sorted(line)[0]) @ (-direction[1], direction[0])
        assert offset == pytest.approx(0.0, abs=1e-9)


def test_a_sloped_section_meets_what_the_oracle_meets(session, demo):
    state = ViewerState.framing(demo, section=((5.0, 40.0), (60.0, 9.0)))
    section = session.section(state, *SIZE)
    line = section_line(state.camera_for(*SIZE), state.section)
    layers = session.renderer.peel(session.scene, line.camera)
    np.testing.assert_array_equal(section.depth, layers.depth)
    truth = Truth(demo, line.camera)
    compared = 0
    for ray in range(len(section)):
        own = layers.pixel == ray
        compared += bool(truth.check(ray, layers.face[own].tolist(), layers.depth[own].tolist()))
    assert compared > 20
    assert len(section.solid) > 20
    for ray, (start, end) in zip(section.solid_ray, section.solid, strict=True):
        middle = (start + end) / 2.0
        own = section.ray == ray
        before = section.is_front[own][section.depth[own] < middle]
        assert before.sum() > (~before).sum()


def test_sections_that_cross_nothing(session, demo):
    state = ViewerState.framing(demo)
    with pytest.raises(dd.RequestError, match="there is no section line"):
        session.section(state, *SIZE)
    for line in (((-5, 3), (-1, 40)), ((0, -1), (64, -1)), ((-10, 5), (5, -10.5))):
        state.section = line
        with pytest.raises(dd.RequestError, match="does not cross the image of 64x48 pixels"):
            session.section(state, *SIZE)
    # A single point is a single pixel.
    state.section = ((12.3, 20.9), (12.3, 20.9))
    section = session.section(state, *SIZE)
    np.testing.assert_array_equal(section.points, [[12.5, 20.5]])


def test_a_section_of_open_meshes_is_unknown(renderer):
    session = Session(renderer, two_boxes())
    state = ViewerState.framing(session.mesh, section=((0, 30), (100, 31)))
    camera = state.camera_for(100, 60)
    line = section_line(camera, state.section)
    layers = renderer.peel(session.scene, line.camera)
    assert len(section_along(layers, line.points).solid) > 0
    sheet = dd.Mesh(box().vertices, box().faces[:-2])
    session.replace_mesh(sheet)
    section = session.section(state, 100, 60)
    assert section.unknown.any()
    assert len(section.solid) == 0
    session.release()


def test_sections_and_probes_are_kept(renderer, demo):
    counting = Counting(renderer)
    session = Session(counting, demo)
    state = ViewerState.framing(demo, section=((0, 3), (60, 40)))
    for _ in range(2):
        session.section(state, *SIZE)
        session.probe(state, *SIZE, 30, 20)
    assert counting.calls == [{"peel"}, {"maps", "layers"}]
    state.orbit = state.orbit.zoomed(1)
    session.section(state, *SIZE)
    session.probe(state, *SIZE, 30, 20)
    assert len(counting.calls) == 4
    session.release()


def test_a_camera_of_some_pixels():
    camera = Orbit.framing(box()).camera(*SIZE)
    window = pixel_camera(camera, 5, 7, 3, 2)
    for found, expected in zip(window.rays(), camera.rays(), strict=True):
        assert found == pytest.approx(expected[7:9, 5:8])


def test_limits_of_a_state_are_those_of_its_image(session, demo):
    state = ViewerState.framing(demo, mode="thickness")
    low, high = limits_of(session.values(state, *SIZE), state.mode)
    assert low == 0.0
    assert high == np.nanmax(session.maps(state, *SIZE).thickness)
