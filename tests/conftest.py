"""Fixtures: a renderer per engine, checked after every test for GL errors and for objects left behind."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import settings

import ddepth_gl as dd
from ddepth_gl import egl

ENGINES = ("raster", "compute")

settings.register_profile("ddepth", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ddepth")


def gl_census(names: int = 8000) -> dict[str, int]:
    """How many GL objects of each kind are alive in the current context, asked of the driver itself.

    `names` is how far to look; drivers count up and reuse names late.
    """
    library = egl.load()
    kinds = ("Buffer", "Texture", "Framebuffer", "Program", "Shader", "VertexArray", "Renderbuffer", "Query")
    census = {}
    for kind in kinds:
        exists = library.function(f"glIs{kind}", ctypes.c_ubyte, ctypes.c_uint)
        census[kind] = sum(bool(exists(name)) for name in range(1, names))
    return census


@pytest.fixture(scope="session", params=ENGINES)
def shared_renderer(request):
    with dd.DepthRenderer(engine=request.param) as renderer:
        yield renderer


@pytest.fixture
def renderer(shared_renderer):
    """A renderer of every engine in turn; the test must release its scenes, or let them go."""
    yield shared_renderer
    with shared_renderer._context as context:
        assert context.gl.error == "GL_NO_ERROR"
