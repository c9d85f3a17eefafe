"""What Windows and macOS lack, taken away on Linux: the library is imported, and errors say why.

`docs/platforms.md` says how WGL itself was tried.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pages import blocks_of
from programs import lines_of, run_script

import ddepth_gl as dd
from ddepth_gl.gl import egl, memory

ROOT = Path(__file__).parents[1]

# Modules and names that Python has on Linux, but not on the other system.
MODULES = {"win32": ("fcntl", "resource", "pwd", "grp", "termios"), "darwin": ()}
OS_NAMES = {
    "win32": (
        "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_PATH", "O_DIRECTORY", "O_NOFOLLOW", "O_TMPFILE",
        "memfd_create", "pidfd_open", "sched_getaffinity", "register_at_fork", "fork",
    ),
    "darwin": ("O_PATH", "O_TMPFILE", "memfd_create", "pidfd_open", "sched_getaffinity"),
}  # fmt: skip

BARE = """
import os, signal, sys
for name in {modules}:
    sys.modules[name] = None
for name in {names}:
    delattr(os, name)
if {system!r} == "win32":
    import _signal
    os.supports_dir_fd = set()
    del _signal.SIGHUP
sys.path.insert(0, {root!r})
import ddepth_gl as dd
import ddepth_gl.cli.start
for name in dd.__all__:
    getattr(dd, name)
try:
    print(len(dd.load_mesh("triangle.off").faces))
except dd.MeshError as error:
    print(error)
sheet = __import__("numpy").ones((4, 6), "float32")
camera = dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=6, height=4)
dd.write_npz("maps.npz", dd.DepthMaps(sheet, sheet + 1, camera))
print(dd.load_npz("maps.npz").mask.sum())
"""


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_what_works_without_linux(tmp_path, system):
    (tmp_path / "triangle.off").write_text("OFF 3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
    names = [name for name in OS_NAMES[system] if hasattr(__import__("os"), name)]
    code = BARE.format(modules=MODULES[system], names=names, system=system, root=str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    if system == "win32":
        assert first.startswith("triangle.off: mesh files are read on Linux and macOS only")
        assert "ddepth_gl.Mesh" in first
    else:
        assert first == "1"
    assert second == "24"


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_rendering_without_a_window_names_the_way_with_one(monkeypatch, system):
    monkeypatch.setattr(sys, "platform", system)
    egl.load.cache_clear()
    try:
        with pytest.raises(dd.ContextError, match=r"DepthRenderer\(context=moderngl\.get_context"):
            dd.DepthRenderer()
    finally:
        egl.load.cache_clear()


def test_memory_of_windows(monkeypatch):
    """MEMORYSTATUSEX: its size, the load in percent, then 8-byte numbers, total memory first."""

    class Kernel32:
        def GlobalMemoryStatusEx(self, status):  # noqa: N802
            assert status[0] == 64
            status[1] = 24 * 2**30

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: {"kernel32": Kernel32()}[name])
    assert memory.host_memory() == 24 * 2**30


def test_the_example_with_a_window(tmp_path, display):
    """The block of docs/platforms.md, here in a window of X11."""
    (block,) = (each for each in blocks_of("docs/platforms.md") if each.language == "python")
    (line,) = lines_of(run_script(block.content, tmp_path, DISPLAY=display))
    assert line.startswith("<DepthMaps 320x240")
