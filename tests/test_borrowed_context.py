"""Renderers in contexts that others own: their state, their images, and what is refused."""

from __future__ import annotations

import gc
import threading
from ctypes import c_uint
from types import SimpleNamespace

import foreign_checks
import moderngl
import numpy as np
import pytest
from conftest import ENGINES
from gl_state import RawGL
from programs import ROOT, lines_of, run_script
from shapes import box

import ddepth_gl as dd
from ddepth_gl.gl import egl
from ddepth_gl.gl.borrowed import _checked_version
from ddepth_gl.gl.current import current_context

CAMERA = dd.Camera.orbit(box(), views=1, width=20, height=16)[0]


@pytest.fixture
def ctx():
    """Another library's EGL context, current in this thread."""
    context = moderngl.create_context(standalone=True, backend="egl", require=430)
    yield context
    release(context)


def release(context):
    """Destroy a context and leave none current; glcontext leaves the destroyed one current."""
    library = egl.load()
    display, *_ = library.current()
    context.release()
    if display:
        library.make_current(display, None, None, None)


@pytest.mark.slow
def test_no_call_changes_the_state(ctx):
    for engine in ENGINES:
        foreign_checks.check_state(ctx, engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.slow
def test_no_call_changes_the_state_of_a_compatibility_context(engine):
    context = foreign_checks.compatibility_context()
    foreign_checks.check_state(context, engine, compatibility=True)
    context.release()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.slow
def test_the_owner_draws_as_before(ctx, engine):
    foreign_checks.check_drawing(ctx, engine)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_in_a_glx_context(tmp_path, display, engine):
    script = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
import foreign_checks
foreign_checks.main({engine!r})
"""
    assert lines_of(run_script(script, tmp_path, DISPLAY=display, limit=120)) == []


# What the owner may have going on


def test_errors_that_the_owner_has_not_read(ctx):
    gl = RawGL(ctx)
    causes = {
        0x500: ("glEnable", 1),
        0x501: ("glUseProgram", 77),
        0x502: ("glBindVertexArray", 77),
        0x506: ("glClear", 0x4000),  # this context has no default framebuffer
    }
    with dd.DepthRenderer(context=ctx) as renderer:
        for error, cause in causes.items():
            gl(*cause)
            scene = renderer.upload(box())
            assert gl("glGetError", result=c_uint) == error
            assert gl("glGetError", result=c_uint) == 0
            scene.release()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.slow
def test_transform_feedback_goes_on(ctx, engine):
    gl = RawGL(ctx)
    program = ctx.program(
        vertex_shader="#version 330\nout float v; void main() { v = float(gl_VertexID) + 0.5; }",
        varyings=["v"],
    )
    captured = ctx.buffer(np.zeros(8, "f4"))
    vertex_array = ctx.vertex_array(program, [])
    expected = foreign_checks.images_of_own(engine)
    ctx.simple_framebuffer((4, 4)).use()
    with dd.DepthRenderer(engine, context=ctx) as renderer:
        gl("glBindVertexArray", vertex_array.glo)
        gl("glUseProgram", program.glo)
        gl("glBindBufferBase", 0x8C8E, 0, captured.glo)
        gl("glBeginTransformFeedback", 0)
        gl("glDrawArrays", 0, 0, 3)
        calls = foreign_checks.calls(renderer, *foreign_checks.scene_to_render())
        for (what, arrays), (_, bits) in zip(calls, expected, strict=True):
            assert foreign_checks.fingerprint(arrays) == bits, what
        gl("glDrawArrays", 0, 5, 3)
        gl("glEndTransformFeedback")
    assert ctx.error == "GL_NO_ERROR"
    np.testing.assert_array_equal(
        np.frombuffer(captured.read(), "f4"), [0.5, 1.5, 2.5, 5.5, 6.5, 7.5, 0, 0]
    )


def test_a_program_that_was_deleted_while_it_was_current(ctx):
    gl = RawGL(ctx)
    program = ctx.program(
        vertex_shader="#version 330\nvoid main() { gl_Position = vec4(0.0); }",
        fragment_shader="#version 330\nout vec4 c; void main() { c = vec4(1.0); }",
    )
    gl("glUseProgram", program.glo)
    program.release()
    with dd.DepthRenderer(context=ctx) as renderer:
        renderer.upload(box())
        assert ctx.error == "GL_NO_ERROR"
        assert gl.number(0x8B8D) == 0


def test_two_renderers_in_one_context_beside_one_of_their_own(ctx):
    with (
        dd.DepthRenderer("raster", context=ctx) as one,
        dd.DepthRenderer("compute", context=ctx) as two,
        dd.DepthRenderer("raster") as own,
    ):
        scenes = [each.upload(box()) for each in (one, two, own)]
        first, second, third = (
            each.entry_exit_many(scene, [CAMERA] * 3)
            for each, scene in zip((one, two, own), scenes, strict=True)
        )
        for maps in zip(first, second, third, strict=True):
            assert len({each.entry.tobytes() for each in maps}) == 1
        with pytest.raises(dd.ContextError, match="uploaded to another renderer"):
            one.entry_exit(scenes[1], CAMERA)


# Who owns what


def test_closing_leaves_the_context(ctx):
    renderer = dd.DepthRenderer(context=ctx)
    renderer.upload(box())
    renderer.close()
    renderer.close()
    with pytest.raises(dd.ContextClosedError):
        renderer.upload(box())
    texture = ctx.texture((1, 1), 4, b"abcd")
    assert texture.read() == b"abcd"


def test_objects_are_not_the_owners(ctx):
    ctx.gc_mode = "context_gc"
    assert moderngl.get_context() is ctx
    with dd.DepthRenderer(context=ctx) as renderer:
        renderer.shade(renderer.upload(box()), CAMERA, samples=2)
        gc.collect()
        assert renderer._context.gl is not ctx
        assert moderngl.get_context() is ctx
    assert not ctx.objects


def test_a_failed_creation_leaves_nothing(ctx, monkeypatch):
    gl = RawGL(ctx)
    before = foreign_checks.census(gl)

    def fail(_):
        raise MemoryError("no more")

    for place in ("RasterEngine", "ComputeEngine"):
        with monkeypatch.context() as patch:
            patch.setattr(f"ddepth_gl.pipeline.{place}", fail)
            engine = place.removesuffix("Engine").lower()
            with pytest.raises(MemoryError):
                dd.DepthRenderer(engine, context=ctx)
        assert foreign_checks.census(gl) == before


def test_a_renderer_that_was_not_closed(ctx):
    gl = RawGL(ctx)
    before = foreign_checks.census(gl)
    renderers = [dd.DepthRenderer(context=ctx)]
    with pytest.warns(ResourceWarning, match="not closed"):
        renderers.clear()
    assert foreign_checks.census(gl) == before


def test_info(ctx):
    with dd.DepthRenderer(context=ctx) as renderer, dd.DepthRenderer() as own:
        info = renderer.info
        assert (info.device_index, info.pci_address, info.cuda_index) == (None, None, None)
        assert info.renderer == ctx.info["GL_RENDERER"]
        if own.info.is_software:  # the context of the fixture is on the first device
            assert (info.is_software, info.engine) == (True, "compute")
            with pytest.raises(dd.ContextError, match="require_gpu=True, but the renderer is"):
                dd.DepthRenderer(context=ctx, require_gpu=True)


# What is refused


def message(kind, call):
    with pytest.raises(kind) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_moderngl_context():
    said = message(dd.RequestError, lambda: dd.DepthRenderer(context=7))
    assert said.startswith("context takes a moderngl.Context, not 7; pass moderngl.get_context()")


def test_a_device_besides_a_context(ctx):
    said = message(dd.RequestError, lambda: dd.DepthRenderer(device="gpu", context=ctx))
    assert said.startswith("device='gpu' has no effect in a context that exists")


def test_a_context_that_is_not_current(ctx):
    library = egl.load()
    theirs = library.current()
    renderer = dd.DepthRenderer(context=ctx)
    scene = renderer.upload(box())
    images = renderer.entry_exit_many(scene, [CAMERA] * 3)
    next(images)
    display = theirs[0]
    other = library.create_context(display, ((4, 5),))
    for current in (None, other):
        library.make_current(display, None, None, current)
        for call in (
            lambda: renderer.upload(box()),
            lambda: renderer.entry_exit(scene, CAMERA),
            scene.release,
            renderer.close,
        ):
            said = message(dd.ContextError, call)
            assert said.startswith("the EGL context of this renderer is not current in this thread")
        assert (library.current_context() or None) == current
    library.make_current(display, None, None, None)
    said = message(dd.ContextError, lambda: dd.DepthRenderer(context=ctx))
    assert "glfw.make_context_current(window)" in said
    library.make_current(*theirs)
    assert len(list(images)) == 2
    renderer.close()
    library.make_current(display, None, None, None)
    library.destroy_context(display, other)
    library.make_current(*theirs)


def test_a_renderer_dropped_without_its_context(ctx):
    """Nothing is freed in another context that happens to be current."""
    library = egl.load()
    theirs = library.current()
    renderers = [dd.DepthRenderer(context=ctx)]
    library.make_current(theirs[0], None, None, None)
    with pytest.warns(ResourceWarning, match="not closed"):
        renderers.clear()
    assert not library.current_context()
    library.make_current(*theirs)


def test_a_released_moderngl_context(ctx):
    theirs = moderngl.create_context(standalone=True, backend="egl", require=430)
    theirs.release()
    said = message(dd.ContextError, lambda: dd.DepthRenderer(context=theirs))
    assert said == "the moderngl.Context was released; pass one that is alive"


def test_another_thread(ctx):
    with dd.DepthRenderer(context=ctx) as renderer:
        caught = []

        def work():
            try:
                renderer.upload(box())
            except dd.ContextError as error:
                caught.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert "only in the thread that created it" in caught[0]


OLD = """
import moderngl
import ddepth_gl as dd

ctx = moderngl.create_context(standalone=True, backend="egl")
for engine in ("auto", "compute"):
    try:
        with dd.DepthRenderer(engine, context=ctx) as renderer:
            print(renderer.info.engine)
    except dd.ContextError as error:
        print(error)
"""


def of_old_version(tmp_path, version):
    environment = {"MESA_GL_VERSION_OVERRIDE": version, "DDEPTH_DEVICE": "software"}
    return lines_of(run_script(OLD, tmp_path, **environment))


@pytest.mark.slow
def test_an_old_context(tmp_path):
    """Mesa reports any version that it is told to."""
    with dd.DepthRenderer() as own:
        if not own.info.is_software:
            pytest.skip("only Mesa reports another version on demand")
    for line in of_old_version(tmp_path, "3.3"):
        assert line.startswith("the context has OpenGL 3.3")
        assert "needs OpenGL 4.1" in line
        assert "glfw.window_hint" in line
    auto, compute = of_old_version(tmp_path, "4.1")
    assert auto == "raster"
    assert compute.startswith("engine='compute' needs OpenGL 4.3")
    assert "this context has 4.1" in compute


@pytest.mark.parametrize(
    ("reported", "named"),
    [
        (b"OpenGL ES 3.2 Mesa 22.3.6", "the context has OpenGL ES 3.2 Mesa 22.3.6, but"),
        (b"2.1 Metal - 83", "the context has OpenGL 2.1 Metal - 83, but"),
        (None, "the context has no OpenGL, but"),
    ],
)
def test_other_versions(reported, named):
    loader = SimpleNamespace(function=lambda *_: lambda _: reported)
    assert message(dd.ContextError, lambda: _checked_version(loader)).startswith(named)


# Contexts of our own, beside those of others


def test_nothing_is_current_after_a_call(renderer):
    assert current_context() is None
    scene = renderer.upload(box())
    assert current_context() is None
    for _ in renderer.entry_exit_many(scene, [CAMERA] * 3):
        assert current_context() is None
    with pytest.raises(dd.RequestError):
        renderer.shade(scene, CAMERA, samples=0)
    assert current_context() is None


def test_a_context_that_was_destroyed_while_it_was_current(renderer):
    library = egl.load()
    display = library.display(library.devices()[0])
    theirs = library.create_context(display, ((4, 1),))
    library.make_current(display, None, None, theirs)
    library._destroy_context(display, theirs)
    scene = renderer.upload(box())
    renderer.entry_exit(scene, CAMERA)
    assert current_context() is None


WINDOW_LATER = """
import moderngl
import ddepth_gl as dd

mesh = dd.Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
camera = dd.Camera.orbit(mesh, views=1, width=8, height=8)[0]
with dd.DepthRenderer() as renderer:
    scene = renderer.upload(mesh)
    before = renderer.entry_exit(scene, camera, surfaces="any")
    for _ in range(2):  # used to end with an X error, BadAccess
        window = moderngl.create_context(standalone=True, libgl="libGL.so.1", libx11="libX11.so.6")
        with dd.DepthRenderer(context=window) as other:
            maps = other.entry_exit(other.upload(mesh), camera, surfaces="any")
        window.release()
        assert maps.entry.tobytes() == before.entry.tobytes()
        after = renderer.entry_exit(scene, camera, surfaces="any")
        assert after.entry.tobytes() == before.entry.tobytes()
print("done")
"""


def test_a_window_after_a_renderer_of_our_own(tmp_path, display):
    assert lines_of(run_script(WINDOW_LATER, tmp_path, DISPLAY=display)) == ["done"]
