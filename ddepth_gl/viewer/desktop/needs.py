"""Needs of the window, and what to do where one is not met: a display, packages, libraries of X."""

from __future__ import annotations

import os
import re
import sys

from ..._packages import import_needed
from ...errors import ViewerError

__all__ = ["WAYS_OUT", "check_needs", "cure_of"]

WAYS_OUT = "use --web for the browser or --screenshot FILE for an image"
_LIBRARIES = "libx11-6 libxext6 libgl1 libgl1-mesa-dri, or use --web or --screenshot FILE"


def check_needs() -> None:
    """Import the packages of the window.

    Raises:
        ViewerError: there is no display, or a package or a library of the system is missing.
    """
    # First: what else is missing does not matter on a server.
    if sys.platform not in ("darwin", "win32") and not has_display():
        raise ViewerError(f"no window opens (DISPLAY is not set); {WAYS_OUT}")
    # In this order: imgui-bundle tells the package glfw to take its library of GLFW, which is the
    # one that this is tested with.
    for module in ("imgui_bundle", "glfw"):
        try:
            import_needed(module, "the window", ViewerError, "viewer")
        except ViewerError as error:
            missing = re.search(r"\b(lib[\w+.-]+\.so[.\d]*): cannot open", str(error.__cause__))
            if missing is None:
                raise
            raise ViewerError(
                f"{module} lacks {missing[1]}; on Debian run apt-get install -y {_LIBRARIES}"
            ) from error


def has_display() -> bool:
    """Return whether the environment names a display."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def cure_of(reason: str) -> str:
    """Return what to do where GLFW opens no window.

    Args:
        reason: what GLFW says.
    """
    if "Failed to load GLX" in reason:
        return f"on Debian run apt-get install -y {_LIBRARIES}"
    return WAYS_OUT
