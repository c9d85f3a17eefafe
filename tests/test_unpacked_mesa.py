"""Mesa unpacked in the virtual environment: libraries loaded, their order, environment variables.

The dynamic linker is simulated; `make test-on SUITE=trixie BY=user` tests with the real libraries.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddepth_gl.gl import unpacked_mesa

NEEDS = {
    "libEGL.so.1": ["libGLdispatch.so.0"],
    "libEGL_mesa.so.0": ["libgallium.so", "libxcb.so.1", "libc.so.6"],
    "libgallium.so": ["libLLVM.so.19", "libc.so.6"],
    "libLLVM.so.19": ["libedit.so.2"],
    "swrast_dri.so": ["libgallium.so"],
}
VARIABLES = ("__EGL_VENDOR_LIBRARY_DIRS", "__EGL_VENDOR_LIBRARY_FILENAMES", "LIBGL_DRIVERS_PATH")


class Linker:
    """Simulated dynamic linker.

    It finds a name if the system has the library or it is loaded. It loads a path if all libraries
    that the file needs are found.
    """

    def __init__(self, system):
        self.system, self.loaded = {"libc.so.6", *system}, []

    def __call__(self, name):
        path = Path(name)
        if "/" not in name and name not in self.system and name not in self.loaded:
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        for needed in NEEDS.get(path.name, []) if "/" in name else []:
            if needed not in self.system and needed not in self.loaded:
                raise OSError(f"{needed}: Kann die Shared-Object-Datei nicht öffnen")
        if "/" in name and path.name not in self.loaded:
            assert path.is_file()
            self.loaded.append(path.name)
        return name


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that unpacks libraries and returns the linker of a system with others."""

    def make(unpacked, system=(), system_drivers=False):
        linker = Linker(system)
        for name in unpacked:
            file = tmp_path / "mesa" / "usr" / "lib" / "x86_64-linux-gnu" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        if system_drivers:
            folder = tmp_path / "system" / "x86_64-linux-gnu" / "dri"
            folder.mkdir(parents=True)
            (folder / "swrast_dri.so").touch()
        monkeypatch.setattr(unpacked_mesa, "FOLDER", tmp_path / "mesa")
        monkeypatch.setattr(unpacked_mesa, "_SYSTEM", tmp_path / "system")
        monkeypatch.setattr(unpacked_mesa.ctypes, "CDLL", linker)
        return linker

    for variable in VARIABLES:
        monkeypatch.setenv(variable, "to be put back")
        monkeypatch.delenv(variable)
    return make


ALL = (
    "libEGL.so.1", "libGLdispatch.so.0", "libEGL_mesa.so.0", "libgallium.so", "libLLVM.so.19",
    "libedit.so.2", "libxcb.so.1", "dri/swrast_dri.so",
)  # fmt: skip


def test_a_system_without_any_library(machine, tmp_path):
    linker = machine(ALL)
    assert unpacked_mesa.load_libegl().endswith("mesa/usr/lib/x86_64-linux-gnu/libEGL.so.1")
    order = linker.loaded
    assert sorted(order) == sorted(Path(name).name for name in ALL)
    for name, needs in NEEDS.items():
        assert all(
            order.index(needed) < order.index(name) for needed in needs if needed != "libc.so.6"
        )
    system = "/etc/glvnd/egl_vendor.d:/usr/share/glvnd/egl_vendor.d"
    unpacked = f"{tmp_path}/mesa/usr/share/glvnd/egl_vendor.d"
    assert os.environ[VARIABLES[0]] == f"{system}:{unpacked}"
    assert os.environ[VARIABLES[2]].endswith(f"/dri:{tmp_path}/mesa/usr/lib/x86_64-linux-gnu/dri")


def test_nothing_unpacked(machine):
    linker = machine((), system=("libEGL.so.1",))
    assert unpacked_mesa.load_libegl() == "libEGL.so.1"
    assert linker.loaded == []
    machine(())
    with pytest.raises(OSError, match=r"^libEGL\.so\.1: cannot open"):
        unpacked_mesa.load_libegl()
    assert not set(VARIABLES) & set(os.environ)


def test_the_systems_libraries_come_first(machine):
    """The administrator may have installed them since Mesa was unpacked."""
    linker = machine(ALL, system=("libEGL.so.1", "libEGL_mesa.so.0"), system_drivers=True)
    assert unpacked_mesa.load_libegl() == "libEGL.so.1"
    assert linker.loaded == []
    assert not set(VARIABLES) & set(os.environ)


def test_a_system_that_lacks_only_the_driver(machine):
    linker = machine(ALL[3:], system=("libEGL.so.1", "libEGL_mesa.so.0"))
    assert unpacked_mesa.load_libegl() == "libEGL.so.1"
    assert linker.loaded[-1] == "swrast_dri.so"
    assert "libxcb.so.1" not in linker.loaded  # nothing loaded needs it
    assert VARIABLES[0] not in os.environ
    assert VARIABLES[2] in os.environ


def test_variables_that_are_set_are_kept(machine, monkeypatch):
    machine(ALL)
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/mine.json")
    monkeypatch.setenv("LIBGL_DRIVERS_PATH", "/mine")
    unpacked_mesa.load_libegl()
    assert VARIABLES[0] not in os.environ
    assert os.environ["LIBGL_DRIVERS_PATH"] == "/mine"


def test_a_missing_library_is_named(machine):
    machine([name for name in ALL if name != "libedit.so.2"])
    with pytest.raises(OSError, match=r"^libedit\.so\.2: "):
        unpacked_mesa.load_libegl()
