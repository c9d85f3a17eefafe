"""Canvas and screenshots: the colors of `colored`, in any viewport and at any resolution."""

from __future__ import annotations

import numpy as np
import pytest
from shapes import box
from view_images import array_of, expected_values, meshes

import ddepth_gl as dd
from ddepth_gl.engines.shared.image_targets import ImageTarget
from ddepth_gl.viewer.canvas import Canvas
from ddepth_gl.viewer.coloring import BACKGROUND, ODD_COLOR, color_table, colored
from ddepth_gl.viewer.device_images import DeviceImages
from ddepth_gl.viewer.modes import MODES
from ddepth_gl.viewer.screenshot import Screenshots, screenshot
from ddepth_gl.viewer.state import ViewerState

WIDTH, HEIGHT = 61, 47
MESHES = meshes()


@pytest.fixture
def screenshots(renderer):
    found = Screenshots(renderer)
    yield found
    found.release()


# Only where a value falls on the border of two entries of a color table may the shader choose the
# other one: its division need not be exact. Each value is in reach of a border, 2**-22 of a range,
# with a probability of 256 * 2**-22; so in a thousand images of this size, there are some pixels.
_MAX_DIFFERING = 5


def differing(image, expected):
    """Return the number of pixels that differ."""
    return (image != expected).any(axis=-1).sum()


@pytest.mark.parametrize("name", ["demo", "torn", "boxes"])
def test_a_screenshot_has_the_colors_of_the_values(renderer, screenshots, name):
    scene = renderer.upload(MESHES[name])
    state = ViewerState.framing(MESHES[name], aspect=WIDTH / HEIGHT)
    for state.highlight_odd in (False, True):
        for state.mode in MODES:
            image = screenshots.take(scene, state, WIDTH, HEIGHT)
            assert image.dtype == np.uint8
            assert image.shape == (HEIGHT, WIDTH, 4)
            odd = None
            if state.highlight_odd:
                odd = renderer.peel(scene, state.camera_for(WIDTH, HEIGHT)).odd
            values = expected_values(renderer, scene, state, WIDTH, HEIGHT)
            expected = colored(values, state.mode, odd=odd)
            assert differing(image, expected) <= _MAX_DIFFERING, state.mode
            assert (image[..., 3] == 255).all()
            assert (image[..., :3] == BACKGROUND).all(axis=-1).any()
            if state.highlight_odd:
                is_marked = (image[..., :3] == ODD_COLOR).all(axis=-1)
                np.testing.assert_array_equal(is_marked, odd)
    scene.release()


@pytest.mark.parametrize("mode", ["entry", "layer_count", "thickness"])
def test_color_maps_and_limits(renderer, screenshots, mode):
    scene = renderer.upload(MESHES["demo"])
    state = ViewerState.framing(MESHES["demo"], mode=mode)
    values = expected_values(renderer, scene, state, WIDTH, HEIGHT)
    seen = set()
    for state.color_map in (None, "gray", "turbo", "viridis"):
        for state.limits in (None, (4.5, 5.0), (0.0, 1e-3), (-1e30, 1e30)):
            image = screenshots.take(scene, state, WIDTH, HEIGHT)
            expected = colored(values, mode, state.color_map, state.limits)
            assert differing(image, expected) <= _MAX_DIFFERING
            seen.add(image.tobytes())
    assert len(seen) > 8
    scene.release()


def test_an_image_without_values(renderer, screenshots):
    """The camera looks away."""
    scene = renderer.upload(box())
    away = dd.Camera.look_at((0, 0, 9), (0, 0, 20), (0, 1, 0), width=WIDTH, height=HEIGHT)
    state = ViewerState.framing(box(), camera=away)
    for state.mode in MODES:
        image = screenshots.take(scene, state, WIDTH, HEIGHT)
        assert (image == (*BACKGROUND, 255)).all(), state.mode
    scene.release()


def test_one_value_alone(renderer, screenshots):
    """Both limits are equal: the middle of the table."""
    sheet = dd.Mesh([[-9.0, -9, 0], [9, -9, 0], [0, 9, 0]], [[0, 1, 2]])
    scene = renderer.upload(sheet)
    front = dd.Camera.look_at((0, 0, 2), (0, 0, 0), (0, 1, 0), width=WIDTH, height=HEIGHT)
    state = ViewerState.framing(sheet, mode="entry", camera=front)
    image = screenshots.take(scene, state, WIDTH, HEIGHT)
    assert (image[..., :3] == color_table("viridis_r")[128]).all()
    scene.release()


@pytest.mark.parametrize("mode", ["photo", "entry", "layer_count", "normals", "object_ids"])
def test_viewports_and_lower_resolutions(renderer, mode):
    """Every pixel of the viewport shows the nearest pixel of the image; others stay as they are."""
    images = DeviceImages(renderer)
    scene = renderer.upload(MESHES["boxes"])
    state = ViewerState.framing(MESHES["boxes"], mode=mode)
    with renderer._context as context:
        canvas = Canvas(context.gl)
        target = ImageTarget(context, (90, 70), 4, "f1")
    for size in ((64, 48), (32, 24), (16, 12)):
        image = images.update(scene, state, *size)
        values = expected_values(renderer, scene, state, *size)
        with renderer._context as context:
            target.framebuffer.clear(1.0, 1.0, 1.0, 1.0)
            canvas.draw(target.framebuffer, image, state, (10, 5, 64, 48))
            assert context.gl.error == "GL_NO_ERROR"
        found = array_of(renderer, target.texture, 4)[::-1]
        scale = 64 // size[0]
        expected = np.full((70, 90, 4), 255, np.uint8)
        enlarged = colored(values, mode).repeat(scale, axis=0).repeat(scale, axis=1)
        expected[70 - 5 - 48 : 70 - 5, 10 : 10 + 64] = enlarged
        assert differing(found, expected) <= _MAX_DIFFERING
    with renderer._context:
        target.release()
        canvas.release()
        canvas.release()
    images.release()
    scene.release()


def test_a_viewport_of_another_shape(renderer):
    """Uneven factors: the nearest pixel of the image, counted from the top."""
    images = DeviceImages(renderer)
    scene = renderer.upload(MESHES["demo"])
    state = ViewerState.framing(MESHES["demo"], mode="photo")
    image = images.update(scene, state, 31, 17)
    with renderer._context as context:
        canvas, target = Canvas(context.gl), ImageTarget(context, (50, 40), 4, "f1")
        canvas.draw(target.framebuffer, image, state, (0, 0, 50, 40))
    found = array_of(renderer, target.texture, 4)[::-1]
    rows = ((np.arange(40) + 0.5) * 17 / 40).astype(int)
    columns = ((np.arange(50) + 0.5) * 31 / 50).astype(int)
    values = expected_values(renderer, scene, state, 31, 17)
    np.testing.assert_array_equal(found, colored(values, "photo")[rows[:, None], columns])
    with renderer._context:
        target.release()
        canvas.release()
    images.release()
    scene.release()


def test_a_screenshot_without_a_renderer():
    mesh = MESHES["demo"]
    state = ViewerState.framing(mesh, mode="thickness", engine="raster")
    image = screenshot(mesh, state, WIDTH, HEIGHT)
    with dd.DepthRenderer("raster") as renderer:
        maps = renderer.entry_exit(renderer.upload(mesh), state.camera_for(WIDTH, HEIGHT))
    assert differing(image, colored(maps.thickness, "thickness")) <= _MAX_DIFFERING
    with pytest.raises(dd.CameraError):
        screenshot(mesh, state, 1 << 20, 2)
