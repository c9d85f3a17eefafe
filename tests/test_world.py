"""The mould view: points, frustum, ray and edges where the camera of the view projects them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import no_gl_objects_left
from shapes import box
from view_images import array_of, meshes

from ddepth_gl.engines.shared.image_targets import ImageTarget
from ddepth_gl.viewer.clouds import BACK_COLOR, FRONT_COLOR
from ddepth_gl.viewer.coloring import BACKGROUND
from ddepth_gl.viewer.device_images import DeviceImages
from ddepth_gl.viewer.screenshot import Screenshots
from ddepth_gl.viewer.session import Session
from ddepth_gl.viewer.state import ViewerState
from ddepth_gl.viewer.world import World
from ddepth_gl.viewer.world_lines import frustum_segments, mesh_edges, widened

WIDTH, HEIGHT = 160, 120
MESHES = meshes()


class Shown:
    """A mould view that is drawn off-screen."""

    def __init__(self, renderer, mesh, **values):
        self.renderer, self.session = renderer, Session(renderer, mesh)
        self.images = DeviceImages(renderer)
        self.state = ViewerState.framing(mesh, place="mould", **values)
        self.state.mould_orbit = self.state.orbit.turned(-70.0, 20.0).zoomed(-3)
        with renderer._context as context:
            self.world = World(context.gl)
            self.target = ImageTarget(context, (WIDTH, HEIGHT), 4, "f1")

    def image(self, **options):
        points = self.images.points(self.session.scene, self.state, WIDTH, HEIGHT)
        with self.renderer._context as context:
            self.world.draw(
                self.target.framebuffer,
                points,
                self.session.mesh,
                self.state,
                (0, 0, WIDTH, HEIGHT),
                **options,
            )
            assert context.gl.error == "GL_NO_ERROR"
        return array_of(self.renderer, self.target.texture, 4)[::-1]

    @property
    def mould_camera(self):
        return self.state.mould_orbit.camera(WIDTH, HEIGHT)

    def close(self):
        with self.renderer._context:
            self.world.release()
            self.target.release()
        self.images.release()
        self.session.release()


@pytest.fixture
def shown(renderer):
    made = []

    def make(mesh, **values):
        made.append(Shown(renderer, mesh, **values))
        return made[-1]

    yield make
    for each in made:
        each.close()


def hue(pixels):
    """Return which pixels have the hue of fronts, and which that of backs; shades vary."""
    is_blue = pixels[..., 2] > 1.4 * pixels[..., 0] + 20
    is_orange = pixels[..., 0] > 1.4 * pixels[..., 2] + 20
    return is_blue, is_orange


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("mould_orthographic", [False, True])
def test_points_lie_where_the_camera_projects_them(
    shown, orthographic, mould_orthographic, monkeypatch
):
    """Of the points that share a pixel of the view, the nearest is seen."""
    no_lines = np.empty((0, 2, 3))
    monkeypatch.setattr("ddepth_gl.viewer.world.frustum_segments", lambda *_: no_lines)
    # Then a point covers the pixel that it lies in.
    monkeypatch.setattr("ddepth_gl.viewer.world._POINT_SIZE", 1.0)
    view = shown(MESHES["boxes"])
    view.state.orbit = replace(view.state.orbit, is_orthographic=orthographic)
    view.state.mould_orbit = replace(view.state.mould_orbit, is_orthographic=mould_orthographic)
    is_blue, is_orange = hue(view.image().astype(float))
    maps = view.session.maps(view.state, WIDTH, HEIGHT)
    nearest = np.full((2, HEIGHT, WIDTH), np.inf)
    is_unsure = np.zeros((HEIGHT, WIDTH), bool)
    for depth_of, cloud in zip(nearest, maps.points(frame="world"), strict=True):
        position, depth = view.mould_camera.project(cloud)
        columns, rows = np.floor(position).astype(int).T
        inside = (columns >= 0) & (columns < WIDTH) & (rows >= 0) & (rows < HEIGHT)
        np.minimum.at(depth_of, (rows[inside], columns[inside]), depth[inside])
        # Positions are float32 on the device, with some bits less behind the point.
        for shift in ((-0.01, 0), (0.01, 0), (0, -0.01), (0, 0.01)):
            columns_there, rows_there = np.floor(position + shift).astype(int).T
            moved = inside & ((columns_there != columns) | (rows_there != rows))
            is_unsure[rows[moved], columns[moved]] = True
            moved &= (columns_there >= 0) & (columns_there < WIDTH)
            moved &= (rows_there >= 0) & (rows_there < HEIGHT)
            is_unsure[rows_there[moved], columns_there[moved]] = True
    seen = np.isfinite(nearest).any(axis=0)
    is_entry = nearest[0] < nearest[1]
    # At silhouettes both clouds meet.
    meet = seen & (np.abs(np.subtract(*nearest, where=seen, out=np.ones(seen.shape))) < 1e-3)
    sure = ~is_unsure
    assert (seen & sure & ~meet).sum() > 600
    np.testing.assert_array_equal((is_blue | is_orange)[sure], seen[sure])
    compared = seen & sure & ~meet
    np.testing.assert_array_equal(is_blue[compared], is_entry[compared])


def test_layers_are_colored_by_facing(shown):
    view = shown(MESHES["hollow"], mould_layers=True)
    points = view.images.points(view.session.scene, view.state, WIDTH, HEIGHT)
    assert len(points.depths) == 4
    is_blue, is_orange = hue(view.image().astype(float))
    assert is_blue.sum() > 200
    assert is_orange.sum() > 200


def test_what_is_behind_is_hidden(shown):
    """Seen from the rendering camera, the entries hide the exits."""
    view = shown(box())
    view.state.mould_orbit = view.state.orbit
    pixels = view.image()
    mask = view.session.maps(view.state, WIDTH, HEIGHT).mask
    inner = mask & np.roll(mask, 2, 0) & np.roll(mask, -2, 0)
    inner &= np.roll(mask, 2, 1) & np.roll(mask, -2, 1)
    is_blue, is_orange = hue(pixels.astype(float))
    assert is_blue[inner].mean() > 0.99
    assert not is_orange[inner].any()
    view.state.mould_orbit = view.state.orbit.turned(180.0, -2 * view.state.orbit.elevation_deg)
    view.state.mould_orbit = replace(
        view.state.mould_orbit, elevation_deg=-view.state.orbit.elevation_deg
    )
    is_blue, is_orange = hue(view.image().astype(float))
    assert is_orange.sum() > 10 * is_blue.sum()


def test_the_frustum_and_the_background(shown):
    view = shown(box())
    pixels = view.image()[..., :3].astype(int)
    segments = frustum_segments(view.state.camera_for(WIDTH, HEIGHT), box())
    assert segments.shape == (12, 2, 3)
    found = 0
    for start, end in segments:
        for t in np.linspace(0.05, 0.95, 7):
            position, depth = view.mould_camera.project(start + t * (end - start))
            column, row = np.floor(position).astype(int)
            if depth > 0 and 1 <= column < WIDTH - 1 and 1 <= row < HEIGHT - 1:
                around = pixels[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, 3)
                assert (np.abs(around - BACKGROUND).sum(axis=1) > 30).any()
                found += 1
    assert found > 10
    assert (pixels == BACKGROUND).all(axis=-1).mean() > 0.5
    np.testing.assert_array_equal(pixels[0, 0], BACKGROUND)


def test_the_ray_of_a_probe_and_its_pieces(shown):
    view = shown(MESHES["hollow"])
    probe = view.session.probe(view.state, WIDTH, HEIGHT, WIDTH // 2, HEIGHT // 2)
    assert len(probe.inside) == 2
    without, pixels = (view.image(probe=each)[..., :3].astype(int) for each in (None, probe))
    greens = [
        (each[..., 1] > 1.5 * each[..., 0]) & (each[..., 1] > 1.5 * each[..., 2])
        for each in (without, pixels)
    ]
    assert not greens[0].any()
    is_green = greens[1]
    changed = (pixels != without).any(axis=-1)
    assert is_green.sum() > 20
    assert changed.sum() > is_green.sum() + 20
    for start, end in probe.inside:
        position, _ = view.mould_camera.project(np.array(probe.at((start + end) / 2)))
        column, row = np.floor(position).astype(int)
        assert is_green[row, column]


def test_the_edges_of_the_mesh(shown):
    view = shown(box())
    view.state.orbit = view.state.orbit.zoomed(-30)  # few points
    without, pixels = (view.image(shows_mesh=each) for each in (False, True))
    changed = (without != pixels).any(axis=-1)
    low, high = box().bounds
    position, _ = view.mould_camera.project(np.array([low, high, (low[0], high[1], low[2])]))
    assert changed.sum() > 100
    for column, row in np.floor(position).astype(int):
        assert changed[row - 2 : row + 3, column - 2 : column + 3].any()


def test_every_so_many_points(shown):
    view = shown(MESHES["demo"])
    full, half, third = (view.image(stride=each).astype(float) for each in (1, 2, 3))
    for coarse in (half, third):
        assert (np.abs(coarse - full).max(axis=-1) > 60).mean() < 0.2
    assert not np.array_equal(half, full)


def test_the_last_image_is_shown_again(shown, renderer):
    view = shown(box())
    first = view.image()
    with renderer._context:
        view.target.framebuffer.clear(1.0, 0.0, 0.0, 1.0)
        view.world.show(view.target.framebuffer, (0, 0, WIDTH, HEIGHT))
    np.testing.assert_array_equal(array_of(renderer, view.target.texture, 4)[::-1], first)


def test_the_screenshot_of_the_mould(renderer, shown):
    view = shown(MESHES["torn"])
    taken = Screenshots(renderer)
    image = taken.take(view.session.scene, view.state, WIDTH, HEIGHT)
    np.testing.assert_array_equal(image, view.image())
    view.state.pin = WIDTH // 2, HEIGHT // 2
    image = taken.take(view.session.scene, view.state, WIDTH, HEIGHT)
    probe = view.session.probe(view.state, WIDTH, HEIGHT, *view.state.pin)
    np.testing.assert_array_equal(image, view.image(probe=probe))
    assert (image != view.image()).any()
    view.state.pin = WIDTH, 0  # of a larger image
    image = taken.take(view.session.scene, view.state, WIDTH, HEIGHT)
    np.testing.assert_array_equal(image, view.image())
    taken.release()
    taken.release()


@pytest.mark.slow
def test_no_object_of_opengl_is_left(renderer):
    def show():
        view = Shown(renderer, MESHES["boxes"])
        for number in range(40):
            view.state.mould_orbit = view.state.mould_orbit.turned(9.0, 3.0)
            view.state.mould_layers = number % 2 == 0
            view.image(shows_mesh=number % 3 == 0)
        view.close()

    show()
    with no_gl_objects_left(renderer):
        show()


def test_lines_that_pass_the_camera_are_cut_off():
    matrix = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -1], [0, 0, 1, 0]])  # w is z
    lines = np.array(
        [
            [[0.0, 0, 2], [1, 0, 2]],  # in front
            [[0.0, 0, -2], [1, 0, -2]],  # behind
            [[0.0, 0, -2], [0, 0, 2]],  # through the camera
            [[0.0, 0, 2], [0, 0, 3]],  # a point in the image
        ]
    )
    positions = widened(lines, matrix, (100, 50), 4.0)
    assert positions.shape == (18, 4)
    assert np.isfinite(positions).all()
    assert (positions[:, 3] > 0).all()
    first = positions[:6, :2] / positions[:6, 3:]
    np.testing.assert_allclose(np.unique(np.round(first[:, 1], 6)), [-0.08, 0.08])
    assert len(widened(np.empty((0, 2, 3)), matrix, (10, 10), 1.0)) == 0


def test_edges_come_once():
    edges = mesh_edges(box())
    assert len(edges) == 18
    assert len(np.unique(edges, axis=0)) == 18
    assert (edges[:, 0] < edges[:, 1]).all()


def test_colors_of_the_clouds():
    assert hue(np.array(FRONT_COLOR, float)) == (True, False)
    assert hue(np.array(BACK_COLOR, float)) == (False, True)
    assert not any(hue(np.array(BACKGROUND, float)))
