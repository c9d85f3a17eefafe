"""Logging under ``ddepth_gl``: what is told, and that nothing is printed unless it is asked for."""

from __future__ import annotations

import ast
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from shapes import box

import ddepth_gl as dd
from ddepth_gl.engines.compute.engine import ComputeEngine
from ddepth_gl.gl import context as context_module

PACKAGE = Path(dd.__file__).parent
BESIDE = dd.Camera.look_at((0.5, 0.5, 1.0 + 1e-4), (0.5, 0.5, 0.0), (0, 1, 0), width=8, height=8)


@pytest.fixture
def messages(caplog):
    """Return a function that returns what was logged so far: logger, level and message."""
    caplog.set_level(logging.DEBUG, "ddepth_gl")
    return lambda: [(each.name, each.levelname, each.getMessage()) for each in caplog.records]


def test_device_and_engine(messages):
    with dd.DepthRenderer("raster", "software") as renderer:
        (device, context), engine = messages()[0][1:], messages()[1]
        info = renderer.info
    assert device == "INFO"
    assert context == f"{renderer._context.device}: {info.renderer}, OpenGL {info.gl_version}"
    assert engine == ("ddepth_gl.pipeline", "INFO", "engine raster")
    assert len(messages()) == 2


def test_a_device_that_does_not_work(messages, monkeypatch):
    """The next one is used; without the log, nobody would know why."""
    candidates = context_module.candidate_devices("software", False) * 2
    opened = context_module.HeadlessBinding
    tried = []

    def fail_once(device):
        tried.append(device)
        if len(tried) == 1:
            raise dd.ContextError("no luck")
        return opened(device)

    monkeypatch.setattr(context_module, "candidate_devices", lambda *_: candidates)
    monkeypatch.setattr(context_module, "HeadlessBinding", fail_once)
    dd.DepthRenderer().close()
    failure = f"{candidates[0]} does not work: no luck"
    assert messages()[0] == ("ddepth_gl.gl.context", "WARNING", failure)
    assert messages()[1][1] == "INFO"


def test_the_other_engine_beside_a_face(messages):
    with dd.DepthRenderer("raster", "software") as renderer:
        scene = renderer.upload(box())
        for _ in range(2):
            renderer.entry_exit(scene, BESIDE)
        assert isinstance(renderer._pipeline._engine_beside_a_face, ComputeEngine)
    told = "engine compute renders the images of cameras beside a face"
    assert messages()[2:] == [("ddepth_gl.pipeline", "INFO", told)]


def test_files(messages, tmp_path):
    path = tmp_path / "a\nb.ply"
    dd.write_ply(path, box().vertices, faces=box().faces)
    dd.load_mesh(path)
    assert messages() == [
        ("ddepth_gl.io.atomic", "DEBUG", f"wrote {tmp_path}/a b.ply"),
        ("ddepth_gl.io.meshes.read", "DEBUG", f"read {tmp_path}/a b.ply: 12 faces"),
    ]


def test_a_file_that_is_not_written_is_not_logged(messages, tmp_path):
    with pytest.raises(dd.OutputError):
        dd.write_ply(tmp_path / "none" / "a.ply", box().vertices)
    assert messages() == []


@pytest.mark.slow
def test_nothing_is_printed_unless_logging_is_set_up():
    code = (
        "import logging, sys, ddepth_gl as dd\n"
        "if sys.argv[1:]: logging.basicConfig(level='INFO')\n"
        "dd.DepthRenderer().close()\n"
        "logging.getLogger('ddepth_gl.gl.context').warning('a warning')"
    )
    silent, told = (
        subprocess.run([sys.executable, "-c", code, *more], capture_output=True, text=True)
        for more in ((), ("tell",))
    )
    assert (silent.returncode, silent.stdout, silent.stderr) == (0, "", "")
    assert (told.returncode, told.stdout) == (0, "")
    assert "INFO:ddepth_gl.gl.context:" in told.stderr


def test_the_library_prints_nothing():
    prints = {
        PACKAGE / "dataset" / "child_process.py",  # requests to a process of its own, by a pipe
        # The command `python -m ddepth_gl.blender`.
        PACKAGE / "blender" / "__main__.py",
        PACKAGE / "blender" / "command.py",
        PACKAGE / "viewer" / "notebook.py",  # the address of what `dd.show` shows
    }
    for path in PACKAGE.rglob("*.py"):
        if "cli" in path.relative_to(PACKAGE).parts or path in prints:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("print", "sys.stdout.write", "sys.stderr.write", "os.write"), (
                f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}"
            )
