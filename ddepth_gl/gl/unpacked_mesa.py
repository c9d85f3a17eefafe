"""Loading of Mesa's software OpenGL, where `scripts/unpack-mesa` has unpacked it without root.

The dynamic linker does not search that folder, and it reads LD_LIBRARY_PATH only when a process
starts. But it finds a library that is already loaded by its name. So each library is loaded by its
path, after those that it needs.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

__all__ = ["FOLDER", "load_libegl"]

FOLDER = Path(sys.prefix) / "mesa"  # in the virtual environment

# libglvnd's default search path, which its variable replaces; see its src/EGL/icd_enumeration.md.
_VENDOR_FOLDERS = ("/etc/glvnd/egl_vendor.d", "/usr/share/glvnd/egl_vendor.d")
_VENDOR_VARIABLES = ("__EGL_VENDOR_LIBRARY_DIRS", "__EGL_VENDOR_LIBRARY_FILENAMES")
_DRIVERS_VARIABLE = "LIBGL_DRIVERS_PATH"
_DRIVER = "swrast_dri.so"
_SYSTEM = Path("/usr/lib")


def load_libegl() -> ctypes.CDLL:
    """Load libEGL, and the unpacked parts of Mesa that the system lacks.

    The system's libraries come first, one by one: libEGL, Mesa's EGL, its drivers. This sets the
    environment variables that lead libglvnd and Mesa to the rest, unless they are set already.

    Raises:
        OSError: neither the system nor `FOLDER` has a libEGL that can be loaded.
    """
    folder = next((FOLDER / "usr" / "lib").glob("*-linux-gnu*"), None)
    if folder is None:
        return ctypes.CDLL("libEGL.so.1")
    try:
        ctypes.CDLL("libEGL_mesa.so.0")
    except OSError:
        _load("libEGL_mesa.so.0", folder)
        if not any(variable in os.environ for variable in _VENDOR_VARIABLES):
            vendors = FOLDER / "usr" / "share" / "glvnd" / "egl_vendor.d"
            os.environ[_VENDOR_VARIABLES[0]] = os.pathsep.join((*_VENDOR_FOLDERS, str(vendors)))
    drivers, system_drivers = folder / "dri", _SYSTEM / folder.name / "dri"
    if drivers.is_dir() and not (system_drivers / _DRIVER).exists():
        _load(f"dri/{_DRIVER}", folder)
        os.environ.setdefault(
            _DRIVERS_VARIABLE, os.pathsep.join((str(system_drivers), str(drivers)))
        )
    try:
        return ctypes.CDLL("libEGL.so.1")
    except OSError:
        return _load("libEGL.so.1", folder)


def _load(name: str, folder: Path) -> ctypes.CDLL:
    """Load a library from `folder`, after those that it needs there and the system lacks."""
    loaded: set[str] = set()
    while True:
        try:
            return ctypes.CDLL(str(folder / name))
        except OSError as error:
            # The dynamic linker says "NAME: cannot open ...", in the language of the locale.
            missing = str(error).partition(":")[0]
            if missing in loaded or not (folder / missing).is_file():
                raise
            loaded.add(missing)
            _load(missing, folder)
