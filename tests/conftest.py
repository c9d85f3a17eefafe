"""Fixtures: a renderer per engine, checked after every test for GL errors; a census of GL objects.

Also the options of `make soak`, and what a run says at its end: what was skipped, how many cases soaked.
"""

from __future__ import annotations

import ctypes
import gc
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import settings
from meshes import ABSENT

import ddepth_gl as dd
from ddepth_gl.gl import egl

ENGINES = ("raster", "compute")

settings.register_profile("ddepth", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ddepth")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("soak")
    group.addoption(
        "--soak-minutes", type=float, default=1.0, help="How long all tests marked soak take."
    )
    group.addoption(
        "--soak-seed", type=int, help="Of their first cases; a random one if not given."
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.option.soak_seed is None:  # the processes of pytest-xdist are given this one
        config.option.soak_seed = secrets.randbelow(10**9)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    yield  # first the reasons in full
    reasons = Counter(
        "for lack of real meshes" if ABSENT in str(report.longrepr) else "for other reasons"
        for report in terminalreporter.stats.get("skipped", ())
    )
    counts = [f"{count} {reason}" for reason, count in sorted(reasons.items())]
    terminalreporter.write_line(f"skipped: {', '.join(counts) or 'nothing'}")
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            if name == "soaked":
                terminalreporter.write_line(f"{report.nodeid}: {value}")


def gl_census() -> dict[str, int]:
    """How many GL objects of each kind are alive in the current context, asked of the driver itself."""
    library = egl.load()
    kinds = (
        "Buffer",
        "Texture",
        "Framebuffer",
        "Program",
        "Shader",
        "VertexArray",
        "Renderbuffer",
        "Query",
    )
    census = {}
    for kind in kinds:
        exists = library.function(f"glIs{kind}", ctypes.c_ubyte, ctypes.c_uint)
        # Some drivers count up for ever, others reuse the lowest name: look as far as the next one, and
        # beyond it by more than the objects that may be alive.
        names = range(1, _next_name(library, kind) + 2000)
        census[kind] = sum(bool(exists(name)) for name in names)
    return census


def _next_name(library: egl.Egl, kind: str) -> int:
    """The name that the driver would give to the next object of a kind."""
    if kind in ("Program", "Shader"):
        arguments = (0x8B31,) * (kind == "Shader")  # GL_VERTEX_SHADER
        name: int = library.function(
            f"glCreate{kind}", ctypes.c_uint, *[ctypes.c_uint] * len(arguments)
        )(*arguments)
        library.function(f"glDelete{kind}", None, ctypes.c_uint)(name)
        return name
    plural = "Queries" if kind == "Query" else f"{kind}s"
    next_name = ctypes.c_uint()
    for verb in ("Gen", "Delete"):
        call = library.function(
            f"gl{verb}{plural}", None, ctypes.c_int, ctypes.POINTER(ctypes.c_uint)
        )
        call(1, ctypes.byref(next_name))
    return next_name.value


@contextmanager
def no_gl_objects_left(renderer: dd.DepthRenderer) -> Iterator[None]:
    """Asserts that as many GL objects of the renderer are alive after the block as before it.

    What earlier tests left to the garbage collector is collected first: it must not go within the block.
    """
    gc.collect()
    with renderer._context:  # which frees what was collected
        before = gl_census()
    yield
    with renderer._context:
        assert gl_census() == before


@pytest.fixture(scope="session", params=ENGINES)
def shared_renderer(request: pytest.FixtureRequest) -> Iterator[dd.DepthRenderer]:
    with dd.DepthRenderer(engine=request.param) as renderer:
        yield renderer


@pytest.fixture
def renderer(shared_renderer: dd.DepthRenderer) -> Iterator[dd.DepthRenderer]:
    """A renderer of every engine in turn; the test must release its scenes, or let them go."""
    yield shared_renderer
    with shared_renderer._context as context:
        assert context.gl.error == "GL_NO_ERROR"


@pytest.fixture
def record_property(
    record_property: Callable[[str, object], None],
) -> Callable[[str, object], None]:
    """pytest's own, for NumPy's numbers as well: pytest-xdist's processes send each other plain ones only."""

    def record(name: str, value: object) -> None:
        record_property(name, value.item() if isinstance(value, np.generic) else value)

    return record
