"""Checks of `DepthRenderer(context=...)` in whatever context is current, for several kinds of them.

``python foreign_checks.py ENGINE`` runs them in a GLX context; it needs an X server.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import moderngl
import numpy as np
from gl_state import RawGL, State, make_unusual, query_all
from shapes import box

import ddepth_gl as dd
from ddepth_gl.gl import egl
from ddepth_gl.gl.current import glx_is_current
from ddepth_gl.mesh.demo import demo_mesh

WIDTH, HEIGHT = 70, 53
STACK_CAMERA = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), width=12, height=9)

KINDS = (
    *("Buffer", "Texture", "Framebuffer", "Program", "Shader", "VertexArray", "Renderbuffer"),
    *("Query", "Sampler"),
)


def differences(before: State, after: State) -> dict[str, Any]:
    return {
        name: (before.get(name), after.get(name))
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }


def census(gl: RawGL) -> dict[str, int]:
    """Count the living objects of each kind."""
    return {
        kind: sum(gl(f"glIs{kind}", name, result=ctypes.c_ubyte) for name in range(1, 3000))
        for kind in KINDS
    }


def calls(
    renderer: dd.DepthRenderer, mesh: dd.Mesh, cameras: list[dd.Camera]
) -> Iterator[tuple[str, Any]]:
    """Yield after every public operation, and between the images of every generator.

    Yields:
        What was called, and its result as arrays.
    """
    camera = cameras[0]
    scene = renderer.upload(mesh)
    yield "upload", None
    maps = renderer.entry_exit(scene, camera, attributes=("normal", "color", "face"))
    yield "entry_exit", arrays_of(maps)
    yield "any", arrays_of(renderer.entry_exit(scene, camera, surfaces="any", near=1.0))
    for maps in renderer.entry_exit_many(scene, cameras):
        yield "entry_exit_many", arrays_of(maps)
    device_maps = renderer.entry_exit(scene, camera, output="gpu")
    yield "gpu", None
    yield "numpy", arrays_of(device_maps.numpy())
    device_maps.release()
    yield "release of maps", None
    for device_maps in renderer.entry_exit_many(scene, cameras, output="gpu"):
        yield "entry_exit_many on the gpu", arrays_of(device_maps.numpy())
    del device_maps
    layers = renderer.peel(scene, camera, attributes=("smooth_normal", "position"))
    yield "peel", arrays_of(layers)
    for layers in renderer.peel_many(scene, cameras, max_layers=3):
        yield "peel_many", arrays_of(layers)
    yield "shade", [renderer.shade(scene, camera)]
    yield "shade with samples", [renderer.shade(scene, camera, samples=3)]
    for frame in renderer.render_many(((mesh, each) for each in cameras), layers=True):
        yield "render_many", frame_arrays(frame)
    inside = dd.Camera.look_at((0.0, 0.0, 0.01), (0.3, 0.2, 1.0), width=WIDTH, height=HEIGHT)
    yield "inside", frame_arrays(renderer.render(scene, inside, layers=True))
    # Large faces go another way, and so do more layers than a stencil buffer counts.
    (front,) = dd.Camera.orbit(box(), views=1, width=9 * WIDTH, height=9 * HEIGHT)
    yield "large faces", arrays_of(renderer.entry_exit(renderer.upload(box()), front))
    yield "bodies that differ", arrays_of(renderer.entry_exit(renderer.upload(mixed()), front))
    layers = renderer.peel(renderer.upload(stack()), STACK_CAMERA)
    assert layers.count.max() == 300
    yield "many layers", arrays_of(layers)
    abandoned = renderer.entry_exit_many(scene, cameras)
    next(abandoned)
    del abandoned
    gc.collect()
    yield "abandoned", None
    scene.release()
    yield "release of a scene", None
    scene = renderer.upload(mesh)
    del scene
    gc.collect()
    yield "dropped scene", renderer.info.engine and None


def stack() -> dd.Mesh:
    """Return 300 parallel triangles."""
    corners = np.tile([[-2.0, -2, 0], [4, -2, 0], [-2, 4, 0]], (300, 1))
    corners[:, 2] = np.arange(300).repeat(3) / 300
    return dd.Mesh(corners, np.arange(900).reshape(-1, 3))


def mixed() -> dd.Mesh:
    """Return a box, whose faces count by facing, and a triangle, which has two sides."""
    solid = box()
    corners = np.concatenate([solid.vertices, [[-3, 0, -1], [3, 1, -1], [0, 0, 3]]])
    return dd.Mesh(corners, np.concatenate([solid.faces, [[8, 9, 10]]]))


def arrays_of(result: Any) -> list[Any]:
    names = ["entry", "exit"]
    if isinstance(result, dd.DepthLayers):
        names = ["offsets", "depth", "face", "front_facing", "truncated"]
    values = [getattr(result, name) for name in names]
    for value in result.attributes.values():
        values += [value] if isinstance(value, np.ndarray) else list(value)
    return values


def frame_arrays(frame: dd.Frame) -> list[Any]:
    return [frame.image, *arrays_of(frame.maps), *(arrays_of(frame.layers) if frame.layers else [])]


def fingerprint(arrays: list[Any] | None) -> list[bytes] | None:
    return None if arrays is None else [np.ascontiguousarray(each).tobytes() for each in arrays]


def scene_to_render() -> tuple[dd.Mesh, list[dd.Camera]]:
    mesh = demo_mesh()
    perspective = dd.Camera.orbit(mesh, views=2, width=WIDTH, height=HEIGHT)
    flat = dd.Camera.orthographic((4.0, 3.0), perspective[0].camera_from_world, WIDTH, HEIGHT)
    return mesh, [*perspective, flat]


def check_state(ctx: moderngl.Context, engine: str, *, compatibility: bool = False) -> None:
    """Assert that no call changes the context's state, and that its state changes no image."""
    mesh, cameras = scene_to_render()
    gl = RawGL(ctx)
    kept = make_unusual(ctx, gl, compatibility=compatibility)
    python_state = moderngl_state(ctx)
    before, living = query_all(gl, compatibility=compatibility), census(gl)
    assert sum(living.values()) > 20

    def assert_unchanged(what: str) -> None:
        changed = differences(before, query_all(gl, compatibility=compatibility))
        assert not changed, f"{what}: {changed}"
        assert moderngl_state(ctx) == python_state, what

    found = []
    renderer = dd.DepthRenderer(engine, context=ctx)
    assert_unchanged("creation")
    for what, arrays in calls(renderer, mesh, cameras):
        assert_unchanged(what)
        found.append((what, fingerprint(arrays)))
    left_open = renderer.upload(mesh), renderer.entry_exit_many(renderer.upload(mesh), cameras)
    next(left_open[1])
    on_device = renderer.entry_exit(left_open[0], cameras[0], output="gpu")
    assert census(gl) != living
    renderer.close()
    assert_unchanged("close")
    leaked = differences(living, census(gl))
    assert not leaked, leaked
    renderer.close()
    del on_device, left_open, kept
    gc.collect()
    for (what, bits), (_, expected) in zip(found, images_of_own(engine), strict=True):
        assert bits == expected, what


@cache
def images_of_own(engine: str) -> list[tuple[str, Any]]:
    """Return the results of all calls in a headless context, which another thread has."""

    def render() -> list[tuple[str, Any]]:
        with dd.DepthRenderer(engine) as own:
            return [(what, fingerprint(arrays)) for what, arrays in calls(own, *scene_to_render())]

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(render).result()


def moderngl_state(ctx: moderngl.Context) -> list[Any]:
    """Return what moderngl keeps of the context's state, as far as it can be read."""
    names = ["viewport", "scissor", "front_face", "cull_face", "wireframe", "polygon_offset"]
    names += ["default_texture_unit", "fbo"]
    assert moderngl._store.default_context is ctx
    return [*(getattr(ctx, name) for name in names), list(ctx.objects)]


def check_drawing(ctx: moderngl.Context, engine: str) -> None:
    """Assert that moderngl draws the same before, between and after a renderer's calls."""
    mesh, cameras = scene_to_render()
    program = ctx.program(
        vertex_shader="""
            #version 330
            in vec2 corner; void main() { gl_Position = vec4(corner, 0.25, 1.0); }
        """,
        fragment_shader="""
            #version 330
            uniform sampler2D image; out vec4 color;
            void main() { color = texture(image, gl_FragCoord.xy / 32.0); }
        """,
    )
    corners = ctx.buffer(np.array([-0.9, -0.8, 0.9, -0.5, 0.1, 0.8], "f4"))
    triangle = ctx.vertex_array(program, [(corners, "2f4", "corner")])
    image = ctx.texture((2, 2), 4, bytes(range(100, 116)))
    target = ctx.framebuffer([ctx.texture((32, 32), 4)], ctx.depth_renderbuffer((32, 32)))
    target.use()
    image.use(0)
    ctx.enable(ctx.DEPTH_TEST | ctx.BLEND)

    def draw() -> bytes:
        # No state is set here: what was set before must still be there.
        target.clear(0.2, 0.4, 0.6, 0.8)
        triangle.render()
        pixels: bytes = target.read(components=4)
        return pixels

    first = draw()
    assert len(set(first)) > 8
    with dd.DepthRenderer(engine, context=ctx) as renderer:
        assert draw() == first
        for what, _ in calls(renderer, mesh, cameras):
            assert draw() == first, what
    assert draw() == first
    assert ctx.error == "GL_NO_ERROR"


def compatibility_context() -> moderngl.Context:
    """Return an EGL context with the compatibility profile, current in this thread."""
    library = egl.load()
    display = library.display(library.devices()[0])
    # Version 4.3 or later of profile 2, then EGL_NONE.
    attributes = (ctypes.c_int * 7)(0x3098, 4, 0x30FB, 3, 0x30FD, 2, 0x3038)
    handle = library._create_context(display, None, None, attributes)
    assert handle
    library.make_current(display, None, None, handle)

    class Owner:
        def load_opengl_function(self, name: str) -> int:
            return library.get_proc_address(name.encode()) or 0

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

        def release(self) -> None:
            library.destroy_context(display, handle)

    owner: Any = Owner()
    return moderngl.create_context(standalone=True, require=430, context=owner)


def glx_context() -> moderngl.Context:
    """Return a GLX context, current in this thread; it needs an X server."""
    options: Any = {"libgl": "libGL.so.1", "libx11": "libX11.so.6"}
    return moderngl.create_context(standalone=True, require=430, **options)


def main(engine: str) -> None:
    ctx = glx_context()
    assert glx_is_current()
    check_drawing(ctx, engine)
    ctx.release()
    check_state(glx_context(), engine)


if __name__ == "__main__":
    main(sys.argv[1])
