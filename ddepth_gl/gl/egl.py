"""EGL through ctypes: the devices of this machine, and contexts on them without a display.

Only what `context.py` needs. moderngl's own EGL loader cannot say which device it chose, ignores a failed
``eglMakeCurrent`` and lets an environment variable override its arguments; see docs/decisions/0002.

Sources: EGL 1.5, EGL_EXT_device_enumeration, EGL_EXT_device_query, EGL_EXT_platform_device,
EGL_KHR_surfaceless_context, EGL_NV_device_cuda.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_ssize_t, c_uint, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ContextError
from .unpacked_mesa import load_libegl

__all__ = ["INSTALL_HINT", "Egl", "glx_is_current", "load"]

INSTALL_HINT = "on Debian or Ubuntu: apt-get install -y libegl1 libgl1 libgl1-mesa-dri"

_EXTENSIONS = 0x3055
_PLATFORM_DEVICE = 0x313F
_OPENGL_API = 0x30A2
_NONE = 0x3038
_CONTEXT_MAJOR, _CONTEXT_MINOR = 0x3098, 0x30FB
_CONTEXT_PROFILE, _CORE_PROFILE = 0x30FD, 1
_DRM_DEVICE_FILE = 0x3233
_CUDA_DEVICE = 0x323A

_ERROR_NAMES = {
    0x3000: "EGL_SUCCESS",
    0x3001: "EGL_NOT_INITIALIZED",
    0x3002: "EGL_BAD_ACCESS",
    0x3003: "EGL_BAD_ALLOC",
    0x3004: "EGL_BAD_ATTRIBUTE",
    0x3005: "EGL_BAD_CONFIG",
    0x3006: "EGL_BAD_CONTEXT",
    0x3008: "EGL_BAD_DISPLAY",
    0x3009: "EGL_BAD_MATCH",
    0x300C: "EGL_BAD_PARAMETER",
    0x300E: "EGL_CONTEXT_LOST",
}


class Egl:
    """The loaded EGL library: typed entry points, errors turned into `ContextError`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        def core(name: str, result: Any, *arguments: Any) -> Any:
            entry = getattr(library, name)
            entry.restype, entry.argtypes = result, arguments
            return entry

        self.get_proc_address = core("eglGetProcAddress", c_void_p, c_char_p)
        self._get_error = core("eglGetError", c_int)
        self._query_string = core("eglQueryString", c_char_p, c_void_p, c_int)
        self._initialize = core("eglInitialize", c_uint, c_void_p, c_void_p, c_void_p)
        self._bind_api = core("eglBindAPI", c_uint, c_uint)
        self._create_context = core(
            "eglCreateContext", c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_int)
        )
        self._destroy_context = core("eglDestroyContext", c_uint, c_void_p, c_void_p)
        self._make_current = core("eglMakeCurrent", c_uint, c_void_p, c_void_p, c_void_p, c_void_p)
        self.current_context = core("eglGetCurrentContext", c_void_p)
        self._current_display = core("eglGetCurrentDisplay", c_void_p)
        self._current_surface = core("eglGetCurrentSurface", c_void_p, c_int)

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """The entry point `name` (EGL extension or GL function) as a ctypes callable.

        Raises:
            ContextError: the driver has no such function.
        """
        address = self.get_proc_address(name.encode())
        if not address:
            raise ContextError(f"the driver has no {name}; update it, or {INSTALL_HINT}")
        return CFUNCTYPE(result, *arguments)(address)

    def devices(self) -> list[int]:
        """Handles of every EGL device, in the driver's order; empty where there is none."""
        extensions = (self._query_string(None, _EXTENSIONS) or b"").split()
        if not {b"EGL_EXT_device_enumeration", b"EGL_EXT_device_base"} & set(extensions):
            return []
        query = self.function(
            "eglQueryDevicesEXT", c_uint, c_int, POINTER(c_void_p), POINTER(c_int)
        )
        count = c_int()
        if not query(0, None, byref(count)) or count.value < 1:
            return []
        handles = (c_void_p * count.value)()
        query(count.value, handles, byref(count))
        return [handle for handle in handles[: count.value] if handle]

    def _device_extensions(self, device: int) -> set[bytes]:
        query = self.function("eglQueryDeviceStringEXT", c_char_p, c_void_p, c_int)
        return set((query(device, _EXTENSIONS) or b"").split())

    def is_software(self, device: int) -> bool:
        """Whether the device is Mesa's software rasterizer."""
        return b"EGL_MESA_device_software" in self._device_extensions(device)

    def cuda_index(self, device: int) -> int | None:
        """The device's CUDA ordinal (unaffected by CUDA_VISIBLE_DEVICES), or None where it has none."""
        if b"EGL_NV_device_cuda" not in self._device_extensions(device):
            return None
        value = c_ssize_t(-1)
        query = self.function(
            "eglQueryDeviceAttribEXT", c_uint, c_void_p, c_int, POINTER(c_ssize_t)
        )
        return (
            value.value if query(device, _CUDA_DEVICE, byref(value)) and value.value >= 0 else None
        )

    def pci_address(self, device: int) -> str | None:
        """The PCI address such as ``0000:3b:00.0``, found through the DRM node, or None."""
        if b"EGL_EXT_device_drm" not in self._device_extensions(device):
            return None
        query = self.function("eglQueryDeviceStringEXT", c_char_p, c_void_p, c_int)
        node = query(device, _DRM_DEVICE_FILE)
        if not node:
            return None
        link = Path("/sys/class/drm") / Path(node.decode()).name / "device"
        return link.resolve().name if link.exists() else None

    def display(self, device: int) -> int:
        """An initialized EGL display of the device.

        A device has one display in a process, shared with every other user of EGL in it, so it is never
        terminated here: that would destroy the contexts of the others.
        """
        get_display = self.function(
            "eglGetPlatformDisplayEXT", c_void_p, c_uint, c_void_p, POINTER(c_int)
        )
        display = get_display(_PLATFORM_DEVICE, device, None)
        if not display or not self._initialize(display, None, None):
            raise ContextError(f"the EGL display does not initialize ({self._error()})")
        extensions = (self._query_string(display, _EXTENSIONS) or b"").split()
        if b"EGL_KHR_surfaceless_context" not in extensions:
            raise ContextError("the EGL display has no EGL_KHR_surfaceless_context")
        return int(display)

    def create_context(self, display: int, versions: tuple[tuple[int, int], ...]) -> int:
        """A core-profile OpenGL context of the first of `versions` that the driver gives."""
        if not self._bind_api(_OPENGL_API):
            raise ContextError(f"EGL offers no desktop OpenGL ({self._error()})")
        for major, minor in versions:
            attributes = (c_int * 7)(
                _CONTEXT_MAJOR, major, _CONTEXT_MINOR, minor, _CONTEXT_PROFILE, _CORE_PROFILE, _NONE
            )
            context = self._create_context(display, None, None, attributes)
            if context:
                return int(context)
        wanted = ".".join(map(str, versions[-1]))
        raise ContextError(f"no OpenGL {wanted} core context ({self._error()})")

    def destroy_context(self, display: int, context: int) -> None:
        """Destroys a context, first making it not current."""
        if self.current_context() == context:
            self._make_current(display, None, None, None)
        self._destroy_context(display, context)

    def current(self) -> tuple[int | None, int | None, int | None, int | None]:
        """What is current in this thread: (display, draw surface, read surface, context)."""
        draw, read = self._current_surface(0x3059), self._current_surface(0x305A)
        return self._current_display(), draw, read, self.current_context()

    def make_current(
        self, display: int | None, draw: int | None, read: int | None, context: int | None
    ) -> None:
        """Makes a context current in this thread.

        Raises:
            ContextError: the driver refuses, for example because another thread holds the context.
        """
        if self._make_current(display, draw, read, context):
            return
        if glx_is_current():
            raise ContextError(
                "another library's GLX context (an X11 window's) is current in this thread, and EGL is "
                f"refused beside it ({self._error()}); make that context not current first, or use the "
                "DepthRenderer in another thread or process"
            )
        raise ContextError(f"the OpenGL context cannot be made current ({self._error()})")

    def _error(self) -> str:
        code = self._get_error()
        return _ERROR_NAMES.get(code, f"EGL error {code:#x}")


def glx_is_current() -> bool:
    """Whether some library has made a GLX context (that of an X11 window) current in this thread."""
    for name in ("libGLX.so.0", "libGL.so.1"):
        try:
            library = ctypes.CDLL(
                name, mode=os.RTLD_LAZY | os.RTLD_NOLOAD
            )  # only if somebody has loaded it
        except OSError:
            continue
        current = library.glXGetCurrentContext
        current.restype, current.argtypes = c_void_p, ()
        return bool(current())
    return False


@cache
def load() -> Egl:
    """Loads libEGL once.

    Raises:
        ContextError: there is no libEGL.
    """
    try:
        return Egl(load_libegl())
    except OSError as error:
        raise ContextError(f"libEGL.so.1 cannot be loaded ({error}); {INSTALL_HINT}") from None
