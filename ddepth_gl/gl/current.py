"""The OpenGL context that is current in this thread, asked of each window system's library."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["CurrentContext", "current_context", "glx_is_current"]

# Interface, libraries that may hold it, and the function that returns the current context.
_INTERFACES: dict[str, tuple[tuple[str, tuple[str, ...], str], ...]] = {
    "win32": (("WGL", ("opengl32",), "wglGetCurrentContext"),),
    "darwin": (
        (
            "CGL",
            ("/System/Library/Frameworks/OpenGL.framework/OpenGL",),
            "CGLGetCurrentContext",
        ),
    ),
    "linux": (
        ("EGL", ("libEGL.so.1",), "eglGetCurrentContext"),
        ("GLX", ("libGLX.so.0", "libGL.so.1"), "glXGetCurrentContext"),
    ),
}


@dataclass(frozen=True)
class CurrentContext:
    """A context that was current.

    Attributes:
        interface: "EGL", "GLX", "WGL" or "CGL".
        handle: the interface's handle of the context.
    """

    interface: str
    handle: int
    _query: Callable[[], int | None]

    def is_current(self) -> bool:
        """Return whether the context is current in the calling thread."""
        return self._query() == self.handle


def current_context() -> CurrentContext | None:
    """Return the context that is current in this thread, or None."""
    for interface, libraries, function in _INTERFACES.get(sys.platform, _INTERFACES["linux"]):
        query = _query(libraries, function)
        handle = query() if query else None
        if query and handle:
            return CurrentContext(interface, handle, query)
    return None


def glx_is_current() -> bool:
    """Return whether a GLX context (an X11 window's) is current in this thread."""
    _, libraries, function = _INTERFACES["linux"][1]
    query = _query(libraries, function)
    return query is not None and bool(query())


def _query(libraries: tuple[str, ...], function: str) -> Callable[[], int | None] | None:
    """Return a function of the first of these libraries that the process has loaded, or None."""
    # A library that is not loaded has no current context.
    mode = os.RTLD_LAZY | os.RTLD_NOLOAD if hasattr(os, "RTLD_NOLOAD") else 0
    for name in libraries:
        try:
            query = getattr(ctypes.CDLL(name, mode=mode), function)
        except OSError:
            continue
        query.restype, query.argtypes = ctypes.c_void_p, ()
        found: Callable[[], int | None] = query
        return found
    return None
