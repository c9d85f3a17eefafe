"""Mesa's software OpenGL, unpacked by `scripts/unpack-mesa` for users without root on machines without it.

The dynamic linker does not look there, and LD_LIBRARY_PATH counts only when a process starts. But it takes a
library that is loaded already, by its name: so each is loaded by its path, after those it needs.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

__all__ = ["FOLDER", "load_libegl"]

FOLDER = Path(sys.prefix) / "mesa"  # of the virtual environment

# Where libglvnd looks by itself, which its variable replaces; see icd_enumeration.md in its sources.
_VENDOR_FOLDERS = ("/etc/glvnd/egl_vendor.d", "/usr/share/glvnd/egl_vendor.d")
_VENDOR_VARIABLES = ("__EGL_VENDOR_LIBRARY_DIRS", "__EGL_VENDOR_LIBRARY_FILENAMES")
_DRIVERS_VARIABLE = "LIBGL_DRIVERS_PATH"
_DRIVER = "swrast_dri.so"
_SYSTEM = Path("/usr/lib")


def load_libegl() -> ctypes.CDLL:
    """Load libEGL and, where the system lacks it, what of Mesa was unpacked.

    What the system has comes first, piece by piece: libEGL, Mesa's EGL, its drivers. Sets the environment
    variables by which libglvnd and Mesa find the rest, unless they are set already.

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
    drivers, of_system = folder / "dri", _SYSTEM / folder.name / "dri"
    if drivers.is_dir() and not (of_system / _DRIVER).exists():
        _load(f"dri/{_DRIVER}", folder)
        os.environ.setdefault(_DRIVERS_VARIABLE, os.pathsep.join(map(str, (of_system, drivers))))
    try:
        return ctypes.CDLL("libEGL.so.1")
    except OSError:
        return _load("libEGL.so.1", folder)


def _load(name: str, folder: Path) -> ctypes.CDLL:
    """Load a library of the folder, after those of it that it needs and the system lacks."""
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
