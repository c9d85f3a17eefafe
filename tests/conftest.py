"""Fixtures and options of the test suite.

A renderer per engine, checked for OpenGL errors after every test. A census of OpenGL objects. The
options of `make soak`. The summary at the end of a run: skipped tests and soaked cases.
"""

from __future__ import annotations

import ctypes
import gc
import secrets
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import glslang
import numpy as np
import pytest
from hypothesis import settings
from meshes import ABSENT

import ddepth_gl as dd
from ddepth_gl.engines.compute.engine import ComputeEngine
from ddepth_gl.gl import egl

ENGINES = ("raster", "compute")

settings.register_profile("ddepth", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ddepth")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("soak")
    group.addoption(
        "--soak-minutes",
        type=float,
        default=1.0,
        help="Time that all tests marked soak take together.",
    )
    group.addoption(
        "--soak-seed", type=int, help="Seed of the first case of each; random by default."
    )


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A shell starts background jobs so, and programs that tests interrupt would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.option.soak_seed is None:  # pytest-xdist passes this one on to its processes
        config.option.soak_seed = secrets.randbelow(10**9)


@pytest.fixture(scope="session", autouse=True)
def _measured_children(request: pytest.FixtureRequest) -> None:
    """Measure the child processes of compiled readers, if coverage is measured."""
    if getattr(request.config.option, "cov_source", None):
        from ddepth_gl.io.meshes import child, child_main

        # The child is the file that this path names.
        covered = ModuleType(child_main.__name__)
        covered.__dict__.update(child_main.__dict__)
        covered.__file__ = str(Path(__file__).with_name("covered_child.py"))
        vars(child)["child_main"] = covered


@pytest.fixture
def measured_programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure the Python programs that a test starts, if coverage is measured."""
    if getattr(request.config.option, "cov_source", None):
        root = Path(__file__).parents[1]
        monkeypatch.setenv("COVERAGE_PROCESS_START", str(root / "pyproject.toml"))
        monkeypatch.setenv("COVERAGE_FILE", str(root / ".coverage"))


@pytest.fixture(scope="session", autouse=True)
def compiled_programs() -> Iterator[glslang.Programs]:
    """Every program that the tests compile. At their end, glslang checks each; see glslang.py."""
    with glslang.recorded_programs() as programs:
        yield programs
    if glslang.validator():
        found = glslang.faults(programs)
        assert not found, "\n".join(["glslang finds faults in these programs:", *found])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    yield  # pytest lists the reasons in full first
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
    """Count the living OpenGL objects of each kind in the current context, by asking the driver."""
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
        # Some drivers count names up forever, others reuse the lowest. So look as far as the next
        # name, and beyond it by more than the number of objects that may be alive.
        names = range(1, _next_name(library, kind) + 2000)
        census[kind] = sum(bool(exists(name)) for name in names)
    return census


def _next_name(library: egl.Egl, kind: str) -> int:
    """Return the name that the driver would assign to the next object of a kind."""
    if kind in ("Program", "Shader"):
        arguments = (0x8B31,) * (kind == "Shader")  # GL_VERTEX_SHADER
        create = library.function(
            f"glCreate{kind}", ctypes.c_uint, *[ctypes.c_uint] * len(arguments)
        )
        name: int = create(*arguments)
        library.function(f"glDelete{kind}", None, ctypes.c_uint)(name)
        return name
    plural = "Queries" if kind == "Query" else f"{kind}s"
    generated = ctypes.c_uint()
    for verb in ("Gen", "Delete"):
        call = library.function(
            f"gl{verb}{plural}", None, ctypes.c_int, ctypes.POINTER(ctypes.c_uint)
        )
        call(1, ctypes.byref(generated))
    return generated.value


@contextmanager
def no_gl_objects_left(renderer: dd.DepthRenderer) -> Iterator[None]:
    """Assert that a block leaves the number of the renderer's living OpenGL objects unchanged.

    Objects that earlier tests left to the garbage collector are freed before the block. Programs
    that the engine `compute` keeps for later may be added: it compiles the pass for faces in the
    first image where threads leave their order in doubt, at any time.
    """
    gc.collect()
    with renderer._context:  # entering it frees the objects of collected owners
        expected = gl_census()
        kept = _kept_programs(renderer)
    yield
    with renderer._context:
        for kind in ("Program", "Shader"):
            expected[kind] += _kept_programs(renderer) - kept
        assert gl_census() == expected


def _kept_programs(renderer: dd.DepthRenderer) -> int:
    engines = [each for each in renderer._pipeline._engines if isinstance(each, ComputeEngine)]
    return sum(len(each._programs._programs._programs) for each in engines)


@pytest.fixture
def ddepth(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, list[str]]]:
    """Run `ddepth` in this process; return exit status, stdout and lines of stderr."""
    from ddepth_gl.cli import main as cli

    def run(*arguments: object) -> tuple[int, str, list[str]]:
        monkeypatch.setattr(sys, "argv", ["ddepth", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err.splitlines()

    return run


@pytest.fixture(scope="session", params=ENGINES)
def shared_renderer(request: pytest.FixtureRequest) -> Iterator[dd.DepthRenderer]:
    with dd.DepthRenderer(engine=request.param) as renderer:
        yield renderer


@pytest.fixture
def renderer(shared_renderer: dd.DepthRenderer) -> Iterator[dd.DepthRenderer]:
    """A renderer of every engine in turn. The test must release its scenes or drop them."""
    yield shared_renderer
    with shared_renderer._context as context:
        assert context.gl.error == "GL_NO_ERROR"


@pytest.fixture
def display_with_screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An X server that runs during the test: its DISPLAY, and the folder of its screen's file."""
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed; run: apt-get install xvfb (.ci/run does it as root)")
    folder = tmp_path_factory.mktemp("screen")
    options = ("-displayfd", "1", "-screen", "0", "1024x768x24", "-fbdir", str(folder))
    with subprocess.Popen(
        ["Xvfb", *options, "-nolisten", "tcp", "-noreset"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            yield f":{server.stdout.readline().strip()}", folder
        finally:
            server.kill()


@pytest.fixture
def display(display_with_screen: tuple[str, Path]) -> str:
    """The DISPLAY of an X server that runs during the test."""
    return display_with_screen[0]


@pytest.fixture
def record_property(
    record_property: Callable[[str, object], None],
) -> Callable[[str, object], None]:
    """pytest's own fixture, but for NumPy's numbers as well, which pytest-xdist cannot send."""

    def record(name: str, value: object) -> None:
        record_property(name, value.item() if isinstance(value, np.generic) else value)

    return record
