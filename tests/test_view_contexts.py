"""The viewer's images in contexts that others own, and in those without compute shaders."""

from __future__ import annotations

import moderngl
import numpy as np
import pytest
from conftest import ENGINES
from foreign_checks import census, differences, moderngl_state
from gl_state import RawGL, make_unusual, query_all
from programs import ROOT, lines_of, run_script
from test_borrowed_context import release
from view_images import array_of, expected_values, meshes

import ddepth_gl as dd
from ddepth_gl.viewer.canvas import Canvas
from ddepth_gl.viewer.coloring import colored
from ddepth_gl.viewer.device_images import DeviceImages
from ddepth_gl.viewer.modes import MODES
from ddepth_gl.viewer.state import ViewerState
from ddepth_gl.viewer.world import World

WIDTH, HEIGHT = 61, 47
# Mesa frees a deleted program that drew last when a compute shader runs.
NOTHING = "#version 430\nlayout(local_size_x = 1) in;\nvoid main() {}"


@pytest.fixture
def ctx():
    """Another library's EGL context, current in this thread."""
    context = moderngl.create_context(standalone=True, backend="egl", require=430)
    yield context
    release(context)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_the_state_of_a_borrowed_context_stays(ctx, engine):
    """And its state, whatever it is, changes no image."""
    mesh = meshes()["boxes"]
    gl = RawGL(ctx)
    own = ctx.compute_shader(NOTHING)
    kept = make_unusual(ctx, gl)
    python_state = moderngl_state(ctx)
    before, living = query_all(gl), census(gl)

    def assert_unchanged(what):
        changed = differences(before, query_all(gl))
        assert not changed, f"{what}: {changed}"
        assert moderngl_state(ctx) == python_state, what

    with dd.DepthRenderer(engine, context=ctx) as renderer:
        scene, images = renderer.upload(mesh), DeviceImages(renderer)
        state = ViewerState.framing(mesh, highlight_odd=True)
        for state.mode in MODES:
            image = images.update(scene, state, WIDTH, HEIGHT)
            assert_unchanged(state.mode)
            if MODES[state.mode].has_scale:
                assert len(image.limits) == 2
                assert_unchanged(f"limits of {state.mode}")
            channels = {"photo": 4, "direction": 3}.get(MODES[state.mode].kind, 0)
            np.testing.assert_array_equal(
                array_of(renderer, image.texture, channels),
                expected_values(renderer, scene, state, WIDTH, HEIGHT),
            )
        for state.mould_layers in (False, True):
            images.points(scene, state, WIDTH, HEIGHT)
            assert_unchanged("points")
        images.release()
        assert_unchanged("release")
    own.run(1)
    leaked = differences(living, census(gl))
    assert not leaked, leaked
    del kept


@pytest.mark.parametrize("engine", ENGINES)
def test_the_owner_draws_with_a_context_of_its_own(ctx, engine):
    """As a window does: canvas and mould view in its moderngl context, images in the renderer's."""
    mesh = meshes()["demo"]
    gl = RawGL(ctx)
    target = ctx.framebuffer([ctx.texture((WIDTH, HEIGHT), 4)])
    own = ctx.compute_shader(NOTHING)
    living = census(gl)
    ctx.enable(ctx.BLEND | ctx.CULL_FACE | ctx.DEPTH_TEST)
    ctx.blend_func, ctx.depth_func = (ctx.ONE, ctx.ONE), "<"
    target.scissor = 3, 4, 5, 6
    target.color_mask = True, False, True, False
    with dd.DepthRenderer(engine, context=ctx) as renderer:
        scene, images = renderer.upload(mesh), DeviceImages(renderer)
        canvas, world = Canvas(ctx), World(ctx)
        state = ViewerState.framing(mesh, highlight_odd=True)
        for state.mode in MODES:
            image = images.update(scene, state, WIDTH, HEIGHT)
            canvas.draw(target, image, state, (0, 0, WIDTH, HEIGHT))
            values = expected_values(renderer, scene, state, WIDTH, HEIGHT)
            odd = renderer.peel(scene, image.camera).odd
            found = np.frombuffer(target.read(components=4), np.uint8)
            found = found.reshape(HEIGHT, WIDTH, 4)[::-1]
            assert (found != colored(values, state.mode, odd=odd)).any(axis=-1).sum() <= 5
        points = images.points(scene, state, WIDTH, HEIGHT)
        world.draw(target, points, mesh, state, (0, 0, WIDTH, HEIGHT), shows_mesh=True)
        assert len(np.unique(np.frombuffer(target.read(components=4), np.uint8))) > 30
        assert ctx.error == "GL_NO_ERROR"
        for each in (canvas, world, images, scene):
            each.release()
    own.run(1)
    leaked = differences(living, census(gl))
    assert not leaked, leaked


WITHOUT_COMPUTE = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
import numpy as np
from view_images import array_of, expected_values, meshes
import ddepth_gl as dd
from ddepth_gl.viewer.canvas import Canvas
from ddepth_gl.viewer.device_images import DeviceImages
from ddepth_gl.viewer.modes import MODES
from ddepth_gl.viewer.screenshot import Screenshots
from ddepth_gl.viewer.state import ViewerState

mesh = meshes()["boxes"]
with dd.DepthRenderer() as renderer:
    print(renderer.info.engine, renderer._context.has_compute)
    scene, images, taken = renderer.upload(mesh), DeviceImages(renderer), Screenshots(renderer)
    state = ViewerState.framing(mesh, highlight_odd=True)
    for state.mode in MODES:
        image = images.update(scene, state, 61, 47)
        channels = {{"photo": 4, "direction": 3}}.get(MODES[state.mode].kind, 0)
        found = array_of(renderer, image.texture, channels)
        np.testing.assert_array_equal(found, expected_values(renderer, scene, state, 61, 47))
        assert len(np.unique(taken.take(scene, state, 61, 47))) > 3
    for state.place, state.mould_layers in (("mould", False), ("mould", True)):
        assert len(np.unique(taken.take(scene, state, 61, 47))) > 30
    images.release()
    taken.release()
"""


@pytest.mark.slow
def test_without_compute_shaders(tmp_path):
    """Mesa reports any version that it is told to."""
    with dd.DepthRenderer() as own:
        if not own.info.is_software:
            pytest.skip("only Mesa reports another version on demand")
    environment = {"MESA_GL_VERSION_OVERRIDE": "4.1", "DDEPTH_DEVICE": "software"}
    assert lines_of(run_script(WITHOUT_COMPUTE, tmp_path, **environment)) == ["raster False"]
